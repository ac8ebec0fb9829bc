//! A connection with its lock: makes the transitions of [`State`] and does what they ask for.

use core::net::SocketAddr;

use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID, STATUS_SUCCESS};

use super::claim::Claim;
use super::connector::Connector;
use super::departure::Departure;
use super::end::{DisconnectEvent, End, Limits, Ties};
use super::private_data::PrivateData;
use super::slot::Slot;
use super::state::{Accept, Disconnected, Invalid, Phase, Side, State, Transition};
use super::transfers::Transfers;
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Hold, Id};
use crate::rundown::{Drain as _, Pin, Rundown};

/// What NdkConnect brings along.
pub(crate) struct Connect<K: Kernel> {
    /// The connector, which the session wakes.
    pub(super) connector: Hold<K, Connector<K>>,
    pub(super) ties: Ties<K>,
    pub(super) claim: Claim<K>,
    pub(super) departure: Departure<K>,
    pub(super) remote: SocketAddr,
    pub(super) limits: Limits,
    pub(super) data: PrivateData,
    pub(super) request: Request<K, Connector<K>>,
}

/// One connection attempt, and the connection that comes of it. A connector that connects again gets another one:
/// so whatever acts on a session acts on the attempt that it was meant for.
pub(crate) struct Session<K: Kernel> {
    state: Lock<K, State<K>>,
    transfers: Rundown<Transfers<K>>,
    /// The active side's address and port.
    source: SocketAddr,
    /// The listener's.
    destination: SocketAddr,
}

impl<K: Kernel> Session<K> {
    /// A connection that is offered; the connect request is pending.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; all that was passed is dropped, and so given back.
    pub(crate) fn new(connect: Connect<K>) -> Result<Shared<Self>, NoMemory> {
        let Connect { connector, ties, claim, departure, remote, limits, data, request } = connect;
        let source = departure.address();
        let active = End {
            connector: Some(connector),
            ties,
            establish: Slot::Pending(request),
            limits: Some(limits),
            data,
            ..End::new()
        };
        let (phase, departure) = (Phase::Offered { active: claim, in_call: true }, Some(departure));
        let state = State { phase, departure, active, passive: End::new() };
        let (state, transfers) = (Lock::<K, _>::new(state), Rundown::new());
        Shared::new(Self { state, transfers, source, destination: remote })
    }

    /// The offer stands, and NdkConnect answers STATUS_PENDING: what ends the attempt completes the request.
    pub(super) fn stands(&self) {
        self.step(|state, next| *next = state.stands());
    }

    /// The address of the active side.
    pub(super) fn source(&self) -> SocketAddr {
        self.source
    }

    /// The address of the passive side.
    pub(super) fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// Whether the active side's address is taken for it.
    pub(super) fn has_departure(&self) -> bool {
        self.state.lock().departure.is_some()
    }

    /// Makes a transition under the lock, then does what it asks for without: first it gives back what an attempt
    /// had, then it flushes and stops, and last come the connectors, whose consumers may use all of that anew.
    fn step<R>(&self, transition: impl FnOnce(&mut State<K>, &mut Transition<K>) -> R) -> R {
        let mut next = Transition::default();
        let (result, wake) = {
            let mut state = self.state.lock();
            let result = transition(&mut state, &mut next);
            let wake = [(next.wake_active, &state.active), (next.wake_passive, &state.passive)]
                .map(|(wake, end)| if wake { end.connector.as_ref() } else { None })
                .map(|connector| connector.and_then(|connector| connector.keep(Kind::Request).ok()));
            (result, wake)
        };
        let Transition { wake_active: _, wake_passive: _, stop, flush, released } = next;
        drop(released);
        if let Some(qp) = flush {
            qp.disconnected(true);
        }
        if stop && let Some(transfers) = self.transfers.close() {
            transfers.drained();
        }
        for connector in wake.into_iter().flatten() {
            connector.wake();
        }
        result
    }

    /// The listener's side gets its connector, before the offer is shown to a consumer.
    pub(super) fn attach(&self, passive: Hold<K, Connector<K>>) {
        drop(self.step(|state, _| state.passive.connector.replace(passive)));
    }

    /// The listener did not take the offer, which no consumer has seen: nothing of the attempt is left, and its
    /// request is answered inline.
    pub(super) fn withdraw(&self) -> Option<Request<K, Connector<K>>> {
        let (request, connectors, ties) = self.step(|state, next| {
            *next = state.withdraw();
            let connectors = (state.active.connector.take(), state.passive.connector.take());
            let ties = core::mem::replace(&mut state.active.ties, Ties::none());
            (state.active.establish.withdraw(), connectors, ties)
        });
        drop((connectors, ties));
        request
    }

    /// Whether the attempt of `side` has failed, and its consumer has been told.
    pub(super) fn is_refused(&self, side: Side) -> bool {
        self.state.lock().is_refused(side)
    }

    /// The connector of `side` connects anew: this attempt, which was refused, wakes it no more.
    pub(super) fn forget_connector(&self, side: Side) {
        drop(self.step(|state, _| state.end(side).connector.take()));
    }

    /// Takes out what the connector of `side` has by this session: its address, and its antecedents.
    pub(super) fn part(&self, side: Side) -> (Option<Departure<K>>, Ties<K>) {
        self.step(|state, _| {
            let departure = if side == Side::Active { state.departure.take() } else { None };
            (departure, core::mem::replace(&mut state.end(side).ties, Ties::none()))
        })
    }

