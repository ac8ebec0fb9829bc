//! The kernel core: levels, locks, DPCs, dispatcher objects.

pub(crate) mod dispatcher;
mod dpc;
mod irql;
mod live;
pub(crate) mod object_exports;
pub(crate) mod spin_lock;
mod spin_lock_exports;
pub(crate) mod timer;
mod wait_exports;

use crate::export::Export;

pub(crate) use live::take_objects as take_live_objects;
#[cfg(test)]
pub(crate) use {
    dpc::{KeInitializeDpc, KeInsertQueueDpc},
    spin_lock_exports::KeAcquireSpinLockAtDpcLevel,
    timer::{KeInitializeTimer, KeSetTimer},
};

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[
    dpc::EXPORTS,
    irql::EXPORTS,
    object_exports::EXPORTS,
    spin_lock_exports::EXPORTS,
    timer::EXPORTS,
    wait_exports::EXPORTS,
];
