//! Actions of several clients at once: each scenario by threads of the host, and under schedules chosen from seeds.

use runner::explore::Play;
use tdi_client::explore;
use tdi_client::scenario::{Scenario, ScenarioContext};

use super::{LEVELS, end_clean, fixture, images};

/// The number of times that each scenario is played from each level by threads of the host, which differ each time.
const ROUNDS: u64 = 4;

/// Lets threads of the host play it.
#[track_caller]
fn play(scenario: Scenario) {
    for (seed, level) in (0..ROUNDS).flat_map(|seed| LEVELS.map(|level| (seed, level))) {
        let fixture = fixture();
        let played = scenario.play(&ScenarioContext { fixture: &fixture, level, seed });
        end_clean(fixture);
        played.unwrap_or_else(|wrong| panic!("{scenario:?}, seed {seed} at {level}: {wrong}"));
    }
}

/// Plays seeds of one scenario: `cargo xtask explore` plays more.
#[track_caller]
fn schedule(scenario: Scenario) {
    // Every strategy, level and number of processors.
    for seed in 0..24 {
        let outcome =
            explore::run(Play::of_seed(seed, &[scenario]), &images(), 200).expect("the driver starts");
        let found = outcome.findings();
        assert!(found.is_empty(), "{scenario:?}, seed {seed}: {found:?}\n{}", outcome.report);
    }
}

macro_rules! scenarios {
    ($($name:ident: $scenario:ident;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn by_threads_of_the_host() {
                play(Scenario::$scenario);
            }

            #[test]
            fn under_schedules() {
                schedule(Scenario::$scenario);
            }
        })+

        #[test]
        fn every_scenario_is_played() {
            assert_eq!(Scenario::ALL, [$(Scenario::$scenario),+]);
        }
    };
}

scenarios! {
    cleanups_race_requests_of_every_type: CleanupRacesRequests;
    cancels_race_cleanups: CleanupRacesCancels;
    both_ends_may_be_closed_at_once: CleanupOfBothEnds;
    two_handles_may_be_closed_at_once: CleanupRacesHandles;
    cleanup_completes_what_waits_in_its_order: CleanupInOrder;
    second_handle_puts_the_cleanup_off_and_a_reference_only_the_close: CleanupOfTheLast;
    address_may_go_before_its_connections_after_them_and_meanwhile: CleanupOfAddresses;
    files_go_while_a_process_exits: ExitingProcess;
    files_may_be_closed_while_the_link_goes: CloseWhileLinkGoes;
    requests_end_when_the_last_adapter_goes: AdapterGoes;
    addresses_return_to_new_clients: AdapterReturns;
    address_is_shared_with_subjects_that_its_list_admits: OpensRace;
    connect_races_cancels_cleanups_and_accepts: ConnectRaces;
    disconnects_of_both_ends_race: DisconnectRaces;
    abort_overtakes_a_release_that_waits: DisconnectOvertakes;
    handler_does_not_run_after_the_cleanup_of_its_address: HandlerRacesCleanup;
    disconnect_handler_may_disconnect_at_dispatch_level: HandlerDisconnects;
    datagrams_race_cleanups: DatagramsRaceCleanup;
    few_connections_are_killed_at_random: Stress;
}

#[test]
fn thousand_connections_killed_at_random_leave_nothing() {
    let fixture = fixture();
    let played = Scenario::Thousand.play(&ScenarioContext { fixture: &fixture, level: LEVELS[0], seed: 1 });
    end_clean(fixture);
    played.expect("the stress run passes");
}
