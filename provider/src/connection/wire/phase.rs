//! The phases of a wire, and what exists in one of them only.

#![forbid(unsafe_code)]

use sys::status::NTSTATUS;

use crate::connection::claim::Claim;
use crate::connection::connector::Connector;
use crate::connection::departure::Departure;
use crate::consumer::Request;
use crate::kernel::Kernel;

/// The phase of a wire, with what it owns in that phase only. What TCP's connection uses stays owned until that is
/// closed: so a port is free, and a QP can connect again, when TCP has let go of them (AD-2). A debugger reads the number.
#[repr(u8)]
pub(super) enum Phase<K: Kernel> {
    /// Active: TCP connects, or the reply is awaited.
    Requested(Requester<K>) = 0,
    /// Active: the reply accepts, and the consumer is asked.
    Replied { claim: Claim<K>, departure: Option<Departure<K>> } = 1,
    /// Passive: the request is awaited.
    Awaited = 2,
    /// Passive: the consumer is asked.
    Offered = 3,
    /// Passive: the reply accepts, and the first FPDU is awaited.
    Accepted { claim: Claim<K>, request: Request<K, Connector<K>> } = 4,
    /// Passive: the reply rejects. Nothing refers to a consumer's object any more; TCP ends by itself, or is cut off.
    Rejected = 5,
    /// Transfers run.
    Established { claim: Claim<K>, departure: Option<Departure<K>> } = 6,
    /// The connection ends, and TCP's with it.
    Ending { claim: Claim<K>, leaving: Leaving<K>, departure: Option<Departure<K>> } = 7,
    /// The attempt came to nothing, and TCP's connection is cut off.
    Failed(Failed<K>) = 8,
    /// It is over. The active side's connector keeps its address until it is closed.
    Disconnected { departure: Option<Departure<K>> } = 9,
    /// It is over, and was never established.
    Refused = 10,
}

/// The active side of an attempt that was not answered.
pub(super) struct Requester<K: Kernel> {
    pub(super) claim: Claim<K>,
    /// NdkConnect.
    pub(super) request: Request<K, Connector<K>>,
    pub(super) departure: Option<Departure<K>>,
    /// TCP has been asked to connect: it may be cut off.
    pub(super) begun: bool,
}

/// An end whose connection is over, but not yet closed.
pub(super) struct Leaving<K: Kernel> {
    /// NdkDisconnect, if it was called.
    pub(super) disconnect: Option<Request<K, Connector<K>>>,
    /// The QP is to be flushed at the end.
    pub(super) flush: bool,
}

impl<K: Kernel> Leaving<K> {
    /// The peer has ended it: its disconnect does not flush the QP (WR-7).
    pub(super) const STAYS: Self = Self { disconnect: None, flush: false };
    /// It broke.
    pub(super) const FLUSHED: Self = Self { disconnect: None, flush: true };
}

/// The rest of an attempt that came to nothing.
pub(super) struct Failed<K: Kernel> {
    pub(super) claim: Option<Claim<K>>,
    pub(super) departure: Option<Departure<K>>,
    /// The request that was pending, and its status.
    pub(super) request: Option<(Request<K, Connector<K>>, NTSTATUS)>,
}

/// The statuses with which the request of an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// Of NdkConnect.
    pub(super) connect: NTSTATUS,
    /// Of NdkAccept.
    pub(super) accept: NTSTATUS,
}
