//! The scenarios of a kernel-mode NDK consumer against the built driver, and what must hold then.
//!
//! Each scenario of the harness runs from PASSIVE_LEVEL, from DISPATCH_LEVEL and over IPv6, and from both levels with its
//! connections over TCP; the built images run in the simulator. A failure shows what the consumer found and what the simulator found.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]

mod common;
#[macro_use]
#[path = "common/coverage.rs"]
mod coverage;

use common::{IPV4, IPV6, Network};
use coverage::COVERAGE;
use ntsim::Machine;
use ntsim::ndk::Statistics;
use ntsim::sched::{Schedule, Strategy};
use protocol::{Difference, Level, Link, Scenario};
use runner::{Client, Fixture, Place};

/// Plays one scenario on a machine of its own.
#[track_caller]
fn play(scenario: Scenario, level: Level, network: Network) {
    play_at(&network.places(), scenario, level, Link::Loopback, network);
}

/// Plays one scenario between these adapters.
#[track_caller]
fn play_at(places: &[Place], scenario: Scenario, level: Level, link: Link, network: Network) {
    let fixture = Fixture::boot(&common::images(), places).unwrap_or_else(|error| panic!("{error}"));
    let [near, far] = network.ends();
    let report =
        Client::open(&fixture).and_then(|client| client.run_scenario(scenario, level, link, near, far));
    let found = fixture.shut_down();
    let report = report.unwrap_or_else(|error| panic!("{scenario:?} was not played: {error}\n{found}"));
    let broken = common::broken(&report.outcome);
    assert!(
        report.status == 0 && broken.is_empty() && found.is_clean(),
        "{scenario:?} ({}) ended with status {:#010x}\n{broken}{found}",
        scenario.rules(),
        report.status
    );
    expect_calls(scenario, level, &found.ndk.statistics);
}

/// The scenario has called the functions that it says it is about, from the level that it was played at.
#[track_caller]
fn expect_calls(scenario: Scenario, level: Level, seen: &Statistics) {
    let at_passive_only = ["NdkQueryAdapterInfo"];
    for function in scenario.functions().split_whitespace().filter_map(|listed| listed.split('.').nth(1)) {
        let calls = match level {
            Level::Dispatch if !at_passive_only.contains(&function) => &seen.dispatch_calls,
            Level::Passive | Level::Dispatch => &seen.calls,
        };
        assert!(calls.contains_key(function), "{scenario:?} has not called {function} at {level:?}");
    }
}

/// The trace of a scenario on a machine whose fresh pool memory holds these bytes: the number of points at which
/// threads could switch, of those at which they did, and every event in words.
fn trace(fresh: u8, scenario: Scenario) -> (u64, u64, Vec<String>) {
    let schedule = Schedule::seeded(7, Strategy::Bounded).traced(usize::MAX);
    let machine = Machine::builder().fresh_pool(fresh).schedule(schedule).boot();
    let fixture = Fixture::on(machine, &common::images(), &IPV4.places()).map_err(|(error, _)| error);
    let fixture = fixture.expect("the images are built");
    let [near, far] = IPV4.ends();
    let played = Client::open(&fixture)
        .and_then(|client| client.run_scenario(scenario, Level::Passive, Link::Loopback, near, far));
    let report = fixture.shut_down();
    assert!(played.is_ok_and(|played| played.status == 0) && report.is_clean(), "{report}");
    let played = report.schedule.expect("the machine had a schedule");
    (played.points, played.switches, played.trace.0.into_iter().map(|event| event.text).collect())
}

#[test]
fn pool_contents_do_not_affect_scenarios() {
    for scenario in [Scenario::SendShapes, Scenario::ListenerWithOffers] {
        let (pattern, zero) = (trace(0xA5, scenario), trace(0, scenario));
        assert!(pattern.2.len() > 1000, "{} events", pattern.2.len());
        let differs = pattern.2.iter().zip(&zero.2).find(|(pattern, zero)| pattern != zero);
        assert!(pattern == zero, "{scenario:?}: {differs:?}");
    }
}

/// Plays a scenario at PASSIVE_LEVEL on a machine with one processor, under a schedule of this seed.
fn on_single_processor(seed: u64, places: &[Place]) -> String {
    let schedule = Schedule::seeded(seed, Strategy::of_seed(seed));
    let machine = Machine::builder().processors(1).schedule(schedule).boot();
    let fixture = Fixture::on(machine, &common::images(), places).map_err(|(error, _)| error);
    let fixture = fixture.expect("the images are built");
    let [near, far] = IPV4.ends();
    let scenario = Scenario::NotifiedAfterPost;
    let played = Client::open(&fixture)
        .and_then(|client| client.run_scenario(scenario, Level::Passive, Link::Loopback, near, far));
    let report = fixture.shut_down();
    assert!(report.is_clean(), "{report}");
    common::broken(&played.expect("it is played").outcome)
}

#[test]
fn notification_on_single_processor_waits_for_end_of_post() {
    for seed in 0..12 {
        assert_eq!(on_single_processor(seed, &IPV4.places()), "", "seed {seed}");
    }
}

#[test]
fn notification_with_keyword_comes_inside_the_post() {
    let broken = on_single_processor(1, &IPV4.places().map(Place::immediate));
    assert!(broken.contains("no notification inside the post"), "{broken}");
}

/// Plays one scenario with its connections over TCP.
#[track_caller]
fn play_over_wire(scenario: Scenario, level: Level) {
    play_at(&IPV4.places().map(Place::wire), scenario, level, Link::Wire, IPV4);
}

/// TCP's threads take processors, so that posters are moved to others.
#[test]
fn notification_over_wire_waits_for_end_of_post() {
    for _ in 0..20 {
        play_over_wire(Scenario::NotifiedAfterPost, Level::Passive);
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
            fn over_wire_at_passive_level() {
                play_over_wire(Scenario::$scenario, Level::Passive);
            }

            #[test]
            fn over_wire_at_dispatch_level() {
                play_over_wire(Scenario::$scenario, Level::Dispatch);
            }

            #[test]
            fn over_ipv6() {
                play(Scenario::$scenario, Level::Passive, IPV6);
            }
        })*
    };
}

/// The differences that scenarios state over TCP are those of the page, with the same scenarios.
#[test]
fn differences_over_wire_are_those_of_the_page() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/wire.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let section =
        page.split("\n## ").find(|section| section.starts_with("What a consumer sees")).expect("it is there");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let listed: Vec<_> = rows.filter_map(|row| row.split('|').nth_back(1)).map(str::trim).collect();
    let stated = Difference::ALL.iter().map(|difference| {
        let names = difference.scenarios().iter().map(|scenario| format!("`{scenario:?}`"));
        names.collect::<Vec<_>>().join(", ")
    });
    assert_eq!(listed, stated.collect::<Vec<_>>());
}

#[test]
fn every_scenario_of_the_harness_is_played() {
    assert_eq!(COVERAGE.len(), Scenario::ALL.len());
    assert!(Scenario::ALL.iter().all(|scenario| COVERAGE.iter().any(|(_, played)| played == scenario)));
}

with_coverage!(scenarios);
