//! The state machine of a connection: data and transitions, without lock or callback.
//!
//! A connection attempt is one [`State`], for good: another attempt of the same connector has another one.
//! What an attempt takes (address and port, a destination, queue pairs) is owned here, by the phase in which
//! it is taken, and goes when the attempt ends.

#![forbid(unsafe_code)]

use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED, STATUS_SUCCESS,
};

use super::claim::Claim;
use super::connector::Connector;
use super::departure::Departure;
use super::end::{AntecedentRefs, DisconnectEvent, End};
use super::private_data::PrivateData;
use super::slot::{Full, Slot};
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::ReadLimits;
use crate::object::ObjectRef;
use crate::queue_pair::Qp;
use crate::rundown::Shard;

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

    /// The shard in which the transfers that this side initiates are counted.
    pub(crate) fn shard(self) -> Shard {
        match self {
            Self::Active => Shard::Initiator,
            Self::Passive => Shard::Target,
        }
    }
}

/// Where a connection is, with what it owns there only.
pub(super) enum Phase<K: Kernel> {
    /// Connect was called; the passive side has not answered. During the call itself (`in_call`) the request
    /// may be answered inline yet.
    Requested { active: Claim<K>, departure: Departure<K>, in_call: bool },
    /// The passive side accepted; the active side has not completed the connect.
    Accepted { active: Claim<K>, passive: Claim<K>, departure: Departure<K> },
    /// Transfers run. They own the claims, see [`Established`](super::established::Established).
    Established { departure: Departure<K> },
    /// No transfer begins any more; some may still run.
    Ending { departure: Departure<K> },
    /// The transfers have drained. The active side's connector keeps its address until it is closed.
    Disconnected { departure: Option<Departure<K>> },
    /// The attempt came to nothing.
    Refused,
}

/// The call does not fit the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateError;

/// Parameters of NdkAccept. None is used before the connection has admitted the accept.
pub(crate) struct Accept<K: Kernel> {
    pub(super) claim: Claim<K>,
    pub(super) tie: ObjectRef<K, Qp<K>>,
    pub(super) limits: ReadLimits,
    pub(super) data: PrivateData,
    pub(super) event: Option<DisconnectEvent>,
    pub(super) request: Request<K, Connector<K>>,
}

/// Outcome of NdkDisconnect.
pub(crate) enum Disconnected {
    /// The request is kept and completes when transfers have drained.
    Pending,
    /// Transfers have drained.
    Done,
}

/// A connection. What [`Transition`] asks for is done by the connection after its lock was released.
pub(super) struct State<K: Kernel> {
    phase: Phase<K>,
    active: End<K>,
    passive: End<K>,
}

/// Actions that a state transition asks for, and references that it took out, to be dropped without the lock.
pub(super) struct Transition<K: Kernel> {
    /// Sides whose connector has something to deliver.
    pub(super) wake_active: bool,
    pub(super) wake_passive: bool,
    /// The transfers are to be closed.
    pub(super) stop: bool,
    /// To be flushed for good.
    pub(super) flush: Option<ObjectRef<K, Qp<K>>>,
    /// References of the phase of an attempt that has ended.
    pub(super) released: Option<Phase<K>>,
}

/// References that [`State::withdraw`] took out, and the request, which is answered inline.
pub(super) struct Withdrawn<K: Kernel> {
    pub(super) request: Option<Request<K, Connector<K>>>,
    pub(super) connectors: [Option<ObjectRef<K, Connector<K>>>; 2],
    pub(super) ties: AntecedentRefs<K>,
}

impl<K: Kernel> Default for Transition<K> {
    fn default() -> Self {
        Self { wake_active: false, wake_passive: false, stop: false, flush: None, released: None }
    }
}

impl<K: Kernel> Transition<K> {
    fn wake(&mut self, side: Side) {
        match side {
            Side::Active => self.wake_active = true,
            Side::Passive => self.wake_passive = true,
        }
    }
}

impl<K: Kernel> State<K> {
    /// A connect request, during the call of NdkConnect.
    #[inline(always)]
    pub(super) const fn requested(active: End<K>, claim: Claim<K>, departure: Departure<K>) -> Self {
        let phase = Phase::Requested { active: claim, departure, in_call: true };
        Self { phase, active, passive: End::new() }
    }

    fn end(&mut self, side: Side) -> &mut End<K> {
        match side {
            Side::Active => &mut self.active,
            Side::Passive => &mut self.passive,
        }
    }

    /// The connectors that a transition asks to be woken.
    pub(super) fn woken(&self, next: &Transition<K>) -> [Option<ObjectRef<K, Connector<K>>>; 2] {
        [(next.wake_active, &self.active), (next.wake_passive, &self.passive)]
            .map(|(wake, end)| if wake { end.connector.as_ref() } else { None })
            .map(|connector| connector.and_then(|connector| connector.acquire(Kind::Request).ok()))
    }

