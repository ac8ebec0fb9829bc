//! A connection with its lock: makes the transitions of [`State`] and does what they ask for.

use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID, STATUS_SUCCESS};

use super::connector::Connector;
use super::private_data::PrivateData;
use super::state::{DisconnectEvent, End, Invalid, Limits, Phase, Side, State, Transition};
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Hold, Object};
use crate::queue_pair::Qp;
use crate::rundown::{Drain, Pin, Rundown};

/// Both queue pairs of an established connection, while transfers may run between them.
pub(crate) struct Transfers<K: Kernel> {
    active: Hold<K, Qp<K>>,
    passive: Hold<K, Qp<K>>,
    session: Shared<Session<K>>,
}

impl<K: Kernel> Transfers<K> {
    fn new(active: Hold<K, Qp<K>>, passive: Hold<K, Qp<K>>, session: &Shared<Session<K>>) -> Self {
        let number = active.pd().adapter().port().counters().connected();
        passive.pd().adapter().port().counters().accepted();
        active.join(session.clone(), Side::Active, number);
        passive.join(session.clone(), Side::Passive, number);
        Self { active, passive, session: session.clone() }
    }

    /// The queue pair at the other end from `side`.
    pub(crate) fn peer_of(&self, side: Side) -> &Object<K, Qp<K>> {
        match side {
            Side::Active => &self.passive,
            Side::Passive => &self.active,
        }
    }
}

impl<K: Kernel> Drain for Transfers<K> {
    fn drained(self) {
        let flush = self.session.step(|state, next| {
            *next = state.drained();
            [state.active.flush, state.passive.flush]
        });
        for (qp, flush) in [&self.active, &self.passive].into_iter().zip(flush) {
            qp.pd().adapter().port().counters().disconnected();
            qp.disconnected(flush);
        }
    }
}

/// See the module's head.
pub(crate) struct Session<K: Kernel> {
    state: Lock<K, State<K>>,
    transfers: Rundown<Transfers<K>>,
}

/// What NdkDisconnect found.
pub(crate) enum Disconnected {
    /// The request is kept and completes when transfers have drained.
    Pending,
    /// They have.
    Done,
}

impl<K: Kernel> Session<K> {
    /// A connection that `active` offers; its connect request is pending.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; all that was passed is dropped.
    pub(crate) fn new(
        active: Hold<K, Connector<K>>,
        qp: Hold<K, Qp<K>>,
        limits: Limits,
        data: PrivateData,
    ) -> Result<Shared<Self>, NoMemory> {
        let mut end = End::new(Some(active));
        end.qp = Some(qp);
        end.limits = Some(limits);
        end.data = data;
        let state =
            State { phase: Phase::Offered, was_established: false, active: end, passive: End::new(None) };
        Shared::new(Self { state: Lock::<K, _>::new(state), transfers: Rundown::new() })
    }

    /// Makes a transition under the lock, then does what it asks for without.
    fn step<R>(&self, transition: impl FnOnce(&mut State<K>, &mut Transition) -> R) -> R {
        let mut next = Transition::default();
        let (result, wake, unused) = {
            let mut state = self.state.lock();
            let result = transition(&mut state, &mut next);
            let ended = state.phase == Phase::Ended;
            let wake = [(next.wake_active, &state.active), (next.wake_passive, &state.passive)]
                .map(|(wake, end)| if wake { end.connector.as_ref() } else { None })
                .map(|connector| connector.and_then(|connector| connector.keep(Kind::Request).ok()));
            let unused = if ended { [state.active.qp.take(), state.passive.qp.take()] } else { [None, None] };
            (result, wake, unused)
        };
        for qp in unused.into_iter().flatten() {
            qp.unclaim();
        }
        if next.stop
            && let Some(transfers) = self.transfers.close()
        {
            transfers.drained();
        }
        for connector in wake.into_iter().flatten() {
            connector.wake();
        }
        result
    }

    /// The listener's side gets its connector, before the offer is shown to anybody.
    pub(crate) fn attach(&self, passive: Hold<K, Connector<K>>) {
        self.step(|state, _| state.passive.connector = Some(passive));
    }

    /// The pending request of `side`, put in place before the transition that may complete it.
    pub(crate) fn expect(&self, side: Side, request: Request<K, Connector<K>>) {
        self.step(|state, _| state.end(side).request = Some(request));
    }

    /// Takes the pending request of `side` back, which nobody completes then.
    pub(crate) fn take_request(&self, side: Side) -> Option<Request<K, Connector<K>>> {
        self.step(|state, _| state.end(side).request.take())
    }

    /// Whether it ended before it was established, and `side` has been told.
    pub(crate) fn is_refused(&self, side: Side) -> bool {
        self.step(|state, _| {
            state.phase == Phase::Ended && !state.was_established && !state.end(side).owes_completion()
        })
    }

