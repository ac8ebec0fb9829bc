//! The provider as a consumer meets it: through its dispatch tables, on the host.

mod allocations;
mod attempt;
mod close;
mod connect;
pub(crate) mod consumer;
mod death;
mod ending;
mod explain;
pub(crate) mod host;
mod lookup;
mod memory;
mod model;
mod offer;
mod openings;
pub(crate) mod pinned;
mod preempt;
mod shared_endpoint;
mod shortage;
mod srq;
mod storm;
mod transfer;

/// The level of a thread of a test.
pub(crate) const fn passive() -> sys::irql::PassiveLevel {
    // SAFETY: a thread in user mode runs at PASSIVE_LEVEL.
    unsafe { sys::irql::PassiveLevel::assume() }
}