    /// Returns true if the connection still occupies the active side's local address.
    pub(super) const fn has_departure(&self) -> bool {
        match &self.phase {
            Phase::Requested { .. }
            | Phase::Accepted { .. }
            | Phase::Established { .. }
            | Phase::Ending { .. }
            | Phase::Disconnected { departure: Some(_) } => true,
            Phase::Disconnected { departure: None } | Phase::Refused => false,
        }
    }

    /// Returns true if the attempt has failed and the request of `side` was completed: the connector may
    /// connect again.
    pub(super) fn is_refused(&mut self, side: Side) -> bool {
        matches!(self.phase, Phase::Refused) && !self.end(side).establish.owes()
    }

    /// The antecedents of the connector of `side`.
    pub(super) fn antecedent_refs(&mut self, side: Side) -> &AntecedentRefs<K> {
        &self.end(side).ties
    }

    /// The limits that hold between `side` and its peer, and the peer's data.
    pub(super) fn peer_data(&mut self, side: Side, own: ReadLimits) -> (ReadLimits, PrivateData) {
        let own = self.end(side).limits.unwrap_or(own);
        let peer = self.end(side.peer());
        (peer.limits.map_or(own, |limits| own.effective(limits)), peer.data.clone())
    }

    /// The listener's side gets its connector; gives out an earlier one.
    pub(super) fn attach(
        &mut self,
        passive: ObjectRef<K, Connector<K>>,
    ) -> Option<ObjectRef<K, Connector<K>>> {
        self.passive.connector.replace(passive)
    }

    /// The connector of `side` is woken no more.
    pub(super) fn forget_connector(&mut self, side: Side) -> Option<ObjectRef<K, Connector<K>>> {
        self.end(side).connector.take()
    }

    /// Takes out the connector of `side`, if the connection is over, for the caller to release.
    pub(super) fn release_connector(&mut self, side: Side) -> Option<ObjectRef<K, Connector<K>>> {
        match self.phase {
            Phase::Disconnected { .. } | Phase::Refused => self.end(side).connector.take(),
            Phase::Requested { .. }
            | Phase::Accepted { .. }
            | Phase::Established { .. }
            | Phase::Ending { .. } => None,
        }
    }

    /// The connector of `side` goes, or connects again: takes out what it has by this connection.
    pub(super) fn part(&mut self, side: Side) -> (Option<Departure<K>>, AntecedentRefs<K>) {
        let departure = match (&mut self.phase, side) {
            (Phase::Disconnected { departure }, Side::Active) => departure.take(),
            // Before, the connection holds the connector; after, there is none.
            (
                Phase::Requested { .. }
                | Phase::Accepted { .. }
                | Phase::Established { .. }
                | Phase::Ending { .. }
                | Phase::Disconnected { .. }
                | Phase::Refused,
                _,
            ) => None,
        };
        (departure, core::mem::replace(&mut self.end(side).ties, AntecedentRefs::none()))
    }

    /// The next request of `side` whose completion is due.
    pub(super) fn take_due(&mut self, side: Side) -> Option<(Request<K, Connector<K>>, NTSTATUS)> {
        self.end(side).take_due()
    }

    /// The disconnect event of `side`, if it is due.
    pub(super) fn take_event(&mut self, side: Side) -> Option<DisconnectEvent> {
        self.end(side).take_event()
    }

    /// Ends a connection that was never established: both pending requests get their status, and both
    /// connectors are woken, whose DPCs complete the requests and release the connectors.
    fn refuse(&mut self, active: i32, passive: i32) -> Transition<K> {
        self.active.establish.finish(active);
        self.passive.establish.finish(passive);
        let released = Some(core::mem::replace(&mut self.phase, Phase::Refused));
        Transition { wake_active: true, wake_passive: true, released, ..Transition::default() }
    }

    /// The attempt ends without a word: the listener did not take the connect request, and the call answers
    /// inline.
    pub(super) fn withdraw(&mut self, next: &mut Transition<K>) -> Withdrawn<K> {
        next.released = Some(core::mem::replace(&mut self.phase, Phase::Refused));
        Withdrawn {
            request: self.active.establish.withdraw(),
            connectors: [self.active.connector.take(), self.passive.connector.take()],
            ties: core::mem::replace(&mut self.active.ties, AntecedentRefs::none()),
        }
    }

