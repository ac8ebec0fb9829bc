//! Actions of the drive loop for an endpoint, without the lock.

#![forbid(unsafe_code)]

use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::status::NTSTATUS;

use super::receive::Lent;
use super::{ConnectRequestOf, LinkOf, Untaken};
use crate::event;
use crate::network::Kind;
use crate::slab::Id;
use crate::system::System;

/// One thing to do.
pub(crate) enum Action<S: System> {
    /// Complete a request.
    Complete { request: S::Request, status: NTSTATUS, information: usize },
    /// Make a link.
    Connect { from: SocketAddr, to: SocketAddr },
    /// Make a link from a connect request.
    Accept(ConnectRequestOf<S>),
    /// Pass a connect request on to another target.
    PassOn(ConnectRequestOf<S>),
    /// Refuse a connect request.
    Refuse(ConnectRequestOf<S>),
    /// Make a connected link ready to receive.
    Open(LinkOf<S>),
    /// Ask what has happened on the link.
    Next(LinkOf<S>),
    /// Copy data to a receive, and complete it.
    CopyToIrp(CopyToIrp<S>),
    /// Indicate data to the client.
    IndicateReceive(IndicateReceive<S>),
    /// Send a message. Its bytes are those of a send request that stays in its queue until the message has
    /// passed or the link is gone.
    Send { link: LinkOf<S>, number: u64, kind: Kind, place: NonNull<u8>, length: usize },
    /// Tell the client something.
    Indicate { address: Id, indication: event::Indication },
    /// Have the link end behind all that was sent.
    Disconnect(LinkOf<S>),
    /// Close the link.
    Close { link: LinkOf<S>, untaken: Untaken<LinkOf<S>> },
}

/// See [`Action::CopyToIrp`].
pub(crate) struct CopyToIrp<S: System> {
    pub(crate) request: S::Request,
    pub(crate) length: usize,
    pub(crate) peek: bool,
    pub(crate) data: Lent<LinkOf<S>>,
}

/// See [`Action::IndicateReceive`].
pub(crate) struct IndicateReceive<S: System> {
    pub(crate) address: Id,
    pub(crate) handler: event::Receive,
    pub(crate) data: Lent<LinkOf<S>>,
}
