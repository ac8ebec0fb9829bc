//! Storms: in threads of the host with many connections, and under schedules chosen from seeds with few.

use core::time::Duration;
use std::env;
use std::path::Path;

use ntsim::Machine;
use ntsim::machine::Builder;
use ntsim::sched::{Schedule, Strategy, block};
use runner::Images;
use sys::status::STATUS_SHARING_VIOLATION;
use tdi_client::Bed;
use tdi_client::storm::{self, Plan};

use super::{FAR, NEAR};

/// How many seeds a test plays where the environment names no number: enough to find what is coarse.
const SEEDS: u64 = 60;

/// The numbers of processors that seeds take turns with.
const PROCESSORS: [u32; 4] = [2, 3, 1, 4];

/// A number that the environment names, or another one.
fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().map_or(otherwise, |number| number.parse().expect("a number of seeds"))
}

/// Lets a storm pass on a machine of its own, of which nothing may be left.
#[track_caller]
fn weather(builder: Builder, plan: Plan) {
    let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
    let bed = Bed::boot(builder, &images, [NEAR.ip(), FAR.ip()]).expect("the driver starts");
    let passed = storm::pass(&bed, NEAR, FAR, plan);
    // No address is in use when the last link has gone.
    while let Err(status) = bed.exclusive(FAR) {
        assert_eq!(status.0, STATUS_SHARING_VIOLATION, "{plan:?}: {status}");
        block(Some(Duration::from_millis(1)));
    }
    let found = bed.end();
    assert!(passed.is_ok() && found.is_clean(), "{plan:?}: {passed:?}, {found}");
}

#[test]
fn a_thousand_connections_killed_at_random_leave_nothing() {
    let first = number("TDI_STORM_SEED", 1);
    for seed in first..first + number("TDI_STORMS", 1) {
        let plan = Plan { connections: 1000, threads: 4, actions: 6000, longest: 40_000, seed };
        weather(Machine::builder(), plan);
    }
}

#[test]
fn storms_leave_nothing_whatever_the_schedule() {
    let first = number("TDI_SEED", 0);
    for seed in first..first + number("TDI_SEEDS", SEEDS) {
        let plan = Plan { connections: 2, threads: 3, actions: 25, longest: 40_000, seed };
        let strategy = Strategy::of_seed(seed);
        let schedule = Schedule::seeded(seed, strategy).traced(200);
        // The seed's part that does not choose the strategy.
        let processors = PROCESSORS[usize::try_from(seed / 3 % 4).expect("small")];
        weather(Machine::builder().processors(processors).schedule(schedule), plan);
    }
}
