//! The choice between things that NDIS and protocols may do as they like.
//!
//! They take turns. On a machine with a schedule the seed says with which they begin, so that other seeds play other
//! combinations.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use ntsim_core::Settings;
use ntsim_core::per_machine::PerMachine;

/// The number of the next choice.
struct Choices(AtomicU64);

static CHOICES: PerMachine<Choices> = PerMachine::new();

impl Default for Choices {
    fn default() -> Self {
        Self(AtomicU64::new(Settings::current().schedule.map_or(0, |schedule| schedule.seed)))
    }
}

/// A number below `count`, which is not zero.
pub(super) fn choose(count: u64) -> u64 {
    let number = CHOICES.get().0.fetch_add(1, Ordering::Relaxed);
    // Spread, so that two places which choose in turns do not go in step.
    (number ^ (number >> 2) ^ (number >> 5)) % count
}
