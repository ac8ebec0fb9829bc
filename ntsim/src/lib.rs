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
//! Sockets of Winsock Kernel connect within the machine; with
//! [`host_sockets`](boot::Builder::host_sockets) they are the host's, whose peers may be anything.
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
//! # Layers
//!
//! This crate is a facade; a module of it uses those below it only:
//!
//! | module | contents |
//! |---|---|
//! | `network` | the machine's adapters, as a program sees them |
//! | `machine` | [`Machine`]: booting, opening devices, shutting down |
//! | `driver` | loading and unloading drivers |
//! | `crash` | crash reports |
//! | [`dump`] | minidumps |
//! | `emulate` | instructions of drivers that fault in a process |
//! | `system_call` | system calls of drivers, which must not reach the host |
//! | `signals` | the way from a signal of the host into the simulator |
//! | `last_words` | the line in place of a report that can't be written |
//! | `report` | [`Report`]: findings, leaks, counts |
//!
//! The parts that it boots come from crates of their own; each of them says at its head what it can be used
//! for alone. `nt` has one folder for each prefix of NT's functions (`etw`, `ex`, `io`, `ke`, `mm`, `ob`,
//! `ps`, `rtl`, `se`, `wdf`), `net` has [`ndis`], the IP helper and Winsock Kernel, [`ndk`] is the layer between
//! the consumers and providers of RDMA, and `core` has [`sched`](mod@sched), [`loader`](mod@loader),
//! [`verifier`](mod@verifier) and [`boundary::export`], which says how to add a function.
//!
//! ```text
//!               ntsim (facade)
//!              /   |    |     \
//!           net ---+--> ndk    |        an arrow: may use; never the other way
//!             \    |    |      |
//!              \-> nt   |      |
//!                   \   |      |
//!                    -> core <-
//!                        |
//!                       sys
//! ```
//!
//! # What it is not
//!
//! There are no user processes, no paging, no APCs, no power management and no real devices. Time is the host's,
//! unless a [schedule](sched::Schedule) steers it.

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

#[expect(unsafe_code, reason = "signals and system calls are those of the host")]
mod crash;
#[expect(unsafe_code, reason = "drivers are called by addresses")]
mod driver;
#[expect(unsafe_code, reason = "threads are stopped by signals")]
pub mod dump;
mod emulate;
#[expect(unsafe_code, reason = "signals and system calls are those of the host")]
mod last_words;
pub mod machine;
mod network;
mod report;
#[expect(unsafe_code, reason = "signals and system calls are those of the host")]
mod signals;
#[expect(unsafe_code, reason = "signals and system calls are those of the host")]
mod system_call;
#[cfg(test)]
#[allow(unsafe_code, reason = "tests call exports as drivers do")]
mod tests;

pub use ::ndk;
pub use driver::Driver;
pub use machine::Machine;
pub use net::ip_helper::AddressWatch;
pub use net::ndis;
pub use nt::{cm, etw, ex, io, se};
pub use ntsim_core::{Export, boot, boundary, bugcheck, loader, sched, subsystem, verifier};
pub use report::Report;
