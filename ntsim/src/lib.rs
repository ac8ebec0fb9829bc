//! An NT kernel in a Linux process: it loads Windows drivers, runs them at native speed and checks the
//! rules that a driver must keep.
//!
//! The map is NT's own: one folder per prefix, and what is behind them:
//!
//! - [`sched`](sched): processors, levels, threads, time; the one place in which anything blocks;
//! - [`verifier`](verifier): findings;
//! - [`machine`](machine): booting, per-machine state, shutdown;
//! - [`export`](export): how an emulated function is declared.

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

pub mod ex;
pub mod export;
pub mod io;
mod ke;
pub mod loader;
pub mod machine;
mod mm;
pub mod ndis;
pub mod ndk;
mod net;
mod ob;
mod ps;
mod report;
mod rtl;
pub mod sched;
pub mod verifier;
mod wdf;
mod wsk;

pub use machine::Machine;
pub use report::Report;
