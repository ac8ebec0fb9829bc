//! The state machine of a connection: data and transitions, without lock or callback.
//!
//! A connection attempt is one [`State`], for good: another attempt of the same connector has another one. What
//! an attempt takes (address and port, a destination, queue pairs) is owned here, by the phase in which it is
//! taken, and goes when the attempt ends.

use sys::status::{STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_SUCCESS};

use super::claim::Claim;
use super::connector::Connector;
use super::departure::Departure;
use super::end::{DisconnectEvent, End, Limits};
use super::private_data::PrivateData;
use super::slot::{Full, Slot};
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
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
pub(crate) enum Phase<K: Kernel> {
    /// Connect was called; the passive side has not answered. During the call itself (`in_call`) the request may
    /// be answered inline yet.
    Offered { active: Claim<K>, in_call: bool },
    /// The passive side accepted; the active side has not completed the connect.
    Accepted { active: Claim<K>, passive: Claim<K> },
    /// Transfers run.
    Established,
    /// No transfer begins any more; some may still run.
    Ending,
    /// Nothing happens any more.
    Ended { was_established: bool },
}

/// The call does not fit the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// What NdkAccept brings along. Nothing of it is used before the connection has admitted the accept.
pub(crate) struct Accept<K: Kernel> {
    pub(super) claim: Claim<K>,
    pub(super) tie: Hold<K, Qp<K>>,
    pub(super) limits: Limits,
    pub(super) data: PrivateData,
    pub(super) event: Option<DisconnectEvent>,
    pub(super) request: Request<K, Connector<K>>,
}

/// What NdkDisconnect found.
pub(crate) enum Disconnected {
    /// The request is kept and completes when transfers have drained.
    Pending,
    /// They have.
    Done,
}

/// A connection. What [`Transition`] asks for is done by the session after its lock was released.
pub(crate) struct State<K: Kernel> {
    pub(super) phase: Phase<K>,
    /// Where the active side connects from; gone if the connection does not come about.
    pub(super) departure: Option<Departure<K>>,
    pub(super) active: End<K>,
    pub(super) passive: End<K>,
}

/// What a transition leaves to do, and what it took out, which is dropped without the lock.
pub(crate) struct Transition<K: Kernel> {
    /// Sides whose connector has something to deliver.
    pub(super) wake_active: bool,
    pub(super) wake_passive: bool,
    /// Transfers are to be closed.
    pub(super) stop: bool,
    /// To be flushed for good.
    pub(super) flush: Option<Hold<K, Qp<K>>>,
    /// What an attempt that has ended gives back.
    pub(super) released: (Option<Phase<K>>, Option<Departure<K>>),
}

impl<K: Kernel> Default for Transition<K> {
    fn default() -> Self {
        Self { wake_active: false, wake_passive: false, stop: false, flush: None, released: (None, None) }
    }
}

impl<K: Kernel> Transition<K> {
    pub(super) fn wake(&mut self, side: Side) {
        match side {
            Side::Active => self.wake_active = true,
            Side::Passive => self.wake_passive = true,
        }
    }
}

impl<K: Kernel> State<K> {
    pub(super) fn end(&mut self, side: Side) -> &mut End<K> {
        match side {
            Side::Active => &mut self.active,
            Side::Passive => &mut self.passive,
        }
    }

    /// Whether the attempt of `side` has failed and its consumer knows it: the connector may connect again.
    pub(super) fn is_refused(&mut self, side: Side) -> bool {
        matches!(self.phase, Phase::Ended { was_established: false }) && !self.end(side).establish.owes()
    }

    /// A connection that never came about ends: both pending requests get their status.
    fn refuse(&mut self, active: i32, passive: i32) -> Transition<K> {
        self.active.establish.finish(active);
        self.passive.establish.finish(passive);
        self.end_here(false)
    }

    /// The last phase. Both connectors are woken: there they learn what is owed, and are let go.
    fn end_here(&mut self, was_established: bool) -> Transition<K> {
        let earlier = core::mem::replace(&mut self.phase, Phase::Ended { was_established });
        let departure = if was_established { None } else { self.departure.take() };
        let released = (Some(earlier), departure);
        Transition { wake_active: true, wake_passive: true, released, ..Transition::default() }
    }

    /// The attempt ends without a word: the listener did not take the offer, and the call answers inline.
    pub(super) fn withdraw(&mut self) -> Transition<K> {
        Transition { wake_active: false, wake_passive: false, ..self.end_here(false) }
    }

    /// NdkAccept: the active side's connect completes, the request stays pending until that side answers. Takes what
    /// is offered.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the connection is not offered (any more); nothing has changed, and nothing was taken.
    pub(super) fn accept(&mut self, accept: &mut Option<Accept<K>>) -> Result<Transition<K>, Invalid> {
        match (core::mem::replace(&mut self.phase, Phase::Established), accept.take()) {
            (Phase::Offered { active, .. }, Some(taken)) => {
                let Accept { claim, tie, limits, data, event, request } = taken;
                self.phase = Phase::Accepted { active, passive: claim };
                let end = &mut self.passive;
                // The end has called nothing before: an offer is accepted once.
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
                Err(Invalid)
            }
        }
    }

    /// The offer was taken, and the request is pending from here on.
    pub(super) fn stands(&mut self) -> Transition<K> {
        if let Phase::Offered { in_call, .. } = &mut self.phase {
            *in_call = false;
        }
        self.abandon().unwrap_or_default()
    }

