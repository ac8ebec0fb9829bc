//! The executive: pool memory, rundown protection, lookaside lists, fault injection.

mod allocate;
mod fast_mutex;
pub(crate) mod fault;
mod list;
pub(crate) mod lookaside;
pub mod pool;
mod rundown;
mod uuid;
mod work_item;

use crate::export::Export;

pub use fault::{Faults, inject, injected, struck};
#[cfg(test)]
pub(crate) use {
    allocate::{ExAllocatePool2, ExFreePool},
    fast_mutex::{ExAcquireFastMutex, ExReleaseFastMutex},
};

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[
    allocate::EXPORTS,
    fast_mutex::EXPORTS,
    list::EXPORTS,
    lookaside::EXPORTS,
    lookaside::DEFAULT_FUNCTIONS,
    rundown::EXPORTS,
    uuid::EXPORTS,
    work_item::EXPORTS,
];
