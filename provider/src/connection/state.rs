//! The state machine of a connection: data and transitions, without lock or callback.
//!
//! A connection attempt is one [`State`], for good: another attempt of the same connector has another one.
//! The resources of an attempt (address and port, a destination, queue pairs), the requests that are pending and the
//! flushes to come are owned by the phase in which they exist, and go when that ends. An [`End`] owns the rest.
//!
//! | module | contents |
//! |---|---|
//! | this one | the state, and the transitions of an attempt |
//! | `ending` | the transitions of a connection that ends |
//! | `layout` | the places of what a debugger reads |
//! | `phase` | the phases, with what they own |
//! | `transition` | actions that a transition asks for |

#![forbid(unsafe_code)]

mod ending;
mod layout;
mod phase;
mod transition;

use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED, STATUS_SUCCESS,
};

pub use self::layout::StateLayout;
use self::phase::{Acceptor, Failed, Pending, PerSide, Phase, Requester};
pub(super) use self::transition::{Transition, Withdrawn};
use super::call::{Accept, ConnectCompleted, Side, StateError};
use super::claim::Claim;
use super::connector::Connector;
use super::departure::Departure;
use super::end::{AntecedentRefs, DisconnectEvent, End, Event, Outcome};
use super::private_data::PrivateData;
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::ReadLimits;
use crate::object::ObjectRef;

/// A connection. What [`Transition`] asks for is done by the connection after its lock was released.
pub(super) struct State<K: Kernel> {
    phase: Phase<K>,
    ends: PerSide<End<K>>,
}

impl<K: Kernel> State<K> {
    /// A connect request, during the call of NdkConnect.
    #[inline(always)]
    pub(super) const fn requested(
        active: End<K>,
        claim: Claim<K>,
        request: Request<K, Connector<K>>,
        departure: Departure<K>,
    ) -> Self {
        let phase = Phase::Requested { active: Requester { claim, request, in_call: true }, departure };
        Self { phase, ends: PerSide { active, passive: End::new() } }
    }

    fn end(&mut self, side: Side) -> &mut End<K> {
        self.ends.of(side)
    }

