//! The state machine of a wire: data and transitions, without lock or callback.
//!
//! ```text
//! Requested ─▶ Replied ─────────────┐
//! Awaited ─▶ Offered ─▶ Accepted ───┴▶ Established ─▶ Ending ─▶ Disconnected
//!                   └─▶ Rejected ──┐
//! each of the first five ─▶ Failed ┴▶ Refused
//! ```
//!
//! The last step of each is made when TCP's connection is closed. An attempt is one [`State`], for good.

#![forbid(unsafe_code)]

use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED, STATUS_SUCCESS,
};

use super::phase::{Cause, Failed, Leaving, Phase, Requester};
use crate::connection::call::{Accept, Disconnected, Side, StateError};
use crate::connection::claim::Claim;
use crate::connection::connector::Connector;
use crate::connection::departure::Departure;
use crate::connection::end::{DisconnectEvent, End, Event};
use crate::connection::link::Link;
use crate::connection::private_data::PrivateData;
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::ReadLimits;
use crate::object::ObjectRef;
use crate::queue_pair::Qp;

/// The end of an attempt by the peer, or by TCP.
pub(super) const BY_PEER: Cause =
    Cause { connect: STATUS_CONNECTION_REFUSED, accept: STATUS_CONNECTION_ABORTED };
/// The end of an attempt by the consumer.
pub(super) const BY_CONSUMER: Cause = Cause { connect: STATUS_CANCELLED, accept: STATUS_CANCELLED };

/// Actions that a transition asks for, which are done without the lock.
pub(super) struct Next<K: Kernel> {
    /// The connector has something to deliver.
    pub(super) wake: bool,
    /// TCP's connection is to be cut off.
    pub(super) abort: bool,
    /// To be flushed for good.
    pub(super) flush: Option<ObjectRef<K, Qp<K>>>,
    /// Dropped without the lock.
    pub(super) released: [Option<Failed<K>>; 1],
    /// An established connection is over.
    pub(super) disconnected: bool,
    /// An attempt is over, which its consumer learns when what is released is dropped.
    pub(super) failed: bool,
}

impl<K: Kernel> Default for Next<K> {
    fn default() -> Self {
        Self { wake: false, abort: false, flush: None, released: [None], disconnected: false, failed: false }
    }
}

/// See the module's head.
pub(super) struct State<K: Kernel> {
    pub(super) phase: Phase<K>,
    pub(super) end: End<K>,
    /// Of the peer's request or reply.
    pub(super) peer_data: PrivateData,
    /// The reads that the peer answers and has outstanding, as far as it says so.
    pub(super) peer_limits: Option<ReadLimits>,
}

impl<K: Kernel> State<K> {
    /// The state of the passive side, whose peer has said nothing.
    pub(super) const fn awaited() -> Self {
        Self { phase: Phase::Awaited, end: End::new(), peer_data: PrivateData::empty(), peer_limits: None }
    }

    /// The state of the active side, during the call of NdkConnect.
    pub(super) const fn requested(
        end: End<K>,
        claim: Claim<K>,
        request: Request<K, Connector<K>>,
        departure: Option<Departure<K>>,
    ) -> Self {
        let phase = Phase::Requested(Requester { claim, request, departure, begun: false });
        Self { phase, end, peer_data: PrivateData::empty(), peer_limits: None }
    }

    fn take(&mut self) -> Phase<K> {
        core::mem::replace(&mut self.phase, Phase::Refused)
    }

    /// The address and port of the active side, while it has them.
    pub(super) fn departure(&self) -> Option<&Departure<K>> {
        match &self.phase {
            Phase::Requested(Requester { departure, .. })
            | Phase::Replied { departure, .. }
            | Phase::Established { departure, .. }
            | Phase::Ending { departure, .. }
            | Phase::Failed(Failed { departure, .. })
            | Phase::Disconnected { departure } => departure.as_ref(),
            Phase::Awaited | Phase::Offered | Phase::Accepted { .. } | Phase::Rejected | Phase::Refused => {
                None
            }
        }
    }

