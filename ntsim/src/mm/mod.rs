//! The memory manager: memory descriptor lists, and the memory of the kernel's own objects.
//!
//! There is one address space: a user buffer, its locked pages and their system mapping are the same
//! memory here, so locking and mapping only change the list's state. That state is kept exactly, because
//! it is what drivers get wrong.

mod block;
mod lock;
mod map;
mod mdl;
mod pageable;
mod routine;

use crate::export::Export;

pub(crate) use block::Block;
pub(crate) use lock::{lock_for_kernel, unlock_for_kernel};
#[cfg(test)]
pub(crate) use map::MmMapLockedPagesSpecifyCache;
pub(crate) use mdl::{Range, build_for_nonpaged, describe, described};
pub(crate) use pageable::Pageable;

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[lock::EXPORTS, map::EXPORTS, mdl::EXPORTS, routine::EXPORTS];
