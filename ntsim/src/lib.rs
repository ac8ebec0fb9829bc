//! An NT kernel in a Linux process: it loads Windows drivers, runs them at native speed and checks the
//! rules that a driver must keep.
//!
//! A driver is an ordinary PE image for x64, built with the WDK or without it. Its code runs on the host's
//! processor; the functions that it imports from `ntoskrnl.exe`, `hal.dll`, `ndis.sys`, `netio.sys` and
//! `wdfldr.sys` are this crate's, with the calling convention and the structures of Windows.
//!
//! # For a driver of your own
//!
//! ```no_run
//! use ntsim::Machine;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let machine = Machine::builder().processors(4).boot();
//! let driver = machine.load("hello.sys")?; // DriverEntry has run, at PASSIVE_LEVEL
//! // Open its devices and send requests: `machine.open`, see `io`. Bring up network adapters: see `ndis`.
//! driver.unload(); // what it leaves behind is a finding
//! let report = machine.shutdown();
//! assert!(report.is_clean(), "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/hello.c` is a driver of ten lines, `examples/boot.rs` says how to build and boot it. Where
//! the image's PDB lies beside it, reports name functions and lines. [`machine::Builder`] has what Driver
//! Verifier leaves to choose: memory that is paged out at DISPATCH_LEVEL, requests that pend, the time of a
//! DPC. [`ex::inject`] lets allocations fail; [`Machine::log`] is what drivers printed.
//!
//! A rule that is broken is a [finding](verifier::Finding): it carries the name of the rule, what Windows
//! would stop with, and the driver's stack, and the run goes on. A crash, which Windows would not survive
//! either, prints a report in Windows' terms and ends the process with exit code 3.
//!
//! # How it works
//!
//! - One machine per process at a time; booting waits for the one before, so tests need no lock.
//! - Threads of drivers are threads of the host. A virtual processor is a lock: raising to DISPATCH_LEVEL
//!   takes it, so code at that level on one processor never overlaps, and DPCs run in the thread that
//!   lowers the level, as they do on Windows.
//! - An emulated function notes where its caller's stack is, checks the level it is called at, and then
//!   does what Microsoft's page for it says; what it can check of its arguments, it checks.
//! - With a [schedule](sched::Schedule) one thread runs at a time, and which one follows from a seed: a run
//!   can be repeated, and many can be tried.
//! - Pool blocks lie against inaccessible pages, and stay inaccessible when they are freed.
//!
//! # Map
//!
//! It is NT's own: one folder per prefix (`ex`, `io`, `ke`, `mm`, `ndis`, `ob`, `ps`, `rtl`, `se`, `wdf`, `wsk`;
//! `net` is the IP helper and `ndk` the layer between the consumers and providers of RDMA), and beside them
//!
//! - [`sched`](mod@sched): processors, levels, threads, time; the one place in which anything blocks;
//! - [`verifier`](mod@verifier): findings;
//! - [`loader`](mod@loader): images, symbols, stacks, crash reports;
//! - [`machine`](mod@machine): booting, per-machine state, shutdown;
//! - [`export`](mod@export): how an emulated function is declared, and how to add one.
//!
//! # What it is not
//!
//! There are no user processes, no paging, no APCs, no exception handling (`__try` is entered, but nothing
//! is ever caught), no power management and no real devices. Time is the host's,
//! unless a [schedule](sched::Schedule) steers it.

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

mod crash;
mod driver;
mod emulate;
mod last_words;
pub mod machine;
mod network;
mod report;
mod system_call;
#[cfg(test)]
mod tests;

pub use ::ndk;
pub use driver::Driver;
pub use machine::Machine;
pub use net::ip_helper::AddressWatch;
pub use net::ndis;
pub use nt::{ex, io, se};
pub use ntsim_core::{Export, boot, boundary, bugcheck, loader, sched, subsystem, verifier};
pub use report::Report;
