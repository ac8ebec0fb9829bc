//! `ndkhlk.sys`: a kernel-mode NDK consumer that puts a provider to the test.
//!
//! A runner in user mode talks to it by the control codes of `protocol`.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `entry` | loading and unloading |
//! | `device` | the device, its handles and its dispatch routines |
//! | `control` | the control codes |
//! | `client` | the objects of a handle; a request |
//! | `manual`, `measure`, `scenario`, `session`, `stress` | what the harness does to a provider |
//! | `pair`, `pump` | connected sides; a stream of TCP between two sockets |
//! | `test_context` | open adapters |
//! | `arrival`, `work`, `wsk` | an address that arrives; work requests; WSK functions, as methods |
//! | `ndk` | NDK functions, as methods |
//! | `buffer`, `call_log` | memory of transfers; everything that was asked for and everything that was called back |
//! | `heap`, `interface`, `kernel`, `security`, `slot` | memory; dispatch tables; events, threads, IRQL, time; the device's access list; an object that is opened once |
//! | `number` | conversions of integers |
//!
//! `tests/layers.rs` holds the imports to this table.
//!
//! The harness itself keeps the rules of a consumer and verifies those of a provider (`call_log`). It blocks
//! only in the threads of its callers, never in a callback.

#![cfg(windows)]
#![no_std]
#![deny(clippy::as_conversions)]

extern crate alloc;
extern crate wdk_panic as _;

mod arrival;
mod buffer;
mod call_log;
mod client;
mod control;
mod device;
mod entry;
mod heap;
mod interface;
mod kernel;
mod manual;
mod measure;
mod ndk;
mod number;
mod pair;
mod pump;
mod scenario;
mod security;
mod session;
mod slot;
mod stress;
mod test_context;
mod work;
mod wsk;

use wdk_alloc::WdkAllocator;

/// Rust's allocations come from nonpaged pool.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;
