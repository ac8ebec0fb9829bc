//! The work of a socket: what is done in which lane, and its end.

use std::sync::Arc;

use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS};

use super::choice::choose;
use super::client::found;
use super::request::{Outcome, Request};
use super::socket::{self, Role, Socket, thread};
use super::work::{self, Lane, LaneState};
use super::{accept, capture, input, output};

/// The work of a socket.
#[derive(Default)]
pub(super) struct Lanes {
    states: [LaneState; Lane::COUNT],
    /// The request of the close, once it is called.
    closing: Option<Request>,
    /// Set when everything but the close was completed.
    drained: bool,
    over: bool,
}

impl Socket {
    /// Completes a request now, or later in a thread of this side, as the seed says; returns what the function returns.
    pub(super) fn answer(self: &Arc<Self>, request: Request, outcome: impl Into<Outcome>) -> NTSTATUS {
        if choose(2) == 0 {
            return request.complete(outcome);
        }
        let status = request.pend();
        self.complete_later(request, outcome);
        status
    }

    /// Leaves the completion of a request to a thread of this side.
    pub(super) fn complete_later(self: &Arc<Self>, request: Request, outcome: impl Into<Outcome>) {
        self.done.lock().push((request, outcome.into()));
        self.kick(Lane::Completion);
    }

    /// Lets a thread do the work of a lane.
    pub(super) fn kick(self: &Arc<Self>, lane: Lane) {
        {
            let mut lanes = self.lanes.lock();
            if lanes.over {
                return;
            }
            let state = &mut lanes.states[lane.index()];
            match *state {
                LaneState::Idle => *state = LaneState::Queued,
                LaneState::Running => {
                    *state = LaneState::RunningAgain;
                    return;
                }
                LaneState::Queued | LaneState::RunningAgain => return,
            }
        }
        work::push(Arc::clone(self), lane);
    }

    /// Returns whether a thread does the work of a lane.
    pub(super) fn is_running(&self, lane: Lane) -> bool {
        matches!(self.lanes.lock().states[lane.index()], LaneState::Running | LaneState::RunningAgain)
    }

    /// Returns whether the driver has called the close.
    pub(super) fn is_closed(&self) -> bool {
        self.calls.lock().closed
    }

    /// Does the work of a lane.
    pub(super) fn work(self: &Arc<Self>, lane: Lane) {
        self.lanes.lock().states[lane.index()] = LaneState::Running;
        match lane {
            Lane::Completion => self.complete_done(),
            Lane::Close => self.drain(),
            Lane::Input if self.is_closed() => {}
            Lane::Output if self.is_closed() => {}
            Lane::Input => match &self.role {
                Role::Listen(listening) => accept::run(self, listening),
                Role::Connection(connection) => input::run(self, connection),
            },
            Lane::Output => {
                if let Some(connection) = self.connection() {
                    output::run(self, connection);
                }
            }
        }
        let closed = {
            let mut lanes = self.lanes.lock();
            let state = &mut lanes.states[lane.index()];
            if *state == LaneState::RunningAgain {
                *state = LaneState::Queued;
                drop(lanes);
                work::push(Arc::clone(self), lane);
                return;
            }
            *state = LaneState::Idle;
            let idle = lanes.states.iter().all(|state| *state == LaneState::Idle);
            if idle && lanes.drained { lanes.closing.take().inspect(|_| lanes.over = true) } else { None }
        };
        if let Some(request) = closed {
            // Every event has returned by now.
            if let Some(connection) = self.connection() {
                input::check_retained(connection);
            }
            self.end_object();
            request.complete(STATUS_SUCCESS);
        }
    }

    /// Completes the requests whose outcome is known, in any order.
    fn complete_done(&self) {
        loop {
            let next = {
                let mut done = self.done.lock();
                let count = done.len();
                if count == 0 {
                    return;
                }
                done.remove(choose(count))
            };
            next.0.complete(next.1);
        }
    }

    /// Takes the object out of use; its memory goes with the last holder of the socket.
    fn end_object(&self) {
        socket::forget(self.address());
        self.client.count_socket(false);
    }

    /// Ends a socket that the driver never got, or has refused.
    pub(super) fn discard(self: &Arc<Self>) {
        self.end.abort();
        self.calls.lock().closed = true;
        self.lanes.lock().over = true;
        self.end_object();
    }

    /// Closes it: <https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_close_socket>.
    pub(super) fn close(self: &Arc<Self>, request: Request) -> NTSTATUS {
        let own = thread();
        let others = {
            let mut calls = self.calls.lock();
            calls.closed = true;
            calls.threads.iter().filter(|&&thread| thread != own).count()
        };
        if others > 0 {
            let text = format!("WskCloseSocket is called with {others} calls in progress in other threads");
            found("WskCloseDuringCall", text);
        }
        capture::ended(&*self.end, true, true);
        self.end.abort();
        let status = request.pend();
        self.lanes.lock().closing = Some(request);
        self.kick(Lane::Close);
        status
    }

    /// Cancels what is pending, so that only the close is left.
    fn drain(self: &Arc<Self>) {
        let pending = match &self.role {
            Role::Listen(listening) => accept::take_pending(listening),
            Role::Connection(connection) => {
                let mut pending = input::take_pending(connection);
                pending.extend(output::take_pending(connection));
                pending
            }
        };
        for request in pending {
            request.complete(STATUS_CANCELLED);
        }
        self.lanes.lock().drained = true;
    }
}
