//! The state machine of a connection: data and transitions, without lock or callback.

use sys::ndk::{NDK_FN_DISCONNECT_EVENT_CALLBACK, NDK_FN_DISCONNECT_EVENT_CALLBACK_EX};
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_SUCCESS,
};

use super::connector::Connector;
use super::private_data::PrivateData;
use crate::consumer::{Opaque, Request};
use crate::kernel::Kernel;
use crate::object::Hold;
use crate::queue_pair::Qp;
use crate::rundown::Lane;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that connected.
    Active,
    /// The one that was indicated by a listener.
    Passive,
}

impl Side {
    /// The other end.
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }

    /// The lane in which the transfers that this side initiates are counted.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Active => Lane::Near,
            Self::Passive => Lane::Far,
        }
    }
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connect was called; the passive side has not answered.
    Offered,
    /// The passive side accepted; the active side has not completed the connect.
    Accepted,
    /// Transfers run.
    Established,
    /// No transfer begins any more; some may still run.
    Ending,
    /// Nothing happens any more.
    Ended,
}

/// The call does not fit the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Read limits (IRD and ORD): how many RDMA Reads may be in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) inbound: u32,
    pub(crate) outbound: u32,
}

impl Limits {
    /// What holds between this side and its peer (CM-6); both were capped to their adapter's maximum.
    pub(crate) fn effective(self, peer: Self) -> Self {
        Self { inbound: self.inbound.min(peer.outbound), outbound: self.outbound.min(peer.inbound) }
    }
}

/// How the consumer wants to hear of a disconnect.
#[derive(Clone, Copy)]
pub(crate) enum DisconnectEvent {
    Plain(NDK_FN_DISCONNECT_EVENT_CALLBACK, Opaque),
    WithReason(NDK_FN_DISCONNECT_EVENT_CALLBACK_EX, Opaque),
}

impl DisconnectEvent {
    /// Calls the consumer. Up to DISPATCH_LEVEL, no lock held, the connector held.
    pub(crate) fn call(self) {
        match self {
            // SAFETY: the consumer gave function and context with its accept or complete-connect.
            Self::Plain(function, context) => unsafe { function(context.0) },
            // SAFETY: as above. The provider has no reason codes of its own (CM-8), so it gives 0.
            Self::WithReason(function, context) => unsafe { function(context.0, 0) },
        }
    }
}

/// A request and its outcome.
type Done<K> = (Request<K, Connector<K>>, NTSTATUS);

/// What one side has brought along and what is owed to it.
pub(crate) struct End<K: Kernel> {
    /// The connector; let go when nothing more is owed to it.
    pub(crate) connector: Option<Hold<K, Connector<K>>>,
    /// Its queue pair, until transfers are opened.
    pub(crate) qp: Option<Hold<K, Qp<K>>>,
    /// The request that is pending: connect, accept or disconnect.
    pub(crate) request: Option<Request<K, Connector<K>>>,
    /// Requests with their outcome, oldest first, until the connector's deferred call completes them.
    done: [Option<Done<K>>; 2],
    pub(crate) event: Option<DisconnectEvent>,
    /// The event is to be delivered.
    event_owed: bool,
    /// The queue pair is to be flushed once transfers have drained.
    pub(crate) flush: bool,
    /// The consumer called disconnect or closed the connector.
    pub(crate) left: bool,
    pub(crate) limits: Option<Limits>,
    pub(crate) data: PrivateData,
}

impl<K: Kernel> End<K> {
    pub(crate) fn new(connector: Option<Hold<K, Connector<K>>>) -> Self {
        Self {
            connector,
            qp: None,
            request: None,
            done: [None, None],
            event: None,
            event_owed: false,
            flush: false,
            left: false,
            limits: None,
            data: PrivateData::empty(),
        }
    }

    /// The pending request, if there is one, ends with `status`.
    pub(crate) fn finish(&mut self, status: NTSTATUS) {
        let Some(request) = self.request.take() else { return };
        // At most two wait: one request is pending at a time, and a consumer that was not told of its
        // accept yet has nothing more to ask for than a disconnect.
        if let Some(place) = self.done.iter_mut().find(|place| place.is_none()) {
            *place = Some((request, status));
        }
    }

    /// Whether a request is pending, or its completion owed.
    pub(crate) fn owes_completion(&self) -> bool {
        self.request.is_some() || self.done.iter().any(Option::is_some)
    }

    /// The oldest request whose completion is owed.
    pub(crate) fn take_done(&mut self) -> Option<Done<K>> {
        let [first, second] = &mut self.done;
        let oldest = first.take();
        *first = second.take();
        oldest
    }

