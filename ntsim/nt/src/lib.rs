//! NT: the functions that `ntoskrnl.exe`, `hal.dll` and the driver framework export, with the rules that their callers
//! must keep. One folder for each prefix; a function is in the file of its subject.
//!
//! For the author of a WDM or KMDF driver: this crate and the core are all that such a driver needs. Boot a machine
//! with [`SUBSYSTEMS`]; open devices and send requests with [`io`]; let allocations fail with [`ex::inject`].
//!
//! # Example
//!
//! A leak of pool, as a driver would make it:
//!
//! ```
//! use ntsim_core::boot::{Builder, Machine};
//! use softndk_ntsim_nt::{SUBSYSTEMS, ex};
//!
//! let machine: Machine = Builder::new(&[SUBSYSTEMS]).force_irql().boot();
//! let (nonpaged, tag) = (0x40, u32::from_le_bytes(*b"Mine"));
//! // SAFETY: the calls have no preconditions but the level, which is PASSIVE_LEVEL.
//! let blocks = unsafe { [ex::ExAllocatePool2(nonpaged, 100, tag), ex::ExAllocatePool2(nonpaged, 8, tag)] };
//! // SAFETY: the block is this code's own.
//! unsafe { ex::ExFreePool(blocks[0]) };
//! let report = machine.shutdown();
//! assert_eq!((report.findings.len(), report.pool.len()), (0, 1), "{report}");
//! ```
//!
//! # Layers
//!
//! A module uses those below it only.
//!
//! | module | contents |
//! |---|---|
//! | `wdf` | the kernel-mode driver framework |
//! | `io` | the I/O manager: devices, files, requests |
//! | `cm` | the registry |
//! | `etw` | event tracing: providers, sessions, events |
//! | `ps` | threads of drivers |
//! | `rtl` | the run-time library: strings, addresses, memory |
//! | `se` | security descriptors, subjects, access checks |
//! | `ob` | objects, references, handles |
//! | `ex` | pool, lists, fast mutexes, rundown protection, worker threads |
//! | `ke` | dispatcher objects, spin locks, DPCs, timers, levels |
//! | `mm` | memory descriptor lists, mappings |
//! | `fault` | allocations that fail on purpose |
//! | `counted` | counted strings of drivers |

#![cfg(not(windows))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    clippy::std_instead_of_alloc,
    reason = "a tool that runs in user mode: a broken invariant of its own stops it loudly"
)]
#![cfg_attr(
    test,
    allow(
        clippy::multiple_unsafe_ops_per_block,
        clippy::undocumented_unsafe_blocks,
        reason = "a test plays a driver: its calls belong together, and break rules on purpose"
    )
)]

#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod cm;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
mod counted;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod etw;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod ex;
pub mod fault;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod io;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod ke;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod mm;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod ob;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod ps;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod rtl;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod se;
#[cfg(test)]
mod testing;
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod wdf;

use ntsim_core::subsystem::Subsystem;

/// The parts of NT, in the order in which they are booted.
pub const SUBSYSTEMS: &[&dyn Subsystem] = &[
    &ke::Ke,
    &mm::Mm,
    &ex::Ex,
    &ob::Ob,
    &se::Se,
    &ps::Ps,
    &etw::Etw,
    &rtl::Rtl,
    &cm::Cm,
    &io::Io,
    &wdf::Wdf,
];
