//! The side of the layer that a thread is on: the consumer's or the provider's.
//!
//! Each call through the layer pushes a frame on the calling thread: into the provider, or, for a
//! callback, into the consumer. From the innermost frame follows who is calling now. A DPC that the
//! simulator runs on a thread that happens to be inside a call has nothing to do with that call, so
//! frames from outside the DPC don't count inside it.

#![forbid(unsafe_code)]

use core::cell::RefCell;

use ntsim_core::boundary::call_driver;
use ntsim_core::sched::local;

use crate::rules::{self, found};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Side {
    Provider,
    Consumer,
}

#[derive(Clone, Copy)]
struct Frame {
    side: Side,
    name: &'static str,
    /// Spin locks held when the side was entered: not its own.
    locks: usize,
    in_dpc: bool,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// The innermost call that the present code is part of.
fn innermost() -> Option<Frame> {
    let in_dpc = local::with(|local| local.in_dpc.get());
    FRAMES.with_borrow(|frames| frames.last().copied()).filter(|frame| frame.in_dpc == in_dpc)
}

/// Returns whether the calling thread is inside a consumer's callback.
pub(crate) fn in_callback() -> bool {
    let in_dpc = local::with(|local| local.in_dpc.get());
    FRAMES.with_borrow(|frames| {
        frames.iter().any(|frame| frame.in_dpc == in_dpc && frame.side == Side::Consumer)
    })
}

fn within<R: 'static>(side: Side, name: &'static str, call: impl FnOnce() -> R) -> R {
    let frame = local::with(|local| Frame { side, name, locks: local.held(), in_dpc: local.in_dpc.get() });
    FRAMES.with_borrow_mut(|frames| frames.push(frame));
    let result = call_driver(name, call);
    FRAMES.with_borrow_mut(|frames| frames.pop());
    result
}

/// Calls the provider: the function called `name`, for a consumer.
pub(crate) fn into_provider<R: 'static>(name: &'static str, call: impl FnOnce() -> R) -> R {
    within(Side::Provider, name, call)
}

/// Calls the consumer: the callback called `name`, for the provider.
pub(crate) fn into_consumer<R: 'static>(name: &'static str, call: impl FnOnce() -> R) -> R {
    let outer = innermost().map_or(0, |frame| frame.locks);
    let (held, last) = local::with(|local| (local.held(), local.last_held()));
    if held > outer {
        found(
            rules::CALLBACK_UNDER_LOCK,
            format!("{name} is called with the spin lock at {:#x} held", last.unwrap_or_default()),
        );
    }
    within(Side::Consumer, name, call)
}

/// Checks that it is not the provider that calls the layer's function `name`.
pub(crate) fn entered_by_consumer(name: &'static str) {
    if let Some(Frame { side: Side::Provider, name: outer, .. }) = innermost() {
        found(
            rules::DISPATCH_READ_BACK,
            format!("inside {outer} the provider called {name} through an object's dispatch pointer"),
        );
    }
}