    /// Ends an attempt of which a QP is dead: the request of its own side is cancelled (CL-4), and the peer's
    /// consumer learns what it learns of a connector that is closed. `None` if both QPs live, or the connection is
    /// past its attempt.
    pub(super) fn abandon(&mut self) -> Option<Transition<K>> {
        let dead = match &self.phase {
            Phase::Offered { active, in_call: false } => (active.is_dead(), false),
            Phase::Accepted { active, passive } => (active.is_dead(), passive.is_dead()),
            Phase::Offered { in_call: true, .. }
            | Phase::Established
            | Phase::Ending
            | Phase::Ended { .. } => (false, false),
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
            Phase::Offered { .. } | Phase::Accepted { .. } => self.abandon().unwrap_or_default(),
            Phase::Established => self.fail(),
            // Everything of it is flushed by its own death, and the peer has been told.
            Phase::Ending | Phase::Ended { .. } => Transition::default(),
        }
    }

    /// NdkReject by `side`, with its private data.
    pub(super) fn reject(&mut self, side: Side, data: PrivateData) -> Result<Transition<K>, Invalid> {
        match (&self.phase, side) {
            (Phase::Offered { .. }, Side::Passive) | (Phase::Accepted { .. }, Side::Active) => {
                let end = self.end(side);
                end.data = data;
                end.left = true;
                Ok(self.refuse(STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED))
            }
            (Phase::Offered { .. }, Side::Active)
            | (Phase::Accepted { .. }, Side::Passive)
            | (Phase::Established | Phase::Ending | Phase::Ended { .. }, _) => Err(Invalid),
        }
    }

    /// The consumer closes the connector of `side`: its own request is cancelled, the peer learns of it, and the
    /// queue pair of an established connection is flushed, whichever side ended it.
    pub(super) fn leave(&mut self, side: Side) -> Transition<K> {
        self.end(side).left = true;
        match self.phase {
            Phase::Offered { .. } | Phase::Accepted { .. } => {
                let (active, passive) = match side {
                    Side::Active => (STATUS_CANCELLED, STATUS_CONNECTION_ABORTED),
                    Side::Passive => (STATUS_CONNECTION_REFUSED, STATUS_CANCELLED),
                };
                self.refuse(active, passive)
            }
            Phase::Established => self.fail(),
            Phase::Ending => {
                self.end(side).flush = true;
                Transition::default()
            }
            Phase::Ended { was_established: true } => self.flush_now(side),
            Phase::Ended { was_established: false } => Transition::default(),
        }
    }

    /// NdkDisconnect by `side`. The request is taken, and stays pending, until transfers have drained; if they have
    /// already, it is left to the caller to answer. The peer's provider answers at once, as there is no half-closed
    /// connection (CM-3); its consumer gets the event, and its queue pair is not flushed (WR-7).
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the connection was never established, or this side's disconnect is pending; nothing has
    /// changed.
    pub(super) fn disconnect(
        &mut self,
        side: Side,
        request: &mut Option<Request<K, Connector<K>>>,
    ) -> Result<(Disconnected, Transition<K>), Invalid> {
        match self.phase {
            Phase::Established | Phase::Ending => {
                let end = self.end(side);
                end.disconnect.put(request).map_err(|Full| Invalid)?;
                end.left = true;
                end.flush = true;
                Ok((Disconnected::Pending, self.begin_to_end(side)))
            }
            Phase::Ended { was_established: true } => {
                let end = self.end(side);
                if end.disconnect.owes() {
                    return Err(Invalid);
                }
                end.left = true;
                Ok((Disconnected::Done, self.flush_now(side)))
            }
            Phase::Offered { .. } | Phase::Accepted { .. } | Phase::Ended { was_established: false } => {
                Err(Invalid)
            }
        }
    }

    /// `side` disconnects: if it is the first to, the peer's consumer is told, and transfers stop.
    fn begin_to_end(&mut self, side: Side) -> Transition<K> {
        let mut next = Transition::default();
        if matches!(self.phase, Phase::Established) {
            self.phase = Phase::Ending;
            self.end(side.peer()).event_owed = true;
            next.stop = true;
            next.wake(side.peer());
        }
        next
    }

    /// The flush at the end of a connection that had ended before.
    fn flush_now(&mut self, side: Side) -> Transition<K> {
        let qp = self.end(side).ties.qp.as_ref();
        Transition { flush: qp.and_then(|qp| qp.keep(Kind::Request).ok()), ..Transition::default() }
    }

    /// An established connection breaks: both sides are told, both queue pairs are flushed.
    pub(super) fn fail(&mut self) -> Transition<K> {
        if !matches!(self.phase, Phase::Established) {
            return Transition::default();
        }
        self.phase = Phase::Ending;
        for end in [&mut self.active, &mut self.passive] {
            end.event_owed = true;
            end.flush = true;
        }
        Transition { wake_active: true, wake_passive: true, stop: true, ..Transition::default() }
    }

    /// The last transfer has ended: pending disconnects complete (CM-1).
    pub(super) fn drained(&mut self) -> Transition<K> {
        self.active.disconnect.finish(STATUS_SUCCESS);
        self.passive.disconnect.finish(STATUS_SUCCESS);
        self.end_here(true)
    }
}
