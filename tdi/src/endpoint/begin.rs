//! The beginning of each request, when the drive loop takes it from the inbox.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use sys::status::{
    NTSTATUS, STATUS_ADDRESS_CLOSED, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_DEVICE_NOT_READY,
    STATUS_GRACEFUL_DISCONNECT, STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_CONNECTION,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use sys::tdi::{
    TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE, TDI_DISCONNECT_WAIT, TDI_RECEIVE_EXPEDITED,
    TDI_RECEIVE_NORMAL, TDI_RECEIVE_PARTIAL, TDI_RECEIVE_PEEK, TDI_SEND_AND_DISCONNECT, TDI_SEND_EXPEDITED,
    TDI_SEND_NO_RESPONSE_EXPECTED, TDI_SEND_NON_BLOCKING, TDI_SEND_PARTIAL,
};

use super::deadline::Deadline;
use super::receive::{ReceiveState, wanted};
use super::send::SendState;
use super::{Action, Arrived, Endpoint, State, View, Why};
use crate::network::Urgency;
use crate::queue::Waiting;
use crate::request::{Command, Request};
use crate::slab::Id;
use crate::system::System;

/// The flags of an abort: none, or this one.
const NO_FLAGS: u32 = 0;
/// The flags that a send may have. The streams have no message bounds, so "partial" says nothing.
const SEND_FLAGS: u32 = TDI_SEND_EXPEDITED
    | TDI_SEND_PARTIAL
    | TDI_SEND_NO_RESPONSE_EXPECTED
    | TDI_SEND_NON_BLOCKING
    | TDI_SEND_AND_DISCONNECT;
/// The flags that a receive may have.
const RECEIVE_FLAGS: u32 =
    TDI_RECEIVE_PARTIAL | TDI_RECEIVE_NORMAL | TDI_RECEIVE_EXPEDITED | TDI_RECEIVE_PEEK;

