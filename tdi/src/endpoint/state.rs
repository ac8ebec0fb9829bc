//! The states of an endpoint; how they follow each other is drawn in the head of [`endpoint`](super).

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use sys::status::NTSTATUS;

use super::deadline::Deadline;
use super::{ConnectRequestOf, LinkOf, Stream, Untaken};
use crate::system::System;

/// The state of an endpoint. A debugger reads the number.
#[repr(u8)]
pub(super) enum State<S: System> {
    /// No connection.
    Idle = 0,
    /// The link is to be made.
    Connecting { to: SocketAddr } = 1,
    /// A listen waits for a connect request.
    Listening { query: bool } = 2,
    /// A listen was completed by a connect request, which the client is to accept.
    Requested { connect_request: ConnectRequestOf<S>, until: Deadline } = 3,
    /// The connect request is to be accepted.
    Accepting { connect_request: ConnectRequestOf<S> } = 4,
    /// The link is made; the other side has not answered.
    Linking { link: LinkOf<S> } = 5,
    /// Data flows.
    Connected(Stream<LinkOf<S>>) = 6,
    /// The one way out.
    Ending(Ending<S>) = 7,
}

/// A connection on its way out.
pub(super) struct Ending<S: System> {
    pub(super) link: LinkTeardown<S>,
    pub(super) why: Why,
}

/// The link of a connection on its way out.
pub(super) enum LinkTeardown<S: System> {
    /// To be ended behind what was sent: both streams have ended, and nothing is left to be taken.
    ToDisconnect(LinkOf<S>),
    /// It ends; [`LinkEvents::DISCONNECTED`](crate::LinkEvents) has not come yet.
    Disconnecting(LinkOf<S>),
    /// To be closed, with data that is not taken any more.
    ToClose(LinkOf<S>, Untaken<LinkOf<S>>),
    /// Closed; [`LinkEvents::GONE`](crate::LinkEvents) has not come yet.
    Closing,
    /// There is none, or it is gone.
    Gone,
}

/// The reason for which a connection ends.
#[derive(Clone, Copy)]
pub(super) struct Why {
    /// For the connect, listen or accept that waits.
    pub(super) control: NTSTATUS,
    /// For sends and receives that wait.
    pub(super) transfers: NTSTATUS,
    /// For a release that waits.
    pub(super) release: NTSTATUS,
    /// The flags for the client's disconnect handler.
    pub(super) indicate: Option<u32>,
}

impl Why {
    /// Everything that waits has this outcome.
    pub(super) const fn all(status: NTSTATUS) -> Self {
        Self { control: status, transfers: status, release: status, indicate: None }
    }
}
