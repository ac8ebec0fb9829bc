//! Pool memory.
//!
//! Up to a budget of live blocks, each lies in pages of its own, its end against an inaccessible page, and
//! is made inaccessible when it is freed (Driver Verifier's special pool): a touch beyond its end or after
//! its end of life is a fault, which the crash report explains. The budget is there because each block
//! costs the host two mappings, of which a process has 65,530. Blocks beyond it come from the heap, with
//! patterns around them that are checked when they are freed, and are kept in a quarantine for a while.
//!
//! Every block knows who allocated it; freed ones also who freed them.
//!
//! For the rest of the simulator: `allocate` and `free` are what the `Ex` functions call; whatever
//! hands memory to a driver (MDLs, work items) may take it from here, and is then checked the same way.

mod arena;
mod check;
mod report;
mod table;

use core::ffi::c_void;
use core::ptr;

pub use report::{explain, leaks, name};
use table::Pool;
pub use table::Usage;

use ntsim_core::address::Va;
use ntsim_core::loader::Trace;
use ntsim_core::per_machine::PerMachine;
pub use ntsim_core::subsystem::Tag;

static POOL: PerMachine<Pool> = PerMachine::new();

/// The pool that a block belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Usable at any level.
    NonPaged,
    /// Usable below DISPATCH_LEVEL only.
    Paged,
}

impl Kind {
    /// The `POOL_TYPE` that stands for it in bug check parameters.
    fn pool_type(self) -> u64 {
        match self {
            Self::NonPaged => 0x200,
            Self::Paged => 1,
        }
    }
}

/// The parameters of an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Length, in bytes.
    pub size: usize,
    /// The tag.
    pub tag: Tag,
    /// The pool.
    pub kind: Kind,
    /// Set if it must be zero; otherwise it is filled with a pattern.
    pub zeroed: bool,
}

/// Returns the pool memory that drivers have in use now, and the number of their allocations.
pub fn usage() -> Usage {
    POOL.get().usage()
}

/// Allocates a block for the driver that called, after checking what it asks for; null where fault
/// injection strikes or there is no memory.
pub fn allocate(request: Request) -> *mut c_void {
    check::allocation(request);
    if crate::fault::strikes() {
        return ptr::null_mut();
    }
    POOL.get().allocate(request, Trace::of_caller())
}

/// Frees a block for the driver that called; `tag` where it names one.
///
/// A mistaken address or tag is a finding, and where no block is meant, nothing happens.
///
/// # Safety
/// If a block begins at `address`, it is not in use any more.
pub unsafe fn free(address: *mut c_void, tag: Option<Tag>) {
    let pool = POOL.get();
    let Some(block) = pool.take(Va::of(address)) else {
        check::no_block(Va::of(address));
        return;
    };
    check::freeing(&block, tag);
    // SAFETY: the block was taken from the table of live ones, so it is freed once, and the caller vouches
    // that it is out of use.
    unsafe { pool.release(block, Trace::of_caller()) };
}

/// Gives all memory back to the host, or keeps it for another machine.
///
/// # Safety
/// No block is in use any more, whether it was freed or not.
pub(super) unsafe fn clear() {
    // SAFETY: the caller's promise.
    unsafe { POOL.get().clear() };
}
