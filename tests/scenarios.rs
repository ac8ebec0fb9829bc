//! What a kernel-mode NDK consumer does to the built driver, and what must hold then.
//!
//! Each scenario of the harness runs from PASSIVE_LEVEL, from DISPATCH_LEVEL and over IPv6; the built
//! images run in the simulator. A failure shows what the consumer found and what the simulator found.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]

mod common;

use common::{IPV4, IPV6, Network};
use ntsim::Machine;
use ntsim::sched::{Schedule, Strategy};
use protocol::{Level, Scenario};
use runner::{Bench, Client};

/// Plays one scenario on a machine of its own.
#[track_caller]
fn play(scenario: Scenario, level: Level, network: Network) {
    let bench = common::boot(network);
    let [near, far] = network.ends();
    let report =
        Client::open(bench.machine()).and_then(|client| client.run_scenario(scenario, level, near, far));
    let found = bench.shut_down();
    let report = report.unwrap_or_else(|error| panic!("{scenario:?} was not played: {error}\n{found}"));
    let broken = common::broken(&report.outcome);
    assert!(
        report.status == 0 && broken.is_empty() && found.is_clean(),
        "{scenario:?} ({}) ended with status {:#010x}\n{broken}{found}",
        scenario.rules(),
        report.status
    );
}

/// What happens in a scenario on a machine whose fresh pool memory holds these bytes: how often threads could
/// switch and did, and every event in words.
fn trace(fresh: u8, scenario: Scenario) -> (u64, u64, Vec<String>) {
    let schedule = Schedule::seeded(7, Strategy::Bounded).traced(usize::MAX);
    let machine = Machine::builder().fresh_pool(fresh).schedule(schedule).boot();
    let bench = Bench::on(machine, &common::images(), &IPV4.places()).map_err(|(error, _)| error);
    let bench = bench.expect("the images are built");
    let [near, far] = IPV4.ends();
    let played = Client::open(bench.machine())
        .and_then(|client| client.run_scenario(scenario, Level::Passive, near, far));
    let report = bench.shut_down();
    assert!(played.is_ok_and(|played| played.status == 0) && report.is_clean(), "{report}");
    let played = report.schedule.expect("the machine had a schedule");
    (played.points, played.switches, played.trace.0.into_iter().map(|event| event.text).collect())
}

#[test]
fn what_fresh_memory_holds_makes_no_difference() {
    for scenario in [Scenario::SendShapes, Scenario::ListenerWithOffers] {
        let (pattern, zero) = (trace(0xA5, scenario), trace(0, scenario));
        assert!(pattern.2.len() > 1000, "{} events", pattern.2.len());
        let differs = pattern.2.iter().zip(&zero.2).find(|(pattern, zero)| pattern != zero);
        assert!(pattern == zero, "{scenario:?}: {differs:?}");
    }
}

macro_rules! scenarios {
    ($($name:ident: $scenario:ident;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn at_passive_level() {
                play(Scenario::$scenario, Level::Passive, IPV4);
            }

            #[test]
            fn at_dispatch_level() {
                play(Scenario::$scenario, Level::Dispatch, IPV4);
            }

            #[test]
            fn over_ipv6() {
                play(Scenario::$scenario, Level::Passive, IPV6);
            }
        })*

        #[test]
        fn every_scenario_of_the_harness_is_played() {
            let played = [$(Scenario::$scenario,)*];
            assert_eq!(played.len(), Scenario::ALL.len());
            assert!(Scenario::ALL.iter().all(|scenario| played.contains(scenario)));
        }
    };
}

scenarios! {
    an_antecedents_close_pends_until_its_successors_are_closed: AntecedentsFirst;
    an_object_may_be_closed_in_its_create_completion: CloseInCreate;
    an_object_may_be_closed_in_a_request_completion: CloseInRequest;
    a_connector_may_be_closed_in_its_connect_completion: CloseInConnect;
    an_offer_closed_in_the_connect_event_is_a_refusal: CloseInConnectEvent;
    a_connector_may_be_closed_in_its_disconnect_callbacks: CloseInDisconnect;
    a_cq_may_be_closed_in_its_notification: CloseInNotification;
    closing_a_qp_cancels_its_receives: ReceivesOutstanding;
    closing_a_connection_ends_its_sends: SendsOutstanding;
    closing_a_connector_ends_its_connect: ConnectOutstanding;
    closing_a_connector_ends_its_accept: AcceptOutstanding;
    a_listener_outlives_the_connectors_it_offered: ListenerWithOffers;
    a_connection_outlives_its_closing_listener: ListenerBeforeConnection;
    private_data_may_be_absent: NoPrivateData;
    private_data_is_carried_up_to_its_limit: PrivateDataLimits;
    a_rejection_reaches_the_connector_with_its_data: Reject;
    both_sides_may_disconnect_at_once: DisconnectBoth;
    a_peers_disconnect_is_an_event_and_no_flush: DisconnectEvent;
    an_address_is_free_when_its_last_holder_is_closed: AddressReuse;
    flush_cancels_what_is_posted: Flush;
    remote_access_is_what_was_granted: RemoteAccess;
    local_access_is_what_was_registered: LocalAccess;
    what_does_not_fit_into_a_queue_fails_at_once: OverPosting;
    an_unconnected_qp_takes_receives_only: Unconnected;
    an_address_that_is_not_there_is_told_by_its_status: BadAddress;
    an_adapter_does_what_it_claims_and_refuses_the_rest: NotSupported;
    a_cq_notifies_once_per_arm: Arming;
    a_paused_listener_refuses: PausedListener;
    sends_of_every_shape_arrive: SendShapes;
    sizes_over_a_limit_are_invalid: Limits;
    qps_may_share_their_receives: SharedReceives;
    connections_may_share_their_address: SharedAddress;
    the_privileged_token_is_for_this_side_only: PrivilegedMemory;
    antecedents_and_successors_may_be_closed_at_once: RaceAntecedents;
    both_ends_may_be_closed_at_once: RaceEnds;
    a_connector_may_be_closed_while_its_qp_is_posted_to: RacePosts;
    a_side_may_be_closed_while_its_peer_sends: RaceTraffic;
    a_listener_may_be_closed_while_a_peer_connects: RaceListener;
    a_connector_may_be_closed_while_its_peer_accepts: RaceAccept;
    a_side_may_be_closed_while_its_peer_disconnects: RaceDisconnect;
    a_cq_may_be_closed_while_work_arrives: RaceNotification;
}
