//! The scenarios: what the harness does to a provider, one function each.
//!
//! A scenario builds what it needs on a [`TestContext`], checks statuses and counts as it goes, and may return
//! at any point: what it leaves open is closed by the test, and the call log's audit checks every callback
//! and every close of it.

mod access;
mod arriving;
mod attempting;
mod boundaries;
mod close_in_callback;
mod closing;
mod connected_pair;
mod connecting;
mod limits;
mod lists;
mod meeting;
mod moderating;
mod ndk2;
mod notifying;
mod outstanding;
mod posting;
mod queueing;
mod racing;
mod refusing;
mod registering;
mod shared;

use alloc::boxed::Box;

use protocol::{Level, Link, Outcome, Scenario, ScenarioReport, ScenarioRequest};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::heap::try_box;
use crate::test_context::{TestContext, TestState};

/// Runs a scenario. The report's status is what the scenario came to.
pub(crate) fn run(request: &ScenarioRequest) -> Result<Box<ScenarioReport>, NTSTATUS> {
    let scenario = Scenario::try_from(request.scenario).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let level = Level::try_from(request.level).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let link = Link::try_from(request.link).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let mut report = try_box(ScenarioReport { status: STATUS_SUCCESS, outcome: Outcome::NONE })?;
    let test_state = TestState::set_up(level)?;
    let played = TestContext::open(&test_state, request.near, request.far)
        .and_then(|test| play(scenario, &test.of(scenario, link)));
    report.status = played.err().unwrap_or(STATUS_SUCCESS);
    report.outcome = *test_state.take_down()?;
    Ok(report)
}

fn play(scenario: Scenario, test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    match scenario {
        Scenario::AntecedentsFirst => closing::antecedents_first(test),
        Scenario::ListenerWithOffers => closing::listener_with_offers(test),
        Scenario::ListenerBeforeConnection => closing::listener_before_connection(test),
        Scenario::AddressReuse => closing::address_reuse(test),
        Scenario::CloseInCreate => close_in_callback::create(test),
        Scenario::CloseInRequest => close_in_callback::request(test),
        Scenario::CloseInConnect => close_in_callback::connect(test),
        Scenario::CloseInConnectEvent => close_in_callback::connect_event(test),
        Scenario::CloseInDisconnect => close_in_callback::disconnect(test),
        Scenario::CloseInNotification => close_in_callback::notification(test),
        Scenario::ReceivesOutstanding => outstanding::receives(test),
        Scenario::SendsOutstanding => outstanding::sends(test),
        Scenario::ConnectOutstanding => outstanding::connect(test),
        Scenario::AcceptOutstanding => outstanding::accept(test),
        Scenario::NoPrivateData => connecting::no_private_data(test),
        Scenario::PrivateDataLimits => connecting::private_data_limits(test),
        Scenario::DisconnectBoth => connecting::disconnect_both(test),
        Scenario::DisconnectEvent => connecting::disconnect_event(test),
        Scenario::Reject => refusing::reject(test),
        Scenario::BadAddress => refusing::bad_address(test),
        Scenario::PausedListener => refusing::paused_listener(test),
        Scenario::Flush => posting::flush(test),
        Scenario::OverPosting => posting::over_posting(test),
        Scenario::Unconnected => posting::unconnected(test),
        Scenario::Arming => posting::arming(test),
        Scenario::SendShapes => posting::send_shapes(test),
        Scenario::RemoteAccess => access::remote(test),
        Scenario::LocalAccess => access::local(test),
        Scenario::NotSupported => limits::not_supported(test),
        Scenario::Limits => limits::limits(test),
        Scenario::SharedReceives => shared::receives(test),
        Scenario::SharedAddress => shared::address(test),
        Scenario::PrivilegedMemory => shared::privileged_memory(test),
        Scenario::LeakOnPurpose => closing::leak(test),
        Scenario::RaceAntecedents => racing::antecedents(test),
        Scenario::RaceEnds => racing::ends(test),
        Scenario::RacePosts => racing::posts(test),
        Scenario::RaceTraffic => racing::traffic(test),
        Scenario::RaceListener => racing::listener(test),
        Scenario::RaceAccept => racing::accept(test),
        Scenario::RaceDisconnect => racing::disconnect(test),
        Scenario::RaceNotification => racing::notification(test),
        Scenario::RaceComplete => meeting::close_and_complete(test),
        Scenario::RaceRoom => meeting::result_and_post(test),
        Scenario::RaceArm => meeting::error_and_arm(test),
        Scenario::SharedWaiters => shared::waiters(test),
        Scenario::ForeignToken => registering::foreign_token(test),
        Scenario::Windows => registering::windows(test),
        Scenario::FastRegistration => registering::fast(test),
        Scenario::SendAndInvalidate => registering::send_and_invalidate(test),
        Scenario::ReadAndInvalidate => registering::read_and_invalidate(test),
        Scenario::ListsOfRegions => lists::registered(test),
        Scenario::ListsOfMappings => lists::mapped(test),
        Scenario::KeptToken => registering::kept_token(test),
        Scenario::Mebibyte => registering::mebibyte(test),
        Scenario::Versions => ndk2::versions(test),
        Scenario::Extended => ndk2::extended(test),
        Scenario::DeferredChains => queueing::deferred(test),
        Scenario::ResizedCq => queueing::resized(test),
        Scenario::ModifiedSrq => queueing::modified_srq(test),
        Scenario::OnlyOnce => queueing::once(test),
        Scenario::Overflow => queueing::overflown(test),
        Scenario::Largest => queueing::largest(test),
        Scenario::Moderation => moderating::moderated(test),
        Scenario::LargestRequests => boundaries::requests(test),
        Scenario::DeepestQueues => boundaries::queues(test),
        Scenario::LargestMemory => boundaries::memory(test),
        Scenario::ReceiverNotReady => posting::receiver_not_ready(test),
        Scenario::NotifiedAfterPost => notifying::after_post(test),
        Scenario::RaceAlarm => moderating::closed_when_due(test),
        Scenario::AcceptAgain => attempting::accept_again(test),
        Scenario::DisconnectTwice => attempting::disconnect_twice(test),
        Scenario::ConnectAgain => attempting::connect_again(test),
        Scenario::DisconnectUnconnected => attempting::disconnect_unconnected(test),
        Scenario::CloseAfterDisconnect => attempting::close_after_disconnect(test),
        Scenario::PauseWithOffers => attempting::pause_with_offers(test),
        Scenario::Openings => attempting::openings(test),
        Scenario::ArrivedAddress => arriving::arrived(test),
    }
}