    /// Names the antecedents of the connector of `side`.
    pub(super) fn name_ties(&self, side: Side, name: &mut dyn FnMut(Id)) {
        let mut state = self.state.lock();
        let Ties { shared, qp } = &state.end(side).ties;
        if let Some(shared) = shared {
            name(Id::of(shared));
        }
        if let Some(qp) = qp {
            name(Id::of(qp));
        }
    }

    /// NdkAccept: the active side's connect completes, the request stays pending until it answers. The QP of the
    /// claim is bound to this session.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the offer no longer stands; all that was passed is given back, the request uncalled.
    pub(super) fn accept(&self, accept: Accept<K>) -> Result<(), Invalid> {
        let mut accept = Some(accept);
        let outcome = self.step(|state, next| {
            *next = state.accept(&mut accept)?;
            Ok(())
        });
        if let Some(Accept { request, .. }) = accept {
            request.answered_inline();
        }
        outcome
    }

    /// NdkReject, with the private data for the peer.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is nothing to reject.
    pub(super) fn reject(&self, side: Side, data: PrivateData) -> Result<(), Invalid> {
        self.step(|state, next| {
            *next = state.reject(side, data)?;
            Ok(())
        })
    }

    /// NdkCompleteConnect: transfers are opened, and the passive side's accept completes.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ABORTED if the attempt has ended without this consumer's doing; STATUS_CONNECTION_INVALID
    /// before the peer accepted, when the connect was completed or rejected by this consumer
    /// ([page](https://learn.microsoft.com/windows-hardware/drivers/ddi/ndkpi/nc-ndkpi-ndk_fn_complete_connect)).
    pub(super) fn complete_connect(
        this: &Shared<Self>,
        event: Option<DisconnectEvent>,
    ) -> Result<(), NTSTATUS> {
        this.step(|state, next| {
            // A QP that is dead by now may not have told the session yet.
            if let Some(abandoned) = state.abandon() {
                *next = abandoned;
                return Err(STATUS_CONNECTION_ABORTED);
            }
            let (active, passive) = match core::mem::replace(&mut state.phase, Phase::Established) {
                Phase::Accepted { active, passive } => (active, passive),
                other => {
                    let error = match &other {
                        Phase::Ended { was_established: false } if !state.active.left => {
                            STATUS_CONNECTION_ABORTED
                        }
                        Phase::Offered { .. }
                        | Phase::Accepted { .. }
                        | Phase::Established
                        | Phase::Ending
                        | Phase::Ended { .. } => STATUS_CONNECTION_INVALID,
                    };
                    state.phase = other;
                    return Err(error);
                }
            };
            // SAFETY: the phase admits this once per session, under its lock, and no close before it.
            unsafe { this.transfers.open(Transfers::new(active, passive, this)) };
            state.active.event = event;
            state.passive.establish.finish(STATUS_SUCCESS);
            next.wake(Side::Passive);
            Ok(())
        })
    }

    /// NdkDisconnect.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the connection was never established, or the disconnect of this side is pending; the request
    /// is dropped uncalled.
    pub(super) fn disconnect(
        &self,
        side: Side,
        request: Request<K, Connector<K>>,
    ) -> Result<Disconnected, Invalid> {
        let mut request = Some(request);
        let outcome = self.step(|state, next| {
            let (disconnected, transition) = state.disconnect(side, &mut request)?;
            *next = transition;
            Ok(disconnected)
        });
        if let Some(request) = request {
            request.answered_inline();
        }
        outcome
    }

    /// The last transfer has ended; which queue pairs are to be flushed, the active side's first.
    pub(super) fn drained(&self) -> [bool; 2] {
        self.step(|state, next| {
            *next = state.drained();
            [state.active.flush, state.passive.flush]
        })
    }

    /// A transfer broke the connection.
    pub(crate) fn fail(&self) {
        self.step(|state, next| *next = state.fail());
    }

    /// One of the QPs that are bound to this session died: its attempt or its connection ends. Up to
    /// DISPATCH_LEVEL, no lock held.
    pub(crate) fn qp_died(&self) {
        self.step(|state, next| *next = state.qp_died());
    }

    /// The consumer closes the connector of `side`.
    pub(super) fn leave(&self, side: Side) {
        self.step(|state, next| *next = state.leave(side));
    }

    /// Makes the callbacks that are owed to `side`: completions first, then the disconnect event. At the
    /// end of the connection its connector is let go. In the connector's deferred call.
    pub(super) fn deliver(&self, side: Side) {
        while let Some((request, status)) = self.step(|state, _| state.end(side).take_due()) {
            request.complete(status);
        }
        if let Some(event) = self.step(|state, _| state.end(side).take_event()) {
            event.call();
        }
        let released = self.step(|state, _| {
            let ended = matches!(state.phase, Phase::Ended { .. });
            if ended { state.end(side).connector.take() } else { None }
        });
        drop(released);
    }

    /// What `side` gets to know of its peer: the limits that hold between them, and the peer's data.
    pub(crate) fn peer_data(&self, side: Side, own: Limits) -> (Limits, PrivateData) {
        self.step(|state, _| {
            let own = state.end(side).limits.unwrap_or(own);
            let peer = state.end(side.peer());
            (peer.limits.map_or(own, |limits| own.effective(limits)), peer.data.clone())
        })
    }

    /// Begins a transfer that `side` initiates, if the connection is established.
    pub(crate) fn transfer(&self, side: Side) -> Option<Pin<'_, Transfers<K>>> {
        self.transfers.pin(side.lane())
    }

    /// Whether transfers may begin.
    pub(crate) fn is_established(&self) -> bool {
        self.transfers.is_open()
    }
}
