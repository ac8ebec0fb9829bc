//! The phases of a connection, and what exists in one of them only.

#![forbid(unsafe_code)]

use crate::connection::call::Side;
use crate::connection::claim::Claim;
use crate::connection::connector::Connector;
use crate::connection::departure::Departure;
use crate::connection::end::Outcome;
use crate::consumer::Request;
use crate::kernel::Kernel;

/// The phase of a connection, with what it owns in that phase only. The place of a pending request says what it waits
/// for: each can be called in one phase only, so none takes the place of another (RQ-2). A debugger reads the number.
#[repr(u8)]
pub(in crate::connection) enum Phase<K: Kernel> {
    /// Connect was called; the passive side has not answered.
    Requested { active: Requester<K>, departure: Departure<K> } = 0,
    /// The passive side accepted; the active side has not completed the connect.
    Accepted { active: Claim<K>, passive: Acceptor<K>, departure: Departure<K> } = 1,
    /// Transfers run. They own the claims, see [`Established`](crate::connection::established::Established).
    Established { departure: Departure<K> } = 2,
    /// No transfer begins any more; some may still run.
    Ending { sides: PerSide<Leaving<K>>, departure: Departure<K> } = 3,
    /// The transfers have drained. The active side's connector keeps its address until it is closed.
    Disconnected { departure: Option<Departure<K>> } = 4,
    /// The attempt came to nothing, and all that it had is given back.
    Refused = 5,
    /// The attempt came to nothing, and what it had is being given back: its consumers learn of its end when they can use
    /// that again.
    Failed(Failed<K>) = 6,
}

/// The active side of an attempt that was not answered.
pub(in crate::connection) struct Requester<K: Kernel> {
    pub(super) claim: Claim<K>,
    /// NdkConnect.
    pub(super) request: Request<K, Connector<K>>,
    /// The call of NdkConnect has not returned: the request may be answered inline yet.
    pub(super) in_call: bool,
}

/// The passive side of an attempt that it accepted.
pub(in crate::connection) struct Acceptor<K: Kernel> {
    pub(super) claim: Claim<K>,
    /// NdkAccept.
    pub(super) request: Request<K, Connector<K>>,
}

/// The requests of an attempt that came to nothing, with their statuses.
pub(in crate::connection) struct Failed<K: Kernel> {
    /// NdkConnect, or NdkCompleteConnect that came too late.
    pub(super) connect: Option<Outcome<K>>,
    /// NdkAccept.
    pub(super) accept: Option<Outcome<K>>,
}

/// One side of a connection that ends.
pub(in crate::connection) struct Leaving<K: Kernel> {
    /// NdkDisconnect, if it was called.
    pub(super) disconnect: Option<Request<K, Connector<K>>>,
    /// The queue pair is to be flushed once transfers have drained.
    pub(super) flush: bool,
}

impl<K: Kernel> Leaving<K> {
    /// Of a side that has not called NdkDisconnect: the peer's does not flush its QP (WR-7).
    pub(super) const STAYS: Self = Self { disconnect: None, flush: false };
    /// Of a side of a connection that broke.
    pub(super) const FLUSHED: Self = Self { disconnect: None, flush: true };
}

/// A thing that each side has one of.
pub(in crate::connection) struct PerSide<T> {
    pub(super) active: T,
    pub(super) passive: T,
}

impl<T> PerSide<T> {
    /// That of `side`.
    pub(super) fn of(&mut self, side: Side) -> &mut T {
        match side {
            Side::Active => &mut self.active,
            Side::Passive => &mut self.passive,
        }
    }
}

/// The requests of an attempt that were pending when it ended.
pub(super) struct Pending<K: Kernel> {
    pub(super) connect: Option<Request<K, Connector<K>>>,
    pub(super) accept: Option<Request<K, Connector<K>>>,
}

/// References of the phase of an attempt that has ended, to be dropped without the lock.
#[expect(dead_code, reason = "they are kept to be dropped")]
pub(in crate::connection) struct Released<K: Kernel> {
    claims: [Option<Claim<K>>; 2],
    departure: Option<Departure<K>>,
}

impl<K: Kernel> Released<K> {
    /// None.
    pub(super) const NONE: Self = Self { claims: [None, None], departure: None };
}

impl<K: Kernel> Phase<K> {
    /// Takes the phase of an attempt apart.
    pub(super) fn end(self) -> (Pending<K>, Released<K>) {
        let (claims, pending, departure) = match self {
            Self::Requested { active: Requester { claim, request, .. }, departure } => {
                ([Some(claim), None], Pending { connect: Some(request), accept: None }, Some(departure))
            }
            Self::Accepted { active, passive: Acceptor { claim, request, .. }, departure } => (
                [Some(active), Some(claim)],
                Pending { connect: None, accept: Some(request) },
                Some(departure),
            ),
            // Past the attempt nothing of it is pending.
            Self::Established { departure } | Self::Ending { departure, .. } => {
                ([None, None], Pending { connect: None, accept: None }, Some(departure))
            }
            Self::Disconnected { departure } => {
                ([None, None], Pending { connect: None, accept: None }, departure)
            }
            Self::Failed(_) | Self::Refused => ([None, None], Pending { connect: None, accept: None }, None),
        };
        (pending, Released { claims, departure })
    }
}
