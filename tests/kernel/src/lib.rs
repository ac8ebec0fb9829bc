//! Test implementations of the kernel services that the provider uses ([`softndk_kernel`]), for unit tests, models,
//! stress tests and fuzz targets of the provider and of what stands on it.
//!
//! | mode | DPCs and timers | time | what it is for |
//! |---|---|---|---|
//! | [`Manual`] | wait until [`pump`] and [`pass`] or [`expire`]; DPCs run on the thread that calls that | virtual, moved by the test | unit tests, fuzz targets |
//! | [`Manual`] with [`at_each`] | likewise | likewise | preemption on the same stack: the hook does at a point what another processor would |
//! | [`Manual`] with [`preempted`] | likewise, by the processor that finds all others waiting | likewise | preemption by processors with stacks of their own, of which one runs at a time |
//! | [`Threaded`] | DPCs run at once on three threads; no timer expires | stands still | stress tests |
//! | `model::Model`, built with `--cfg loom` | wait until `model::pump` and `model::expire` | none | loom models |
//!
//! All of them map memory at its own address ([`Pinned`]) but the model, which maps none.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | [`manual`] ⇄ `processors` | the mode whose DPCs wait; its processors, which are a part of its state and run its DPCs |
//! | `model`, `threaded` | the other modes |
//! | `atomics` | atomics that are points |
//! | [`network`] | a network of one thread |
//! | [`allocations`], `call`, `mapping`, `points` | allocations that fail; DPCs and timers; memory; points at which another processor may come in between |

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test tool, where a panic is a failed test"
)]
#![deny(clippy::as_conversions)]

/// The level of a thread of a test.
#[must_use]
#[expect(unsafe_code, reason = "a test runs in user mode")]
pub const fn passive() -> sys::irql::PassiveLevel {
    // SAFETY: a thread in user mode runs at PASSIVE_LEVEL.
    unsafe { sys::irql::PassiveLevel::assume() }
}

pub mod allocations;
mod atomics;
mod call;
pub mod manual;
mod mapping;
#[cfg(loom)]
pub mod model;
pub mod network;
mod points;
mod processors;
#[cfg(all(test, not(loom)))]
mod tests;
mod threaded;

pub use atomics::{AtomicBool, AtomicU32, AtomicU64};
pub use manual::{
    Manual, enqueue, expire, expire_timers, forget, free_queues, have_single_processor, is_ticking,
    listen_to_events, now, on_trace, pass, pump, pump_once, shared, take_events, traced,
};
pub use mapping::{Pinned, live_mappings};
pub use points::{ManualLock, Point, at_atomics, at_each, held, nested, reach, taken_under};
pub use processors::{Strike, Work, preempted};
pub use threaded::Threaded;
