//! The memory manager: memory descriptor lists, and the memory of the kernel's own objects.
//!
//! A system mapping of locked pages has an address of its own, at which the same memory appears until it is
//! undone. Page frames are numbered by where the memory itself lies in the process.

mod block;
mod lock;
mod map;
mod mdl;
mod pageable;
mod routine;
mod shared;

use crate::export::Export;

pub(crate) use block::Block;
pub(crate) use lock::{lock_for_kernel, unlock_for_kernel};
#[cfg(test)]
pub(crate) use map::MmMapLockedPagesSpecifyCache;
pub(crate) use map::unmap_part;
pub(crate) use mdl::{Range, build_for_nonpaged, copy_frames, describe, described};
pub(crate) use pageable::Pageable;
pub(crate) use shared::{Buffer, explain, forget, reserve};

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[lock::EXPORTS, map::EXPORTS, mdl::EXPORTS, routine::EXPORTS];
