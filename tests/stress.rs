//! Many connections with traffic through the built images, which end in the middle of it in every way; with
//! memory, and without.

#![cfg(not(windows))]
#![allow(clippy::panic, reason = "a test ends when what it needs is not there")]

mod common;

use common::IPV4;
use protocol::Level;
use runner::stress::{self, Ending, Plan, Round};

/// A thousand connections.
const MANY: Plan = Plan {
    groups: 4,
    connections: 250,
    results: 10,
    ending: Ending::Closed,
    level: Level::Passive,
    shortage: 0.0,
    seed: 1,
};

/// Plays `plans` on one machine; nothing may be lost, left or found.
#[track_caller]
fn play(plans: &[Plan]) -> Vec<Round> {
    let mut fixture = common::boot(IPV4);
    let rounds: Result<Vec<_>, _> =
        plans.iter().map(|plan| stress::round(&mut fixture, IPV4.ends(), plan)).collect();
    let found = fixture.shut_down();
    let rounds = rounds.unwrap_or_else(|error| panic!("{error}\n{found}"));
    for (plan, round) in plans.iter().zip(&rounds) {
        assert!(round.is_clean(), "{plan:?}: {round:?}\n{}{found}", common::broken(&round.outcome));
    }
    assert!(found.is_clean(), "{found}");
    rounds
}

/// Plays a thousand connections that end like this, from either level.
fn play_many(ending: Ending) {
    let plans = [Level::Passive, Level::Dispatch].map(|level| Plan { ending, level, ..MANY });
    for round in play(&plans) {
        assert_eq!(round.connected, 1000);
        // On either side a QP, a PD, a region and a connector each, and the CQs and listeners of the groups.
        assert_eq!(round.closed, 1000 * 2 * 4 + 4 * 3);
        assert!(round.accepted >= 10_000, "{} requests were accepted", round.accepted);
    }
}

/// Shows CL-9, CL-10 and WR-1 at PASSIVE_LEVEL and DISPATCH_LEVEL.
#[test]
fn thousand_connections_close_under_traffic() {
    play_many(Ending::Closed);
}

/// Shows NDIS-2 and VER-2 at PASSIVE_LEVEL.
#[test]
fn adapter_is_disabled_under_thousand_connections() {
    play_many(Ending::Disabled);
}

/// Shows CL-10 at PASSIVE_LEVEL.
#[test]
fn adapter_is_surprise_removed_under_thousand_connections() {
    play_many(Ending::Removed);
}

/// Shows CL-10 at PASSIVE_LEVEL.
#[test]
fn adapter_halts_under_thousand_connections() {
    play_many(Ending::Halted);
}

#[test]
fn stress_with_failing_allocations_leaks_nothing() {
    let mut seed = 0;
    let plans: Vec<Plan> = [0.001, 0.01, 0.05, 0.2]
        .into_iter()
        .flat_map(|shortage| Ending::ALL.map(|ending| (shortage, ending)))
        .map(|(shortage, ending)| {
            seed += 1;
            let level = if seed % 2 == 0 { Level::Passive } else { Level::Dispatch };
            Plan { groups: 2, connections: 50, ending, level, shortage, seed, ..MANY }
        })
        .collect();
    let rounds = play(&plans);
    assert!(rounds.iter().any(|round| round.failed_allocations > 0 && round.connected > 0));
    assert!(rounds.iter().any(|round| round.connected < 100));
}
