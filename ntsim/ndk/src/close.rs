//! The end of a close.
//!
//! At that moment nothing may be left that could still call back: no request, no callback in progress, no
//! successor.

#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;
use std::sync::Arc;

use crate::layer::layer;
use crate::memory;
use crate::object::{Dependencies, Stage, TrackedObject, TypeState};
use crate::rules::{self, found};

/// Checks that nothing holds an object whose close is completing; from here on it gets no callback.
pub(crate) fn completing(tracked: &Arc<TrackedObject>) {
    let requests = tracked.requests.load(Ordering::Acquire);
    if requests != 0 {
        found(
            rules::CLOSE_BEFORE_REQUEST,
            format!("the close of {tracked} completed with {requests} requests outstanding"),
        );
    }
    let callbacks = tracked.callbacks.load(Ordering::Acquire);
    if callbacks != 0 {
        found(
            rules::CLOSE_BEFORE_CALLBACK,
            format!("the close of {tracked} completed with {callbacks} callbacks in progress"),
        );
    }
    Dependencies::check_no_successor(tracked);
    layer().contexts.end_events(tracked);
    layer().objects.remove(tracked);
    tracked.become_stage(Stage::Completing);
    ended(tracked);
}

/// Notes that a close is over: its completion, if it had one, has returned.
pub(crate) fn completed(tracked: &TrackedObject) {
    tracked.become_stage(Stage::Closed);
    Dependencies::release(tracked);
}

/// Reports an object that is left although nothing can close it any more, and forgets it.
pub(crate) fn abandoned(tracked: &Arc<TrackedObject>) {
    if tracked.stage() == Stage::Open {
        found(rules::OBJECT_LEAKED, format!("{tracked} was never closed"));
    } else {
        found(rules::CLOSE_NOT_COMPLETED, format!("the close of {tracked} never completed"));
    }
    layer().contexts.end_events(tracked);
    layer().objects.remove(tracked);
    ended(tracked);
}

/// Ends what the layer knows of an object whose close is over but for the completion.
fn ended(tracked: &TrackedObject) {
    match &tracked.type_state {
        TypeState::Cq(cq) => cq.closed(),
        TypeState::Memory(_) => memory::closed(tracked),
        TypeState::Listener(_) | TypeState::Connector(_) | TypeState::Plain => {
            layer().endpoints.released(tracked)
        }
        TypeState::Adapter(_) | TypeState::Qp(_) | TypeState::Srq(_) => {}
    }
}
