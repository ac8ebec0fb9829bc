//! Cancelling: a mark from the cancel routine, and what the drive loop makes of it.

#![forbid(unsafe_code)]

use sys::status::{STATUS_CANCELLED, STATUS_CONNECTION_ABORTED};
use sys::tdi::TDI_DISCONNECT_ABORT;

use super::begin::complete;
use super::send::SendState;
use super::{Action, Endpoint, Why};
use crate::queue::Waiting;
use crate::system::System;

impl<S: System> Endpoint<S> {
    /// A cancel routine has come for a request.
    pub(crate) fn cancel(&mut self, number: u64) {
        let single = [&mut self.control, &mut self.release].into_iter().flatten();
        let found = single.into_iter().any(|waiting| waiting.cancel(number))
            || self.sends.all_mut().into_iter().any(|sends| sends.cancel(number))
            || self.receives.cancel(number)
            || self.watches.cancel(number);
        self.cancels |= found;
    }

    /// Completes a request whose cancel routine has come; what depends on it ends.
    pub(super) fn take_cancelled(&mut self) -> Option<Action<S>> {
        if !core::mem::take(&mut self.cancels) {
            return None;
        }
        if self.control.as_ref().is_some_and(|control| control.cancelled) {
            // It completes when the link is gone and the endpoint idle, so that the client can use it again.
            self.end(Why::all(STATUS_CONNECTION_ABORTED));
        }
        if let Some(waiting) = self.receives.take_cancelled(|_| true) {
            return Some(self.cancelled(waiting.request));
        }
        if let Some(waiting) = self.watches.take_cancelled(|_| true) {
            return Some(self.cancelled(waiting.request));
        }
        let sends = self.sends.all_mut();
        let untouched = sends.into_iter().find_map(|sends| sends.take_cancelled(SendState::is_untouched));
        if let Some(waiting) = untouched {
            return Some(self.cancelled(waiting.request));
        }
        // Without the rest of a send that has begun, the stream makes no sense.
        let torn = [&self.sends.normal, &self.sends.expedited]
            .into_iter()
            .any(|sends| sends.has_cancelled(|send| !send.is_done()));
        if torn && self.is_connected() {
            self.end(Why { indicate: Some(TDI_DISCONNECT_ABORT), ..Why::all(STATUS_CONNECTION_ABORTED) });
        }
        // The release itself goes on; only its request has gone.
        take(&mut self.release).map(|waiting| self.cancelled(waiting.request))
    }

    /// More may have been cancelled.
    fn cancelled(&mut self, request: S::Request) -> Action<S> {
        self.cancels = true;
        complete(request, STATUS_CANCELLED)
    }
}

/// Takes a request out of its place if it was cancelled.
fn take<R, T>(place: &mut Option<Waiting<R, T>>) -> Option<Waiting<R, T>> {
    place.take_if(|waiting| waiting.cancelled)
}
