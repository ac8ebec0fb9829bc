//! Requests that pend because they may (Driver Verifier's option to force pending I/O requests).
//!
//! A driver that sends a request on has to live with STATUS_PENDING, also where the device below has so far
//! always completed at once. Where the machine's builder asks for it, or [`force_pending`], some of the requests
//! that drivers send pend, whatever the device does: the driver is told so, and the device gets the request
//! later. Among them are those that this machine sends in the name of a driver above; a device may get them when
//! their file was cleaned up meanwhile.

#![forbid(unsafe_code)]

use ntsim_core::Settings;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;

/// The random numbers that choose the requests that pend; none if there is no seed.
struct ForcePending(Mutex<Option<fastrand::Rng>>);

impl Default for ForcePending {
    fn default() -> Self {
        Self(Mutex::new(Settings::current().force_pending.map(fastrand::Rng::with_seed)))
    }
}

static FORCE_PENDING: PerMachine<ForcePending> = PerMachine::new();

/// From now on about every second request that a driver sends pends, chosen from this seed; or none does.
pub fn force_pending(seed: Option<u64>) {
    *FORCE_PENDING.get().0.lock() = seed.map(fastrand::Rng::with_seed);
}

/// Returns whether the request that a driver sends right now is to pend.
pub(super) fn strikes() -> bool {
    FORCE_PENDING.get().0.lock().as_mut().is_some_and(fastrand::Rng::bool)
}