    /// NdkAccept: the active side's connect completes, the request stays pending until that side answers.
    /// Takes what is offered.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection is not offered (any more); nothing has changed, and nothing was taken.
    pub(super) fn accept(&mut self, accept: &mut Option<Accept<K>>) -> Result<Transition<K>, StateError> {
        match (core::mem::replace(&mut self.phase, Phase::Refused), accept.take()) {
            (Phase::Requested { active, departure, .. }, Some(taken)) => {
                let Accept { claim, tie, limits, data, event, request } = taken;
                self.phase = Phase::Accepted { active, passive: claim, departure };
                let end = &mut self.passive;
                // The end has called nothing before: a connect request is accepted once.
                end.establish = Slot::Pending(request);
                end.ties.qp = Some(tie);
                end.limits = Some(limits);
                end.data = data;
                end.event = event;
                Ok(self.abandon().unwrap_or_else(|| {
                    self.active.establish.finish(STATUS_SUCCESS);
                    Transition { wake_active: true, ..Transition::default() }
                }))
            }
            (phase, taken) => {
                self.phase = phase;
                *accept = taken;
                Err(StateError)
            }
        }
    }

    /// NdkCompleteConnect: has `open` open the transfers between the claimed QPs, and the passive side's
    /// accept completes.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ABORTED if the attempt has ended without this consumer's doing;
    /// STATUS_CONNECTION_INVALID before the peer accepted, when the connect was completed or rejected by this
    /// consumer ([page](https://learn.microsoft.com/windows-hardware/drivers/ddi/ndkpi/nc-ndkpi-ndk_fn_complete_connect)).
    pub(super) fn complete_connect(
        &mut self,
        next: &mut Transition<K>,
        event: Option<DisconnectEvent>,
        open: impl FnOnce(Claim<K>, Claim<K>),
    ) -> Result<(), NTSTATUS> {
        // A QP that is dead by now may not have told the connection yet.
        if let Some(abandoned) = self.abandon() {
            *next = abandoned;
            return Err(STATUS_CONNECTION_ABORTED);
        }
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Accepted { active, passive, departure } => {
                self.phase = Phase::Established { departure };
                open(active, passive);
                self.active.event = event;
                self.passive.establish.finish(STATUS_SUCCESS);
                next.wake(Side::Passive);
                Ok(())
            }
            phase => {
                self.phase = phase;
                match self.phase {
                    Phase::Refused if !self.active.local_close => Err(STATUS_CONNECTION_ABORTED),
                    Phase::Requested { .. }
                    | Phase::Accepted { .. }
                    | Phase::Established { .. }
                    | Phase::Ending { .. }
                    | Phase::Disconnected { .. }
                    | Phase::Refused => Err(STATUS_CONNECTION_INVALID),
                }
            }
        }
    }

    /// The connect request was taken, and the request is pending from here on.
    pub(super) fn stands(&mut self) -> Transition<K> {
        if let Phase::Requested { in_call, .. } = &mut self.phase {
            *in_call = false;
        }
        self.abandon().unwrap_or_default()
    }

    /// Ends an attempt of which a QP is dead: the request of its own side is cancelled (CL-4), and the peer's
    /// consumer learns what it learns of a connector that is closed. `None` if both QPs live, or the
    /// connection is past its attempt.
    pub(super) fn abandon(&mut self) -> Option<Transition<K>> {
        let dead = match &self.phase {
            Phase::Requested { active, in_call: false, .. } => (active.is_dead(), false),
            Phase::Accepted { active, passive, .. } => (active.is_dead(), passive.is_dead()),
            Phase::Requested { in_call: true, .. }
            | Phase::Established { .. }
            | Phase::Ending { .. }
            | Phase::Disconnected { .. }
            | Phase::Refused => (false, false),
        };
        let (active, passive) = match dead {
            (false, false) => return None,
            (true, false) => (STATUS_CANCELLED, STATUS_CONNECTION_ABORTED),
            (false, true) => (STATUS_CONNECTION_REFUSED, STATUS_CANCELLED),
            (true, true) => (STATUS_CANCELLED, STATUS_CANCELLED),
        };
        Some(self.refuse(active, passive))
    }

    /// A QP of this connection is dead.
    pub(super) fn qp_died(&mut self) -> Transition<K> {
        match self.phase {
            Phase::Requested { .. } | Phase::Accepted { .. } => self.abandon().unwrap_or_default(),
            Phase::Established { .. } => self.fail(),
            // Everything of it is flushed by its own death, and the peer has been told.
            Phase::Ending { .. } | Phase::Disconnected { .. } | Phase::Refused => Transition::default(),
        }
    }

    /// NdkReject by `side`, with its private data.
    pub(super) fn reject(&mut self, side: Side, data: PrivateData) -> Result<Transition<K>, StateError> {
        match (&self.phase, side) {
            (Phase::Requested { .. }, Side::Passive) | (Phase::Accepted { .. }, Side::Active) => {
                let end = self.end(side);
                end.data = data;
                end.local_close = true;
                Ok(self.refuse(STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED))
            }
            (Phase::Requested { .. }, Side::Active)
            | (Phase::Accepted { .. }, Side::Passive)
            | (
                Phase::Established { .. }
                | Phase::Ending { .. }
                | Phase::Disconnected { .. }
                | Phase::Refused,
                _,
            ) => Err(StateError),
        }
    }

    /// The consumer closes the connector of `side`: its own request is cancelled, the peer learns of it, and
    /// the queue pair of an established connection is flushed, whichever side ended it.
    pub(super) fn local_close(&mut self, side: Side) -> Transition<K> {
        self.end(side).local_close = true;
        match self.phase {
            Phase::Requested { .. } | Phase::Accepted { .. } => {
                let (active, passive) = match side {
                    Side::Active => (STATUS_CANCELLED, STATUS_CONNECTION_ABORTED),
                    Side::Passive => (STATUS_CONNECTION_REFUSED, STATUS_CANCELLED),
                };
                self.refuse(active, passive)
            }
            Phase::Established { .. } => self.fail(),
            Phase::Ending { .. } => {
                self.end(side).flush = true;
                Transition::default()
            }
            Phase::Disconnected { .. } => self.flush_now(side),
            Phase::Refused => Transition::default(),
        }
    }

    /// NdkDisconnect by `side`. The request is taken, and stays pending, until transfers have drained; if
    /// they have already, it is left to the caller to answer. The peer's provider answers at once, as there
    /// is no half-closed connection (CM-3); its consumer gets the event, and its queue pair is not flushed
    /// (WR-7).
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection was never established, or this side's disconnect is pending; nothing has
    /// changed.
    pub(super) fn disconnect(
        &mut self,
        side: Side,
        request: &mut Option<Request<K, Connector<K>>>,
    ) -> Result<(Disconnected, Transition<K>), StateError> {
        match self.phase {
            Phase::Established { .. } | Phase::Ending { .. } => {
                let end = self.end(side);
                end.disconnect.put(request).map_err(|Full| StateError)?;
                end.local_close = true;
                end.flush = true;
                Ok((Disconnected::Pending, self.begin_to_end(side)))
            }
            Phase::Disconnected { .. } => {
                let end = self.end(side);
                if end.disconnect.owes() {
                    return Err(StateError);
                }
                end.local_close = true;
                Ok((Disconnected::Done, self.flush_now(side)))
            }
            Phase::Requested { .. } | Phase::Accepted { .. } | Phase::Refused => Err(StateError),
        }
    }

    /// Moves from established to ending. Returns true if the connection was established.
    fn stop(&mut self) -> bool {
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Established { departure } => {
                self.phase = Phase::Ending { departure };
                true
            }
            phase => {
                self.phase = phase;
                false
            }
        }
    }

    /// Starts the disconnect by `side`: the first stops transfers and makes the peer's disconnect event due.
    fn begin_to_end(&mut self, side: Side) -> Transition<K> {
        let mut next = Transition::default();
        if self.stop() {
            self.end(side.peer()).event_owed = true;
            next.stop = true;
            next.wake(side.peer());
        }
        next
    }

    /// The flush at the end of a connection that had ended before.
    fn flush_now(&mut self, side: Side) -> Transition<K> {
        let qp = self.end(side).ties.qp.as_ref();
        Transition { flush: qp.and_then(|qp| qp.acquire(Kind::Request).ok()), ..Transition::default() }
    }

    /// Breaks an established connection: both disconnect events become due, and both queue pairs are flushed.
    pub(super) fn fail(&mut self) -> Transition<K> {
        if !self.stop() {
            return Transition::default();
        }
        for end in [&mut self.active, &mut self.passive] {
            end.event_owed = true;
            end.flush = true;
        }
        Transition { wake_active: true, wake_passive: true, stop: true, ..Transition::default() }
    }

    /// Completes pending disconnects, as the last transfer has ended (CM-1), and wakes both connectors, which
    /// are released then. Returns flags of the QPs to be flushed, the active side's first.
    pub(super) fn drained(&mut self, next: &mut Transition<K>) -> [bool; 2] {
        self.active.disconnect.finish(STATUS_SUCCESS);
        self.passive.disconnect.finish(STATUS_SUCCESS);
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Ending { departure } => self.phase = Phase::Disconnected { departure: Some(departure) },
            phase => {
                self.phase = phase;
                debug_assert!(false, "transfers are opened once, and stopped before they drain");
            }
        }
        (next.wake_active, next.wake_passive) = (true, true);
        [self.active.flush, self.passive.flush]
    }
}