impl<S: System> Endpoint<S> {
    /// Begins a request; what is left to do for it at once, if anything is.
    pub(super) fn begin(
        &mut self,
        id: Id,
        now: u64,
        view: Option<&View>,
        arrived: Arrived<S>,
    ) -> Option<Action<S>> {
        let Arrived { command, request, connect_request } = arrived;
        match command {
            Command::SendDatagram { .. } | Command::ReceiveDatagram { .. } => {
                Some(complete(request, STATUS_INVALID_DEVICE_REQUEST))
            }
            _ if self.closing => {
                self.refuse = connect_request;
                Some(complete(request, STATUS_CANCELLED))
            }
            Command::Connect { to, limit } => {
                self.connect(id, view, to, Deadline::after(now, limit), request)
            }
            Command::Listen { query } => self.listen(id, view, query, request),
            Command::Accept => self.accept(id, view, connect_request, request),
            Command::Disconnect { flags: NO_FLAGS | TDI_DISCONNECT_ABORT, .. } => self.abort(request),
            Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit } => {
                self.release(id, Deadline::after(now, limit), request)
            }
            Command::Disconnect { flags: TDI_DISCONNECT_WAIT, limit } => {
                self.await_peer(id, Deadline::after(now, limit), request)
            }
            Command::Disconnect { .. } => Some(complete(request, STATUS_INVALID_PARAMETER)),
            Command::Send { length, flags } => self.send(id, length, flags, request),
            Command::Receive { length, flags } => self.receive(id, length, flags, request),
        }
    }

    /// Refuses a connection that may not begin.
    fn ready(&self, view: Option<&View>) -> Result<(), NTSTATUS> {
        match view {
            None => Err(STATUS_INVALID_CONNECTION),
            Some(_) if !matches!(self.state, State::Idle) || self.control.is_some() || self.has_waiting() => {
                Err(STATUS_INVALID_CONNECTION)
            }
            Some(view) if !view.live => Err(STATUS_ADDRESS_CLOSED),
            Some(_) => Ok(()),
        }
    }

    /// The request waits as the one that makes a connection, and the endpoint is in `state`.
    fn wait(
        &mut self,
        id: Id,
        request: S::Request,
        deadline: Deadline,
        state: State<S>,
    ) -> Option<Action<S>> {
        match Waiting::arm(request, self.request_id(id), deadline) {
            Ok(waiting) => {
                self.control = Some(waiting);
                self.state = state;
                None
            }
            Err(request) => {
                if let State::Accepting { connect_request } = state {
                    self.refuse = Some(connect_request);
                }
                // A connect request that ends so may have had events, which are not to end the next
                // connection.
                self.become_idle();
                Some(complete(request, STATUS_CANCELLED))
            }
        }
    }

    fn connect(
        &mut self,
        id: Id,
        view: Option<&View>,
        to: Option<SocketAddr>,
        deadline: Deadline,
        request: S::Request,
    ) -> Option<Action<S>> {
        let to = to.ok_or(STATUS_INVALID_ADDRESS_COMPONENT);
        match self.ready(view).and(to) {
            Err(status) => Some(complete(request, status)),
            Ok(to) => self.wait(id, request, deadline, State::Connecting { to }),
        }
    }

    fn listen(&mut self, id: Id, view: Option<&View>, query: bool, request: S::Request) -> Option<Action<S>> {
        if let Err(status) = self.ready(view) {
            return Some(complete(request, status));
        }
        self.wait(id, request, Deadline::NONE, State::Listening { query })
    }

    /// Accepts the connect request that completed a listen, or the one that the client's connect handler was
    /// asked about.
    fn accept(
        &mut self,
        id: Id,
        view: Option<&View>,
        connect_request: Option<super::ConnectRequestOf<S>>,
        request: S::Request,
    ) -> Option<Action<S>> {
        if let Some(connect_request) = connect_request {
            return match self.ready(view) {
                Ok(()) => self.wait(id, request, Deadline::NONE, State::Accepting { connect_request }),
                Err(status) => {
                    self.refuse = Some(connect_request);
                    Some(complete(request, status))
                }
            };
        }
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Requested { connect_request, .. } => {
                self.wait(id, request, Deadline::NONE, State::Accepting { connect_request })
            }
            other => {
                self.state = other;
                Some(complete(request, STATUS_INVALID_CONNECTION))
            }
        }
    }

    /// Ends the connection, or what would become one, at once; overtakes a release that waits.
    fn abort(&mut self, request: S::Request) -> Option<Action<S>> {
        if matches!(self.state, State::Idle) || self.abort.is_some() {
            return Some(complete(request, STATUS_INVALID_CONNECTION));
        }
        self.abort = Some(request);
        self.end(Why::all(STATUS_CONNECTION_ABORTED));
        None
    }

    /// Ends the stream to the peer after what was sent; completes with the peer's own end.
    fn release(&mut self, id: Id, deadline: Deadline, request: S::Request) -> Option<Action<S>> {
        if matches!(self.state, State::Requested { .. }) {
            return self.abort(request);
        }
        let request_id = self.request_id(id);
        let State::Connected(stream) = &mut self.state else {
            return Some(complete(request, STATUS_INVALID_CONNECTION));
        };
        if self.release.is_some() || !stream.is_sending() {
            return Some(complete(request, STATUS_INVALID_CONNECTION));
        }
        match Waiting::arm(request, request_id, deadline) {
            Ok(waiting) => {
                stream.finish();
                self.release = Some(waiting);
                None
            }
            Err(request) => Some(complete(request, STATUS_CANCELLED)),
        }
    }

    /// Completes when the peer has disconnected, and changes nothing.
    fn await_peer(&mut self, id: Id, deadline: Deadline, request: S::Request) -> Option<Action<S>> {
        let request_id = self.request_id(id);
        match &self.state {
            State::Connected(stream) if stream.is_over() => Some(complete(request, STATUS_SUCCESS)),
            State::Connected(_) => match Waiting::arm(request, request_id, deadline) {
                Ok(waiting) => {
                    self.watches.push(waiting);
                    None
                }
                Err(request) => Some(complete(request, STATUS_CANCELLED)),
            },
            _ => Some(complete(request, STATUS_INVALID_CONNECTION)),
        }
    }

    fn send(&mut self, id: Id, length: usize, flags: u32, request: S::Request) -> Option<Action<S>> {
        let request_id = self.request_id(id);
        let expedited = flags & TDI_SEND_EXPEDITED != 0;
        let urgency = if expedited { Urgency::Expedited } else { Urgency::Normal };
        let sends = self.sends.of_mut(urgency);
        let sending = matches!(&self.state, State::Connected(stream) if stream.is_sending());
        let refused = if !sending {
            Some(STATUS_INVALID_CONNECTION)
        } else if flags & !SEND_FLAGS != 0 || length > request.length() {
            Some(STATUS_INVALID_PARAMETER)
        } else if flags & TDI_SEND_NON_BLOCKING != 0 && !sends.is_empty() {
            Some(STATUS_DEVICE_NOT_READY)
        } else {
            None
        };
        if let Some(status) = refused {
            if let State::Connected(stream) = &mut self.state
                && status == STATUS_DEVICE_NOT_READY
            {
                *stream.refused.of_mut(urgency) = true;
            }
            return Some(complete(request, status));
        }
        match Waiting::arm(request, request_id, SendState::new(length)) {
            Ok(waiting) => {
                sends.push(waiting);
                if let State::Connected(stream) = &mut self.state
                    && flags & TDI_SEND_AND_DISCONNECT != 0
                {
                    stream.finish();
                }
                None
            }
            Err(request) => Some(complete(request, STATUS_CANCELLED)),
        }
    }

    fn receive(&mut self, id: Id, length: usize, flags: u32, request: S::Request) -> Option<Action<S>> {
        let request_id = self.request_id(id);
        let wants = wanted(flags);
        let refused = match &self.state {
            State::Connected(_) if flags & !RECEIVE_FLAGS != 0 || length > request.length() => {
                Some(STATUS_INVALID_PARAMETER)
            }
            State::Connected(stream) if stream.is_over_for(wants) => Some(STATUS_GRACEFUL_DISCONNECT),
            State::Connected(_) if length == 0 => Some(STATUS_SUCCESS),
            State::Connected(_) => None,
            _ => Some(STATUS_INVALID_CONNECTION),
        };
        if let Some(status) = refused {
            return Some(complete(request, status));
        }
        let incoming = ReceiveState { length, peek: flags & TDI_RECEIVE_PEEK != 0, wants };
        match Waiting::arm(request, request_id, incoming) {
            Ok(waiting) => {
                self.receives.push(waiting);
                None
            }
            Err(request) => Some(complete(request, STATUS_CANCELLED)),
        }
    }
}

/// Completes a request that moved no data.
pub(super) fn complete<S: System>(request: S::Request, status: NTSTATUS) -> Action<S> {
    Action::Complete { request, status, information: 0 }
}
