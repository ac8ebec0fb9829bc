//! Requests that pend because they may (Driver Verifier's option to force pending I/O requests).
//!
//! A driver that sends a request on has to live with STATUS_PENDING, also where the device below has so far
//! always completed at once. Where the machine's builder asks for it, some of the requests that drivers send
//! pend, whatever the device does: the driver is told so, and the device gets the request later.

use parking_lot::Mutex;

use crate::machine;

/// Which requests pend, chosen from a seed.
pub(crate) struct ForcePending(Mutex<fastrand::Rng>);

impl ForcePending {
    /// About every second request, by this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

/// Whether the request that a driver sends right now is to pend.
pub(super) fn strikes() -> bool {
    machine::current().force_pending.as_ref().is_some_and(|ForcePending(random)| random.lock().bool())
}
