//! The scenarios: what the harness does to a provider, one function each.
//!
//! A scenario builds what it needs on a [`Stage`], checks statuses and counts as it goes, and may return
//! at any point: what it leaves open is closed by the stage, and the ledger's audit checks every callback
//! and every close of it.

mod access;
mod attempting;
mod closing;
mod connecting;
mod extremes;
mod inside;
mod limits;
mod lists;
mod meeting;
mod moderating;
mod newer;
mod notifying;
mod outstanding;
mod posting;
mod queueing;
mod racing;
mod refusing;
mod registering;
mod scene;
mod shared;

use alloc::boxed::Box;

use protocol::{Level, Outcome, Scenario, ScenarioReport, ScenarioRequest};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::heap::try_box;
use crate::stage::{Backstage, Stage};

/// Runs a scenario. The report's status is what the scenario came to.
pub(crate) fn run(request: &ScenarioRequest) -> Result<Box<ScenarioReport>, NTSTATUS> {
    let scenario = Scenario::try_from(request.scenario).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let level = Level::try_from(request.level).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let mut report = try_box(ScenarioReport { status: STATUS_SUCCESS, outcome: Outcome::NONE })?;
    let backstage = Backstage::set_up(level)?;
    let played = Stage::open(&backstage, request.near, request.far).and_then(|stage| play(scenario, &stage));
    report.status = played.err().unwrap_or(STATUS_SUCCESS);
    report.outcome = *backstage.take_down()?;
    Ok(report)
}

fn play(scenario: Scenario, stage: &Stage<'_>) -> Result<(), NTSTATUS> {
    match scenario {
        Scenario::AntecedentsFirst => closing::antecedents_first(stage),
        Scenario::ListenerWithOffers => closing::listener_with_offers(stage),
        Scenario::ListenerBeforeConnection => closing::listener_before_connection(stage),
        Scenario::AddressReuse => closing::address_reuse(stage),
        Scenario::CloseInCreate => inside::create(stage),
        Scenario::CloseInRequest => inside::request(stage),
        Scenario::CloseInConnect => inside::connect(stage),
        Scenario::CloseInConnectEvent => inside::connect_event(stage),
        Scenario::CloseInDisconnect => inside::disconnect(stage),
        Scenario::CloseInNotification => inside::notification(stage),
        Scenario::ReceivesOutstanding => outstanding::receives(stage),
        Scenario::SendsOutstanding => outstanding::sends(stage),
        Scenario::ConnectOutstanding => outstanding::connect(stage),
        Scenario::AcceptOutstanding => outstanding::accept(stage),
        Scenario::NoPrivateData => connecting::no_private_data(stage),
        Scenario::PrivateDataLimits => connecting::private_data_limits(stage),
        Scenario::DisconnectBoth => connecting::disconnect_both(stage),
        Scenario::DisconnectEvent => connecting::disconnect_event(stage),
        Scenario::Reject => refusing::reject(stage),
        Scenario::BadAddress => refusing::bad_address(stage),
        Scenario::PausedListener => refusing::paused_listener(stage),
        Scenario::Flush => posting::flush(stage),
        Scenario::OverPosting => posting::over_posting(stage),
        Scenario::Unconnected => posting::unconnected(stage),
        Scenario::Arming => posting::arming(stage),
        Scenario::SendShapes => posting::send_shapes(stage),
        Scenario::RemoteAccess => access::remote(stage),
        Scenario::LocalAccess => access::local(stage),
        Scenario::NotSupported => limits::not_supported(stage),
        Scenario::Limits => limits::limits(stage),
        Scenario::SharedReceives => shared::receives(stage),
        Scenario::SharedAddress => shared::address(stage),
        Scenario::PrivilegedMemory => shared::privileged_memory(stage),
        Scenario::LeakOnPurpose => closing::leak(stage),
        Scenario::RaceAntecedents => racing::antecedents(stage),
        Scenario::RaceEnds => racing::ends(stage),
        Scenario::RacePosts => racing::posts(stage),
        Scenario::RaceTraffic => racing::traffic(stage),
        Scenario::RaceListener => racing::listener(stage),
        Scenario::RaceAccept => racing::accept(stage),
        Scenario::RaceDisconnect => racing::disconnect(stage),
        Scenario::RaceNotification => racing::notification(stage),
        Scenario::RaceComplete => meeting::close_and_complete(stage),
        Scenario::RaceRoom => meeting::result_and_post(stage),
        Scenario::RaceArm => meeting::error_and_arm(stage),
        Scenario::Windows => registering::windows(stage),
        Scenario::FastRegistration => registering::fast(stage),
        Scenario::SendAndInvalidate => registering::send_and_invalidate(stage),
        Scenario::ReadAndInvalidate => registering::read_and_invalidate(stage),
        Scenario::ListsOfRegions => lists::registered(stage),
        Scenario::ListsOfMappings => lists::mapped(stage),
        Scenario::KeptToken => registering::kept_token(stage),
        Scenario::Mebibyte => registering::mebibyte(stage),
        Scenario::Versions => newer::versions(stage),
        Scenario::Extended => newer::extended(stage),
        Scenario::DeferredChains => queueing::deferred(stage),
        Scenario::ResizedCq => queueing::resized(stage),
        Scenario::ModifiedSrq => queueing::modified_srq(stage),
        Scenario::OnlyOnce => queueing::once(stage),
        Scenario::Overflow => queueing::overflown(stage),
        Scenario::Largest => queueing::largest(stage),
        Scenario::Moderation => moderating::moderated(stage),
        Scenario::LargestRequests => extremes::requests(stage),
        Scenario::DeepestQueues => extremes::queues(stage),
        Scenario::LargestMemory => extremes::memory(stage),
        Scenario::SendWithoutReceive => posting::starving(stage),
        Scenario::NotifiedAfterPost => notifying::after_post(stage),
        Scenario::RaceAlarm => moderating::closed_when_due(stage),
        Scenario::AcceptAgain => attempting::accept_again(stage),
        Scenario::DisconnectTwice => attempting::disconnect_twice(stage),
        Scenario::ConnectAgain => attempting::connect_again(stage),
        Scenario::DisconnectUnconnected => attempting::disconnect_unconnected(stage),
        Scenario::CloseAfterDisconnect => attempting::close_after_disconnect(stage),
        Scenario::PauseWithOffers => attempting::pause_with_offers(stage),
        Scenario::Openings => attempting::openings(stage),
    }
}