    /// The connector of `side` turns to another connection: this one, which is refused, lets it go.
    pub(crate) fn let_go(&self, side: Side) {
        drop(self.step(|state, _| state.end(side).connector.take()));
    }

    /// Whether it ended before it was established.
    pub(crate) fn never_came_about(&self) -> bool {
        self.step(|state, _| state.phase == Phase::Ended && !state.was_established)
    }

    /// NdkAccept: the active side's connect completes, `request` stays pending until it answers.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the offer no longer stands; the request is dropped uncalled.
    pub(crate) fn accept(
        &self,
        qp: Hold<K, Qp<K>>,
        limits: Limits,
        data: PrivateData,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<(), Invalid> {
        let mut offered = Some((qp, request));
        let accepted = self.step(|state, next| {
            if state.phase != Phase::Offered {
                return Err(Invalid);
            }
            if let Some((qp, request)) = offered.take() {
                let end = &mut state.passive;
                end.qp = Some(qp);
                end.limits = Some(limits);
                end.data = data;
                end.event = event;
                end.request = Some(request);
            }
            state.phase = Phase::Accepted;
            state.active.finish(STATUS_SUCCESS);
            next.wake(Side::Active);
            Ok(())
        });
        if let Some((qp, request)) = offered {
            qp.unclaim();
            request.answered_inline();
        }
        accepted
    }

    /// NdkReject, with the private data for the peer.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is nothing to reject.
    pub(crate) fn reject(&self, side: Side, data: PrivateData) -> Result<(), Invalid> {
        self.step(|state, next| {
            *next = state.reject(side, data)?;
            Ok(())
        })
    }

    /// NdkCompleteConnect: transfers are opened, and the passive side's accept completes.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_INVALID before the peer accepted; STATUS_CONNECTION_ABORTED if it has gone.
    pub(crate) fn complete_connect(
        this: &Shared<Self>,
        event: Option<DisconnectEvent>,
    ) -> Result<(), NTSTATUS> {
        this.step(|state, next| {
            match state.phase {
                Phase::Accepted => {}
                Phase::Offered | Phase::Established => return Err(STATUS_CONNECTION_INVALID),
                Phase::Ending | Phase::Ended => return Err(STATUS_CONNECTION_ABORTED),
            }
            let ends = [&state.active.qp, &state.passive.qp];
            if ends.into_iter().any(|qp| qp.as_ref().is_none_or(|qp| qp.is_dead())) {
                return Err(STATUS_CONNECTION_ABORTED);
            }
            let (Some(active), Some(passive)) = (state.active.qp.take(), state.passive.qp.take()) else {
                return Err(STATUS_CONNECTION_ABORTED);
            };
            // SAFETY: the phase admits this once per session, under its lock, and no close before it.
            unsafe { this.transfers.open(Transfers::new(active, passive, this)) };
            state.active.event = event;
            state.phase = Phase::Established;
            state.was_established = true;
            state.passive.finish(STATUS_SUCCESS);
            next.wake(Side::Passive);
            Ok(())
        })?;
        // A queue pair that was closed before it had joined could not tell the session.
        let transfers = this.transfer(Side::Active);
        if transfers.is_some_and(|transfers| transfers.active.is_dead() || transfers.passive.is_dead()) {
            this.fail();
        }
        Ok(())
    }

    /// NdkDisconnect.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the connection was never established; the request is dropped uncalled.
    pub(crate) fn disconnect(
        &self,
        side: Side,
        request: Request<K, Connector<K>>,
    ) -> Result<Disconnected, Invalid> {
        let (result, inline) = self.step(|state, next| {
            let ended = state.phase == Phase::Ended;
            match state.disconnect(side) {
                Err(invalid) => (Err(invalid), Some(request)),
                Ok(_) if ended => (Ok(Disconnected::Done), Some(request)),
                Ok(transition) => {
                    *next = transition;
                    state.end(side).request = Some(request);
                    (Ok(Disconnected::Pending), None)
                }
            }
        });
        if let Some(request) = inline {
            request.answered_inline();
        }
        result
    }

    /// A transfer broke the connection.
    pub(crate) fn fail(&self) {
        self.step(|state, next| *next = state.fail());
    }

    /// The consumer closes the connector of `side`.
    pub(crate) fn leave(&self, side: Side) {
        self.step(|state, next| *next = state.leave(side));
    }

    /// Makes the callbacks that are owed to `side`: completions first, then the disconnect event. At the
    /// end of the connection its connector is let go. In the connector's deferred call.
    pub(crate) fn deliver(&self, side: Side) {
        while let Some((request, status)) = self.step(|state, _| state.end(side).take_done()) {
            request.complete(status);
        }
        if let Some(event) = self.step(|state, _| state.end(side).take_event()) {
            event.call();
        }
        let released =
            self.step(
                |state, _| {
                    if state.phase == Phase::Ended { state.end(side).connector.take() } else { None }
                },
            );
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
