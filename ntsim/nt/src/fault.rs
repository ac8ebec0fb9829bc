//! Fault injection: allocations that fail on purpose.

#![forbid(unsafe_code)]

use ntsim_core::loader::{self, Frame, Trace};
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;

/// The allocations of drivers that fail.
///
/// An allocation is anything that may fail for want of memory: pool, MDLs, work items, framework objects.
#[derive(Clone, Debug, Default)]
pub enum Faults {
    /// None.
    #[default]
    None,
    /// The n-th from now on, counted from 0, and no other.
    Nth(u64),
    /// Each with this probability, drawn from a generator that starts from this seed.
    Random {
        /// From 0 (never) to 1 (always).
        probability: f64,
        /// The seed.
        seed: u64,
    },
}

/// Decides over the allocations of one machine.
#[derive(Default)]
struct Injector {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    image: Option<String>,
    random: fastrand::Rng,
    counted: u64,
    failed: u64,
    struck: Option<Trace>,
}

static INJECTOR: PerMachine<Injector> = PerMachine::new();

/// Lets allocations fail from now on as `faults` says, and counts from 0 again. With an image's file
/// name, only allocations that this image asks for are counted and fail.
pub fn inject(faults: Faults, image: Option<&str>) {
    let mut state = INJECTOR.get().state.lock();
    state.random = fastrand::Rng::with_seed(match faults {
        Faults::Random { seed, .. } => seed,
        _ => 0,
    });
    state.faults = faults;
    state.image = image.map(str::to_ascii_lowercase);
    (state.counted, state.failed, state.struck) = (0, 0, None);
}

/// Returns the number of allocations since [`inject`], and the number of those that were made to fail.
pub fn injected() -> (u64, u64) {
    let state = INJECTOR.get().state.lock();
    (state.counted, state.failed)
}

/// The stack of the driver's allocation that was made to fail last, innermost first.
pub fn struck() -> Vec<Frame> {
    INJECTOR.get().state.lock().struck.map(|trace| trace.frames()).unwrap_or_default()
}

/// Returns whether the allocation that a driver asks for right now is to fail.
///
/// Called once by each emulated function that may fail for want of memory.
pub fn strikes() -> bool {
    let mut state = INJECTOR.get().state.lock();
    if let Some(wanted) = &state.image {
        let caller = loader::caller();
        if caller.is_none_or(|image| !image.name.eq_ignore_ascii_case(wanted)) {
            return false;
        }
    }
    let number = state.counted;
    state.counted += 1;
    let strikes = match state.faults {
        Faults::None => false,
        Faults::Nth(nth) => nth == number,
        Faults::Random { probability, .. } => state.random.f64() < probability,
    };
    if strikes {
        state.failed += 1;
        state.struck = Some(Trace::of_caller());
    }
    strikes
}