    /// The connectors that a transition asks to be woken.
    pub(super) fn woken(&self, next: &Transition<K>) -> [Option<ObjectRef<K, Connector<K>>>; 2] {
        [(next.wake_active, &self.ends.active), (next.wake_passive, &self.ends.passive)]
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
            Phase::Disconnected { departure: None } | Phase::Failed(_) | Phase::Refused => false,
        }
    }

    /// Returns true if the attempt has failed and the request of `side` was completed: the connector may
    /// connect again.
    pub(super) fn is_refused(&mut self, side: Side) -> bool {
        matches!(self.phase, Phase::Refused) && !self.end(side).due.is_establish_due()
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
        self.ends.passive.connector.replace(passive)
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
            | Phase::Ending { .. }
            | Phase::Failed(_) => None,
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
                | Phase::Failed(_)
                | Phase::Refused,
                _,
            ) => None,
        };
        (departure, core::mem::replace(&mut self.end(side).ties, AntecedentRefs::none()))
    }

    /// The next request of `side` whose completion is due.
    pub(super) fn take_due(&mut self, side: Side) -> Option<(Outcome<K>, bool)> {
        self.end(side).due.take_due()
    }

    /// The disconnect event of `side`, if it is due.
    pub(super) fn take_event(&mut self, side: Side) -> Option<DisconnectEvent> {
        self.end(side).take_event()
    }

    /// Ends a connection that was never established. Its requests get their statuses when what it had is
    /// [given back](Self::given_back).
    fn refuse(&mut self, active: NTSTATUS, passive: NTSTATUS) -> Transition<K> {
        self.refuse_accepted(None, active, passive)
    }

    /// The same, with a connect that an accept was to complete.
    fn refuse_accepted(
        &mut self,
        connect: Option<Request<K, Connector<K>>>,
        active: NTSTATUS,
        passive: NTSTATUS,
    ) -> Transition<K> {
        let (Pending { connect: pending, accept }, released) =
            core::mem::replace(&mut self.phase, Phase::Refused).end();
        self.phase = Phase::Failed(Failed {
            connect: connect.or(pending).map(|request| (request, active)),
            accept: accept.map(|request| (request, passive)),
        });
        Transition { failed: true, released, ..Transition::default() }
    }

    /// All that a failed attempt had is free again: both connectors are woken, whose DPCs complete the requests and release
    /// the connectors.
    pub(super) fn given_back(&mut self, next: &mut Transition<K>) {
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Failed(Failed { connect, accept }) => {
                let PerSide { active, passive } = &mut self.ends;
                if let Some((request, status)) = connect {
                    active.due.establish(request, status);
                }
                if let Some((request, status)) = accept {
                    passive.due.establish(request, status);
                }
                (next.wake_active, next.wake_passive) = (true, true);
            }
            phase => {
                self.phase = phase;
                debug_assert!(false, "an attempt fails once");
            }
        }
    }

    /// The attempt ends without a word: the listener did not take the connect request, and the call answers
    /// inline.
    pub(super) fn withdraw(&mut self, next: &mut Transition<K>) -> Withdrawn<K> {
        let (pending, released) = core::mem::replace(&mut self.phase, Phase::Refused).end();
        next.released = released;
        let PerSide { active, passive } = &mut self.ends;
        Withdrawn {
            request: pending.connect,
            connectors: [active.connector.take(), passive.connector.take()],
            ties: core::mem::replace(&mut active.ties, AntecedentRefs::none()),
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
            (Phase::Requested { active, departure }, Some(taken)) => {
                let Accept { claim, tie, limits, data, event, request } = taken;
                let end = &mut self.ends.passive;
                end.ties.qp = Some(tie);
                end.limits = Some(limits);
                end.data = data;
                end.event = Event::armed(event);
                let passive = Acceptor { claim, request };
                let Requester { claim: active, request: connect, in_call: _ } = active;
                let dead = verdict(active.is_dead(), passive.claim.is_dead());
                self.phase = Phase::Accepted { active, passive, departure };
                Ok(match dead {
                    Some((active, passive)) => self.refuse_accepted(Some(connect), active, passive),
                    None => {
                        self.ends.active.due.establish(connect, STATUS_SUCCESS);
                        Transition { wake_active: true, ..Transition::default() }
                    }
                })
            }
            (phase, taken) => {
                self.phase = phase;
                *accept = taken;
                Err(StateError)
            }
        }
    }

    /// NdkCompleteConnect: has `open` open the transfers between the claimed QPs, and the passive side's
    /// accept completes. While an attempt that has ended is given back, takes the request, which completes when the QP is
    /// free; one without a completion could not be told of that, and fails at once.
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
        request: &mut Option<Request<K, Connector<K>>>,
        open: impl FnOnce(Claim<K>, Claim<K>),
    ) -> Result<ConnectCompleted, NTSTATUS> {
        // A QP that is dead by now may not have told the connection yet.
        if let Some(abandoned) = self.abandon() {
            *next = abandoned;
            return Err(STATUS_CONNECTION_ABORTED);
        }
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Accepted { active, passive, departure } => {
                let Acceptor { claim, request } = passive;
                self.phase = Phase::Established { departure };
                open(active, claim);
                self.ends.active.event = Event::armed(event);
                self.ends.passive.due.establish(request, STATUS_SUCCESS);
                next.wake(Side::Passive);
                Ok(ConnectCompleted::Done)
            }
            phase => {
                self.phase = phase;
                let is_by_peer = !self.ends.active.local_close;
                match &mut self.phase {
                    Phase::Failed(Failed { connect: connect @ None, .. })
                        if is_by_peer && request.as_ref().is_some_and(Request::has_completion) =>
                    {
                        *connect = request.take().map(|request| (request, STATUS_CONNECTION_ABORTED));
                        Ok(ConnectCompleted::Pending)
                    }
                    Phase::Failed(_) | Phase::Refused if is_by_peer => Err(STATUS_CONNECTION_ABORTED),
                    Phase::Requested { .. }
                    | Phase::Accepted { .. }
                    | Phase::Established { .. }
                    | Phase::Ending { .. }
                    | Phase::Disconnected { .. }
                    | Phase::Failed(_)
                    | Phase::Refused => Err(STATUS_CONNECTION_INVALID),
                }
            }
        }
    }

    /// The connect request was taken, and the request is pending from here on.
    pub(super) fn stands(&mut self) -> Transition<K> {
        if let Phase::Requested { active, .. } = &mut self.phase {
            active.in_call = false;
        }
        self.abandon().unwrap_or_default()
    }

    /// Ends an attempt of which a QP is dead: the request of its own side is cancelled (CL-4), and the peer's
    /// consumer learns what it learns of a connector that is closed. `None` if both QPs live, or the
    /// connection is past its attempt.
    pub(super) fn abandon(&mut self) -> Option<Transition<K>> {
        let dead = match &self.phase {
            Phase::Requested { active, .. } if !active.in_call => (active.claim.is_dead(), false),
            Phase::Accepted { active, passive, .. } => (active.is_dead(), passive.claim.is_dead()),
            Phase::Requested { .. }
            | Phase::Established { .. }
            | Phase::Ending { .. }
            | Phase::Disconnected { .. }
            | Phase::Failed(_)
            | Phase::Refused => (false, false),
        };
        let (active, passive) = verdict(dead.0, dead.1)?;
        Some(self.refuse(active, passive))
    }

    /// A QP of this connection is dead.
    pub(super) fn qp_died(&mut self) -> Transition<K> {
        match self.phase {
            Phase::Requested { .. } | Phase::Accepted { .. } => self.abandon().unwrap_or_default(),
            Phase::Established { .. } => self.fail(),
            // Everything of it is flushed by its own death, and the peer has been told.
            Phase::Ending { .. } | Phase::Disconnected { .. } | Phase::Failed(_) | Phase::Refused => {
                Transition::default()
            }
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
                | Phase::Failed(_)
                | Phase::Refused,
                _,
            ) => Err(StateError),
        }
    }
}

/// The statuses with which the connect and the accept of an attempt end, of which these QPs are dead: the request of its
/// own side is cancelled (CL-4). `None` if neither is.
const fn verdict(active_dead: bool, passive_dead: bool) -> Option<(NTSTATUS, NTSTATUS)> {
    match (active_dead, passive_dead) {
        (false, false) => None,
        (true, false) => Some((STATUS_CANCELLED, STATUS_CONNECTION_ABORTED)),
        (false, true) => Some((STATUS_CONNECTION_REFUSED, STATUS_CANCELLED)),
        (true, true) => Some((STATUS_CANCELLED, STATUS_CANCELLED)),
    }
}
