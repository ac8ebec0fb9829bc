//! `ndkhlk.sys`: a kernel-mode NDK consumer that puts a provider to the test.
//!
//! A runner in user mode talks to it by the control codes of `protocol`. The layers, each using those
//! below it:
//!
//! | module | knows |
//! |---|---|
//! | `entry`, `device`, `security`, `control` | the I/O manager: device, handles, control codes |
//! | `session`, `storm`, `scenario`, `measure` | what the harness does to a provider |
//! | `test`, `pair`, `work` | open adapters, connected sides, work requests |
//! | `ndk`, `wsk` | NDK and WSK functions, as methods |
//! | `call_log` | everything that was asked for and everything that was called back |
//! | `kernel`, `heap`, `slot` | events, threads, IRQL, time, memory |
//!
//! The harness itself keeps the rules of a consumer and verifies those of a provider (`call_log`). It blocks
//! only in the threads of its callers, never in a callback.

#![cfg(windows)]
#![no_std]

extern crate alloc;
extern crate wdk_panic as _;

mod buffer;
mod call_log;
mod control;
mod device;
mod entry;
mod heap;
mod kernel;
mod measure;
mod ndk;
mod pair;
mod scenario;
mod security;
mod session;
mod slot;
mod storm;
mod test_context;
mod work;
mod wsk;

use wdk_alloc::WdkAllocator;

/// Rust's allocations come from nonpaged pool.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;
