//! The memory manager: memory descriptor lists, and the memory of the kernel's own objects.
//!
//! A system mapping of locked pages has an address of its own, at which the same memory appears until it is
//! undone. Page frames are numbered by where the memory itself lies in the process.

mod block;
mod lock;
mod locked;
mod map;
mod mdl;
mod probe;
mod routine;
mod shared;

use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

pub use block::Block;
pub(crate) use lock::{lock_for_kernel, unlock_for_kernel};
pub use locked::Locked;
pub use map::MmMapLockedPagesSpecifyCache;
pub(crate) use map::unmap_part;
pub use mdl::{Range, build_for_nonpaged, copy_frames, describe, described};
pub use shared::{Buffer, explain, forget, reserve};

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[lock::EXPORTS, map::EXPORTS, mdl::EXPORTS, probe::EXPORTS, routine::EXPORTS];

/// The memory manager.
pub(crate) struct Mm;

impl Subsystem for Mm {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        lock::inspect();
        map::inspect();
    }
}
