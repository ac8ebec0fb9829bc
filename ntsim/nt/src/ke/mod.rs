//! The kernel core: levels, locks, DPCs, dispatcher objects.

mod critical_region;
pub mod debug;
pub mod dispatcher;
pub(crate) mod dpc;
mod irql;
mod live;
pub(crate) mod lock_order;
mod no_wait;
mod node;
pub mod object_exports;
mod object_state;
pub(crate) mod resident;
pub(crate) mod spin_lock;
mod spin_lock_exports;
mod system;
pub(crate) mod timer;
mod timer_accuracy;
mod wait_exports;
mod watchdog;

use core::ops::Range;

use ntsim_core::Export;
use ntsim_core::Settings;
use ntsim_core::address::Va;
use ntsim_core::subsystem::{LiveObject, Subsystem};

pub use {
    critical_region::{KeEnterCriticalRegion, KeLeaveCriticalRegion},
    irql::KeGetCurrentIrql,
    no_wait::without_waits,
    object_exports::{KeInitializeMutex, KeReleaseMutex},
    spin_lock_exports::{
        KeAcquireSpinLockAtDpcLevel, KeAcquireSpinLockRaiseToDpc, KeInitializeSpinLock, KeReleaseSpinLock,
        KeReleaseSpinLockFromDpcLevel, KeTryToAcquireSpinLockAtDpcLevel,
    },
    timer::KeSetTimer,
    wait_exports::{KeDelayExecutionThread, KeWaitForSingleObject},
};
pub use {
    dpc::{KeFlushQueuedDpcs, KeInitializeDpc, KeInsertQueueDpc, KeRemoveQueueDpc},
    timer::{KeCancelTimer, KeInitializeTimer, KeSetTimerEx},
};

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[
    critical_region::EXPORTS,
    debug::VARIADIC,
    debug::EXPORTS,
    dpc::EXPORTS,
    irql::EXPORTS,
    node::EXPORTS,
    object_exports::EXPORTS,
    spin_lock_exports::EXPORTS,
    system::EXPORTS,
    timer::EXPORTS,
    wait_exports::EXPORTS,
    watchdog::EXPORTS,
];

/// The kernel proper.
pub(crate) struct Ke;

impl Subsystem for Ke {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn boot(&self, _: &Settings) {
        timer::start();
    }

    fn stop(&self) {
        timer::stop();
    }

    fn take_live_objects(&self, range: &Range<Va>) -> Vec<LiveObject> {
        live::take_objects(range)
    }
}
