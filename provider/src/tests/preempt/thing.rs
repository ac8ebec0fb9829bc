//! The consumer's state of its objects, requests, posts and connections.

use sys::status::NTSTATUS;

use super::op::End;
use crate::tests::consumer::Lent;

/// Role of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Cq,
    Pd,
    Srq,
    Qp,
    /// A QP that is not connected.
    Spare,
    Mr,
    /// An MR for fast registration.
    Fast,
    Mw,
    Connector,
    Listener,
    Shared,
    /// A shared endpoint that an operation has made.
    Created,
}

impl Role {
    /// The objects of one end.
    pub(super) fn of(end: End) -> &'static [Self] {
        use Role::*;
        match end {
            0 => &[Cq, Pd, Qp, Spare, Mr, Fast, Mw, Connector, Shared, Created],
            _ => &[Cq, Pd, Srq, Qp, Spare, Mr, Fast, Mw, Connector, Listener],
        }
    }
}

/// Close state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// Its close was called.
    Closing,
    /// Its close completion runs.
    Completing,
    Gone,
}

/// One object.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) end: End,
    pub(super) role: Role,
    pub(super) pointer: usize,
    pub(super) state: State,
    /// The status that its close returned.
    pub(super) closed: Option<NTSTATUS>,
    /// Callbacks of it in progress.
    pub(super) inside: usize,
    /// The objects that it was made from.
    pub(super) antecedents: Vec<usize>,
    /// Of a connector: the QP and the shared endpoint that its connection ties, and the number of the connection.
    pub(super) tied: Vec<usize>,
    pub(super) connection: Option<usize>,
    /// Disconnect events that were delivered.
    pub(super) disconnected: usize,
}

/// The object of a request that is made to an adapter.
pub(super) const ADAPTER: usize = usize::MAX;

/// One request that may pend.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) what: What,
    /// The number of its object, or [`ADAPTER`].
    pub(super) thing: usize,
    /// The objects that the connection ties if the request is accepted.
    pub(super) ties: Vec<usize>,
    /// Of a connect: the number of the connection that it begins.
    pub(super) connection: Option<usize>,
    pub(super) status: Option<NTSTATUS>,
    pub(super) completions: Vec<NTSTATUS>,
    /// Completions that have returned.
    pub(super) returned: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Listen,
    Connect,
    Accept,
    Disconnect,
    Deregister,
    CreateShared,
}

/// The queue of a QP that a request is posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Initiator,
    Receive,
}

/// One posted request.
#[derive(Debug)]
pub(super) struct Post {
    /// The QP; none if it went to the SRQ.
    pub(super) qp: Option<usize>,
    pub(super) queue: Queue,
    pub(super) status: Option<NTSTATUS>,
    pub(super) results: Vec<NTSTATUS>,
}

/// One attempt to connect.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Calls of NdkCompleteConnect that have not returned.
    pub(super) completing: usize,
    /// One has succeeded.
    pub(super) established: bool,
    /// Something was done that ends or breaks it.
    pub(super) disturbed: bool,
}

impl Connection {
    /// Returns true if the connection may be established, as far as the consumer can know.
    pub(super) fn came_about(&self) -> bool {
        self.established || self.completing != 0
    }
}

/// Memory that is registered, with the list that describes it.
pub(super) struct Registered {
    pub(super) data: Lent<u8>,
    pub(super) mdl: Lent<sys::wdm::MDL>,
}
