//! The executive: pool memory, rundown protection, lookaside lists, fault injection.

mod allocate;
mod allocate_extended;
mod fast_mutex;
mod list;
pub(crate) mod lookaside;
pub mod pool;
mod reader_writer_lock;
mod resource;
mod rundown;
mod uuid;
mod work_item;
mod worker;

use core::ops::Range;

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::number::ToU64;
use ntsim_core::subsystem::{Leak, LiveObject, Subsystem};

pub use crate::fault::{Faults, inject, injected, struck};
pub use worker::{HeldWork, hold_work, queue_work, settle};
pub use {
    allocate::{ExAllocatePool2, ExFreePool},
    fast_mutex::{ExAcquireFastMutex, ExReleaseFastMutex},
    reader_writer_lock::{
        ExAcquireSpinLockExclusive, ExAcquireSpinLockExclusiveAtDpcLevel, ExAcquireSpinLockShared,
        ExAcquireSpinLockSharedAtDpcLevel, ExReleaseSpinLockExclusiveFromDpcLevel,
        ExReleaseSpinLockSharedFromDpcLevel,
    },
};

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[
    allocate::EXPORTS,
    allocate_extended::EXPORTS,
    fast_mutex::EXPORTS,
    list::EXPORTS,
    lookaside::EXPORTS,
    lookaside::DEFAULT_FUNCTIONS,
    reader_writer_lock::EXPORTS,
    resource::EXPORTS,
    rundown::EXPORTS,
    uuid::EXPORTS,
    work_item::EXPORTS,
];

/// The executive: pool, work items and what is built of them.
pub(crate) struct Ex;

impl Subsystem for Ex {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn settle(&self) {
        worker::settle();
    }

    fn inspect(&self) {
        lookaside::inspect();
    }

    fn stop(&self) {
        worker::stop();
    }

    fn leaks(&self) -> Vec<Leak> {
        pool::leaks(None)
    }

    unsafe fn release(&self) {
        // SAFETY: the caller's promise.
        unsafe { pool::clear() };
    }

    fn take_live_objects(&self, range: &Range<Va>) -> Vec<LiveObject> {
        let lists = lookaside::take_within(range).into_iter();
        lists
            .map(|address| {
                // Bug check 0xC4, code 0xCC: the list, the block, its size.
                let parameters =
                    [0xCC, address.bits(), range.start.bits(), (range.end - range.start).to_u64()];
                let bugcheck = Some(Bugcheck { code: 0xC4, parameters });
                LiveObject { what: "a lookaside list", address, bugcheck }
            })
            .chain(resource::take_within(range).into_iter().map(|address| {
                // Bug check 0xC4, code 0xD2: the resource, the block, its size.
                let size = (range.end - range.start).to_u64();
                let parameters = [0xD2, address.bits(), range.start.bits(), size];
                LiveObject {
                    what: "a resource",
                    address,
                    bugcheck: Some(Bugcheck { code: 0xC4, parameters }),
                }
            }))
            .collect()
    }

    fn name(&self, address: Va) -> Option<String> {
        pool::name(address).map(|(number, tag, offset)| format!("{tag}#{number}+{offset:#x}"))
    }
}