    /// TCP has found a port for an attempt that asked for any.
    pub(super) fn depart(&mut self, found: Departure<K>) -> Result<(), Departure<K>> {
        match &mut self.phase {
            Phase::Requested(Requester { departure: Some(departure @ Departure::Sought(_)), .. }) => {
                *departure = found;
                Ok(())
            }
            _ => Err(found),
        }
    }

    /// TCP calls: it was asked to connect, though the call that did has perhaps not returned.
    pub(super) fn called(&mut self) {
        if let Phase::Requested(requester) = &mut self.phase {
            requester.begun = true;
        }
    }

    /// TCP was asked to connect. An attempt whose QP has died by now ends.
    pub(super) fn begun(&mut self) -> Next<K> {
        match &mut self.phase {
            Phase::Requested(requester) => {
                requester.begun = true;
                if requester.claim.is_dead() { self.fail(BY_CONSUMER) } else { Next::default() }
            }
            _ => Next::default(),
        }
    }

    /// The attempt is taken back: its request, and what it had. Nothing of TCP has begun.
    pub(super) fn withdraw(&mut self) -> Option<Requester<K>> {
        match self.take() {
            Phase::Requested(requester) => Some(requester),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// The request of the peer is none to be offered: it is rejected without the consumer.
    pub(super) fn turned_away(&mut self) {
        if matches!(self.phase, Phase::Awaited) {
            self.phase = Phase::Rejected;
        }
    }

    /// The reply accepts: NdkConnect completes.
    pub(super) fn replied(&mut self) -> Next<K> {
        match self.take() {
            Phase::Requested(Requester { claim, request, departure, .. }) => {
                self.phase = Phase::Replied { claim, departure };
                self.end.due.establish(request, STATUS_SUCCESS);
                Next { wake: true, ..Next::default() }
            }
            phase => {
                self.phase = phase;
                Next::default()
            }
        }
    }

    /// The request has come, and its consumer is to be asked. Returns false if the connection has ended meanwhile.
    #[must_use]
    pub(super) fn offered(&mut self) -> bool {
        let is_awaited = matches!(self.phase, Phase::Awaited);
        if is_awaited {
            self.phase = Phase::Offered;
        }
        is_awaited
    }

    /// NdkAccept. Takes what is offered, and has `join` open the transfers.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection is not offered (any more); nothing was taken.
    pub(super) fn accept(
        &mut self,
        accept: &mut Option<Accept<K>>,
        join: impl FnOnce(&Claim<K>),
    ) -> Result<(), StateError> {
        match (self.take(), accept.take()) {
            (Phase::Offered, Some(Accept { claim, tie, limits, data: _, event, request })) => {
                join(&claim);
                self.end.ties.qp = Some(tie);
                self.end.limits = Some(limits);
                self.end.event = Event::armed(event);
                self.phase = Phase::Accepted { claim, request };
                Ok(())
            }
            (phase, taken) => {
                self.phase = phase;
                *accept = taken;
                Err(StateError)
            }
        }
    }

    /// NdkReject. Returns true if a reply is to be sent, which ends the connection.
    ///
    /// # Errors
    ///
    /// [`StateError`] if there is nothing to reject.
    pub(super) fn reject(&mut self, side: Side) -> Result<(bool, Next<K>), StateError> {
        match (&self.phase, side) {
            (Phase::Offered, Side::Passive) => {
                self.phase = Phase::Rejected;
                self.end.local_close = true;
                Ok((true, Next { wake: true, ..Next::default() }))
            }
            (Phase::Replied { .. }, Side::Active) => {
                self.end.local_close = true;
                Ok((false, self.fail(BY_CONSUMER)))
            }
            _ => Err(StateError),
        }
    }

    /// NdkCompleteConnect that comes too late: takes the request, which completes when the attempt is over. One without a
    /// completion could not be told of that, and fails at once.
    ///
    /// # Errors
    ///
    /// As for the [loopback's](crate::connection::state::State::complete_connect); nothing was taken.
    pub(super) fn await_end(
        &mut self,
        request: &mut Option<Request<K, Connector<K>>>,
    ) -> Result<(), NTSTATUS> {
        match &mut self.phase {
            Phase::Failed(failed @ Failed { request: None, .. })
                if !self.end.local_close && request.as_ref().is_some_and(Request::has_completion) =>
            {
                failed.request = request.take().map(|request| (request, STATUS_CONNECTION_ABORTED));
                Ok(())
            }
            Phase::Failed(_) | Phase::Refused if !self.end.local_close => Err(STATUS_CONNECTION_ABORTED),
            _ => Err(STATUS_CONNECTION_INVALID),
        }
    }

    /// NdkCompleteConnect of the active side, or the first FPDU at the passive one: the QP, which connects no more, takes
    /// `link`, and transfers run, before NdkAccept completes: its consumer may post at once. Has `join` open the
    /// transfers where they are not yet. Returns true if they run.
    pub(super) fn establish(
        &mut self,
        next: &mut Next<K>,
        event: Option<DisconnectEvent>,
        link: &mut Option<Link<K>>,
        join: impl FnOnce(&Claim<K>),
    ) -> bool {
        match self.take() {
            Phase::Replied { mut claim, departure } => {
                claim.keep_for_good();
                link.take().into_iter().for_each(|link| claim.join(link));
                join(&claim);
                self.end.event = Event::armed(event);
                self.phase = Phase::Established { claim, departure };
                true
            }
            Phase::Accepted { mut claim, request } => {
                claim.keep_for_good();
                link.take().into_iter().for_each(|link| claim.join(link));
                self.phase = Phase::Established { claim, departure: None };
                self.end.due.establish(request, STATUS_SUCCESS);
                next.wake = true;
                true
            }
            phase => {
                self.phase = phase;
                false
            }
        }
    }

    /// The peer has ended its stream in order: the disconnect event is due (CM-3).
    pub(super) fn peer_finished(&mut self) -> Next<K> {
        match self.take() {
            Phase::Established { claim, departure } => {
                self.phase = Phase::Ending { claim, leaving: Leaving::STAYS, departure };
                self.end.event.end();
                Next { wake: true, ..Next::default() }
            }
            phase => {
                self.phase = phase;
                Next::default()
            }
        }
    }

    /// NdkDisconnect.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection was never established, or this side's disconnect is pending.
    pub(super) fn disconnect(
        &mut self,
        request: &mut Option<Request<K, Connector<K>>>,
    ) -> Result<(Disconnected, Next<K>), StateError> {
        match self.take() {
            Phase::Established { claim, departure } => {
                let leaving = Leaving { disconnect: request.take(), flush: true };
                self.phase = Phase::Ending { claim, leaving, departure };
                self.end.local_close = true;
                Ok((Disconnected::Pending, Next::default()))
            }
            Phase::Ending { claim, leaving: Leaving { disconnect: None, .. }, departure } => {
                let leaving = Leaving { disconnect: request.take(), flush: true };
                self.phase = Phase::Ending { claim, leaving, departure };
                self.end.local_close = true;
                Ok((Disconnected::Pending, Next::default()))
            }
            phase => {
                let is_over = matches!(phase, Phase::Disconnected { .. });
                self.phase = phase;
                if !is_over || self.end.due.is_disconnect_due() {
                    return Err(StateError);
                }
                self.end.local_close = true;
                Ok((Disconnected::Done, Next { flush: self.qp(), ..Next::default() }))
            }
        }
    }

    /// The QP, by the connector's tie to it.
    fn qp(&self) -> Option<ObjectRef<K, Qp<K>>> {
        self.end.ties.qp.as_ref().and_then(|qp| qp.acquire(Kind::Request).ok())
    }

    /// The consumer closes the connector, or its QP: what is pending is cancelled, TCP is cut off.
    pub(super) fn local_close(&mut self) -> Next<K> {
        self.end.local_close = true;
        self.fail(BY_CONSUMER)
    }

    /// The attempt or the connection ends before its time, and TCP's with it. One that is over stays as it is, but for
    /// the flush that the end of its connector brings; one that has not begun is looked at again when it has.
    pub(super) fn fail(&mut self, cause: Cause) -> Next<K> {
        let abort = match &self.phase {
            Phase::Requested(requester) if !requester.begun => return Next::default(),
            Phase::Rejected | Phase::Disconnected { .. } | Phase::Refused => false,
            _ => true,
        };
        Next { abort, ..self.break_off(cause) }
    }

    /// The same, but TCP is not cut off yet.
    pub(super) fn break_off(&mut self, cause: Cause) -> Next<K> {
        let Cause { connect, accept } = cause;
        let failed = match self.take() {
            Phase::Requested(Requester { claim, request, departure, .. }) => {
                Failed { claim: Some(claim), departure, request: Some((request, connect)) }
            }
            Phase::Replied { claim, departure } => Failed { claim: Some(claim), departure, request: None },
            Phase::Awaited | Phase::Offered => Failed { claim: None, departure: None, request: None },
            Phase::Accepted { claim, request } => {
                Failed { claim: Some(claim), departure: None, request: Some((request, accept)) }
            }
            Phase::Established { claim, departure } => {
                self.phase = Phase::Ending { claim, leaving: Leaving::FLUSHED, departure };
                self.end.event.end();
                return Next { wake: true, flush: self.qp(), ..Next::default() };
            }
            Phase::Ending { claim, leaving: Leaving { disconnect, .. }, departure } => {
                let leaving = Leaving { disconnect, flush: true };
                self.phase = Phase::Ending { claim, leaving, departure };
                return Next { flush: self.qp(), ..Next::default() };
            }
            Phase::Disconnected { departure } => {
                self.phase = Phase::Disconnected { departure };
                return Next { flush: self.qp(), ..Next::default() };
            }
            phase @ (Phase::Rejected | Phase::Failed(_) | Phase::Refused) => {
                self.phase = phase;
                return Next::default();
            }
        };
        self.phase = Phase::Failed(failed);
        Next::default()
    }

    /// TCP's connection is closed, and no transfer runs any more: the last step.
    pub(super) fn drained(&mut self) -> Next<K> {
        match self.take() {
            Phase::Failed(Failed { claim, departure, request }) => {
                self.phase = Phase::Failed(Failed { claim: None, departure: None, request });
                let released = Some(Failed { claim, departure, request: None });
                Next { released: [released], failed: true, ..Next::default() }
            }
            Phase::Ending { claim, leaving: Leaving { disconnect, flush }, departure } => {
                self.phase = Phase::Disconnected { departure };
                if let Some(request) = disconnect {
                    self.end.due.disconnect(request, STATUS_SUCCESS);
                }
                let flush = if flush { self.qp() } else { None };
                let released = Some(Failed { claim: Some(claim), departure: None, request: None });
                Next { wake: true, flush, released: [released], disconnected: true, ..Next::default() }
            }
            Phase::Rejected => Next::default(),
            phase => {
                self.phase = phase;
                Next::default()
            }
        }
    }

    /// All that a failed attempt had is free again: its request has its outcome.
    pub(super) fn given_back(&mut self, next: &mut Next<K>) {
        match self.take() {
            Phase::Failed(Failed { request, .. }) => {
                if let Some((request, status)) = request {
                    self.end.due.establish(request, status);
                }
                next.wake = true;
            }
            phase => {
                self.phase = phase;
                debug_assert!(false, "an attempt fails once");
            }
        }
    }

    /// Returns true if the attempt has failed and its request was completed: the connector may connect again.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.phase, Phase::Refused) && !self.end.due.is_establish_due()
    }

    /// Takes out the connector if nothing more is owed to it, for the caller to release.
    pub(super) fn release_connector(&mut self) -> Option<ObjectRef<K, Connector<K>>> {
        match self.phase {
            Phase::Disconnected { .. } | Phase::Rejected | Phase::Refused => self.end.connector.take(),
            _ => None,
        }
    }

    /// Returns true if transfers run, and neither side has ended the connection.
    pub(super) fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established { .. })
    }

    /// Returns true if either side has ended the connection, and TCP's goes on.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. })
    }
}