    /// Whether the disconnect event is owed; it is not after this.
    pub(crate) fn take_event(&mut self) -> Option<DisconnectEvent> {
        if !core::mem::take(&mut self.event_owed) || self.left {
            return None;
        }
        self.event.take()
    }
}

/// A connection. What [`Transition`] asks for is done by the session after its lock was released.
pub(crate) struct State<K: Kernel> {
    pub(crate) phase: Phase,
    /// Transfers were open once.
    pub(crate) was_established: bool,
    pub(crate) active: End<K>,
    pub(crate) passive: End<K>,
}

/// What a transition leaves to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transition {
    /// Sides whose connector has something to deliver.
    pub(crate) wake_active: bool,
    pub(crate) wake_passive: bool,
    /// Transfers are to be closed.
    pub(crate) stop: bool,
}

impl Transition {
    pub(crate) fn wake(&mut self, side: Side) {
        match side {
            Side::Active => self.wake_active = true,
            Side::Passive => self.wake_passive = true,
        }
    }
}

impl<K: Kernel> State<K> {
    pub(crate) fn end(&mut self, side: Side) -> &mut End<K> {
        match side {
            Side::Active => &mut self.active,
            Side::Passive => &mut self.passive,
        }
    }

    /// A connection that never came about ends: both pending requests get their status.
    fn refuse(&mut self, active: NTSTATUS, passive: NTSTATUS) -> Transition {
        self.active.finish(active);
        self.passive.finish(passive);
        self.end_here()
    }

    /// The last phase. Both connectors are woken: there they learn what is owed, and are let go.
    fn end_here(&mut self) -> Transition {
        self.phase = Phase::Ended;
        Transition { wake_active: true, wake_passive: true, stop: false }
    }

    /// NdkReject by `side`, with its private data.
    pub(crate) fn reject(&mut self, side: Side, data: PrivateData) -> Result<Transition, Invalid> {
        match (self.phase, side) {
            (Phase::Offered, Side::Passive) | (Phase::Accepted, Side::Active) => {
                self.end(side).data = data;
                Ok(self.refuse(STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED))
            }
            (Phase::Offered, Side::Active)
            | (Phase::Accepted, Side::Passive)
            | (Phase::Established | Phase::Ending | Phase::Ended, _) => Err(Invalid),
        }
    }

    /// The consumer closes the connector of `side`: its own request is cancelled, the peer learns of it.
    pub(crate) fn leave(&mut self, side: Side) -> Transition {
        self.end(side).left = true;
        match self.phase {
            Phase::Offered | Phase::Accepted => {
                let (active, passive) = match side {
                    Side::Active => (STATUS_CANCELLED, STATUS_CONNECTION_ABORTED),
                    Side::Passive => (STATUS_CONNECTION_REFUSED, STATUS_CANCELLED),
                };
                self.refuse(active, passive)
            }
            Phase::Established => self.fail(),
            Phase::Ending | Phase::Ended => Transition::default(),
        }
    }

    /// NdkDisconnect by `side`, whose request is in place and stays pending until transfers have drained;
    /// if they have already, the request is the caller's to answer. The peer's provider answers at once, as there
    /// is no half-closed connection (CM-3); its consumer gets the event, and its queue pair is not flushed
    /// (WR-7).
    pub(crate) fn disconnect(&mut self, side: Side) -> Result<Transition, Invalid> {
        match self.phase {
            Phase::Established => {
                self.phase = Phase::Ending;
                self.leave_gracefully(side);
                let mut next = Transition { stop: true, ..Transition::default() };
                self.end(side.peer()).event_owed = true;
                next.wake(side.peer());
                Ok(next)
            }
            Phase::Ending => {
                self.leave_gracefully(side);
                Ok(Transition::default())
            }
            Phase::Ended => {
                self.leave_gracefully(side);
                Ok(Transition::default())
            }
            Phase::Offered | Phase::Accepted => Err(Invalid),
        }
    }

    fn leave_gracefully(&mut self, side: Side) {
        let end = self.end(side);
        end.left = true;
        end.flush = true;
    }

    /// An established connection breaks: both sides are told, both queue pairs are flushed.
    pub(crate) fn fail(&mut self) -> Transition {
        if self.phase != Phase::Established {
            return Transition::default();
        }
        self.phase = Phase::Ending;
        for end in [&mut self.active, &mut self.passive] {
            end.event_owed = true;
            end.flush = true;
        }
        Transition { wake_active: true, wake_passive: true, stop: true }
    }

    /// The last transfer has ended: pending disconnects complete (CM-1).
    pub(crate) fn drained(&mut self) -> Transition {
        self.active.finish(STATUS_SUCCESS);
        self.passive.finish(STATUS_SUCCESS);
        self.end_here()
    }
}
