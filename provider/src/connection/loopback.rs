//! A connection with its lock: makes the transitions of [`State`] and does what they ask for.

#![expect(unsafe_code, reason = "consumers are called back")]

use core::mem::offset_of;
use core::net::SocketAddr;

use sys::status::NTSTATUS;

use super::call::{Accept, Connect, ConnectCompleted, Disconnected, Side, StateError};
use super::connector::Connector;
use super::departure::Departure;
use super::end::{AntecedentRefs, DisconnectEvent, End};
use super::established::Established;
use super::private_data::PrivateData;
use super::state::{State, StateLayout, Transition, Withdrawn};
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared};
use crate::kernel::event::{self, Event, Handle, RequestCall, Status};
use crate::kernel::{self, Kernel, Lock};
use crate::limits::ReadLimits;
use crate::object::{Id, ObjectRef};
use crate::rundown::{Drain as _, Pin, Rundown, Shard};
use crate::socket_address::SocketAddress;

/// One connection attempt, and the connection that comes of it. A connector that connects again gets another
/// one: so whatever acts on a connection acts on the attempt that it was meant for.
pub(crate) struct Connection<K: Kernel> {
    state: Lock<K, State<K>>,
    established: Rundown<Established<K>>,
    /// The active side's address and port.
    source: SocketAddress,
    /// The listener's.
    destination: SocketAddress,
}

/// Offsets of what a debugger reads, from what a pointer to a connection points to, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct ConnectionPlaces {
    /// Of the lock of the state.
    pub lock: usize,
    /// From the lock's value.
    pub state: StateLayout,
    /// Of the words of the two sides' transfers: the highest bit, that they may begin, and how many run.
    pub transfers: [usize; 2],
    /// Of the [address](SocketAddress) of the side that connected.
    pub source: usize,
    /// Of the listener's address.
    pub destination: usize,
}

impl ConnectionPlaces {
    /// The places on the kernel `K`.
    pub(super) const fn of<K: Kernel>() -> Self {
        let value = Shared::<Connection<K>>::VALUE;
        let established = value.saturating_add(offset_of!(Connection<K>, established));
        let [initiator, target] = Rundown::<Established<K>>::WORDS;
        Self {
            lock: value.saturating_add(offset_of!(Connection<K>, state)),
            state: StateLayout::of::<K>(),
            transfers: [established.saturating_add(initiator), established.saturating_add(target)],
            source: value.saturating_add(offset_of!(Connection<K>, source)),
            destination: value.saturating_add(offset_of!(Connection<K>, destination)),
        }
    }

    /// The offset of the state in its lock.
    pub(crate) fn state_in_lock<K: Kernel>() -> usize {
        kernel::value_in_lock::<K, State<K>>()
    }
}

impl<K: Kernel> Connection<K> {
    /// A connection that is offered; the request of NdkConnect is pending.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; all that was passed is dropped, and so given back.
    pub(crate) fn new(connect: Connect<K>) -> Result<Shared<Self>, NoMemory> {
        let Connect { connector, ties, claim, departure, remote, limits, data, request } = connect;
        let source = departure.address().into();
        let active = End { connector: Some(connector), ties, limits: Some(limits), data, ..End::new() };
        let state = State::requested(active, claim, request, departure);
        let (state, established) = (Lock::<K, _>::new(state), Rundown::new());
        Shared::new(Self { state, established, source, destination: remote.into() })
    }

    /// The connect request stands, and NdkConnect answers STATUS_PENDING: what ends the attempt completes the
    /// request.
    pub(super) fn stands(&self) {
        self.step(|state, next| *next = state.stands());
    }

    /// The address of the active side.
    pub(super) fn source(&self) -> SocketAddr {
        self.source.into()
    }

    /// The address of the passive side.
    pub(super) fn destination(&self) -> SocketAddr {
        self.destination.into()
    }

    /// Returns true if the connection still occupies the active side's local address.
    pub(super) fn has_departure(&self) -> bool {
        self.state.lock().has_departure()
    }

    /// Makes a transition under the lock, then performs its actions without: first it releases the references
    /// of an attempt, then it flushes and stops, and last it wakes the connectors, whose consumers may use
    /// all of that again. That an attempt has failed stands in the state only then, for calls that look there.
    fn step<R>(&self, transition: impl FnOnce(&mut State<K>, &mut Transition<K>) -> R) -> R {
        let mut next = Transition::default();
        let (result, wake) = {
            let mut state = self.state.lock();
            let result = transition(&mut state, &mut next);
            let wake = state.woken(&next);
            (result, wake)
        };
        let Transition { wake_active: _, wake_passive: _, stop, flush, released, failed } = next;
        drop(released);
        if let Some(qp) = flush {
            qp.kill();
        }
        if stop {
            self.stop();
        }
        for connector in wake.into_iter().flatten() {
            connector.wake();
        }
        if failed {
            self.given_back();
        }
        result
    }

    /// All that a failed attempt had is released.
    fn given_back(&self) {
        self.step(|state, next| state.given_back(next));
    }

    /// Refuses new transfers, and makes both engines end their leases, now or in the run that is under way, so that the
    /// last transfer finds the connection drained. Called once per connection.
    fn stop(&self) {
        // Keeps both QPs while their engines run. The connection is open, as this alone closes it.
        let pin = self.established.pin(Shard::Initiator);
        if let Some(transfers) = self.established.close() {
            transfers.drained();
        }
        if let Some(transfers) = pin {
            transfers.progress();
        }
    }

    /// Sets the connector of the listener's side, before it is indicated to a consumer.
    pub(super) fn attach(&self, passive: ObjectRef<K, Connector<K>>) {
        drop(self.step(|state, _| state.attach(passive)));
    }

    /// The listener did not take the connect request, which no consumer has seen: nothing of the attempt is
    /// left, and its request is answered inline.
    pub(super) fn withdraw(&self) -> Option<Request<K, Connector<K>>> {
        let Withdrawn { request, connectors, ties } = self.step(State::withdraw);
        drop((connectors, ties));
        request
    }

    /// Returns true if the attempt has failed, and the request of `side` was completed.
    pub(super) fn is_refused(&self, side: Side) -> bool {
        self.state.lock().is_refused(side)
    }

    /// Detaches the connector of `side`, which connects again, from this attempt, which was refused.
    pub(super) fn forget_connector(&self, side: Side) {
        drop(self.step(|state, _| state.forget_connector(side)));
    }

    /// Takes out what the connector of `side` has by this connection: its address, and its antecedents.
    pub(super) fn part(&self, side: Side) -> (Option<Departure<K>>, AntecedentRefs<K>) {
        self.step(|state, _| state.part(side))
    }

    /// Names the antecedents of the connector of `side`.
    pub(super) fn name_antecedents(&self, side: Side, name: &mut dyn FnMut(Id)) {
        let mut state = self.state.lock();
        let AntecedentRefs { shared, qp } = state.antecedent_refs(side);
        if let Some(shared) = shared {
            name(Id::of(shared));
        }
        if let Some(qp) = qp {
            name(Id::of(qp));
        }
    }

    /// NdkAccept: the active side's connect completes, the request stays pending until it answers. The QP of
    /// the claim is bound to this connection.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connect request no longer stands; all that was passed is given back, the request
    /// uncalled.
    pub(super) fn accept(&self, accept: Accept<K>) -> Result<(), StateError> {
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
    /// [`StateError`] if there is nothing to reject.
    pub(super) fn reject(&self, side: Side, data: PrivateData) -> Result<(), StateError> {
        self.step(|state, next| {
            *next = state.reject(side, data)?;
            Ok(())
        })
    }

    /// NdkCompleteConnect: transfers are opened, and the passive side's accept completes.
    ///
    /// # Errors
    ///
    /// Those of [`State::complete_connect`]; answered inline.
    pub(super) fn complete_connect(
        this: &Shared<Self>,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<ConnectCompleted, NTSTATUS> {
        let mut request = Some(request);
        let outcome = this.step(|state, next| {
            state.complete_connect(next, event, &mut request, |active, passive| {
                // SAFETY: the state admits this once per connection, under its lock, and no close before it.
                unsafe { this.established.open_leased(Established::new(active, passive, this)) };
            })
        });
        if let Some(request) = request {
            request.answered_inline();
        }
        outcome
    }

    /// NdkDisconnect.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection was never established, or the disconnect of this side is pending; the
    /// request is dropped uncalled.
    pub(super) fn disconnect(
        &self,
        side: Side,
        request: Request<K, Connector<K>>,
    ) -> Result<Disconnected, StateError> {
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
        self.step(State::drained)
    }

    /// A transfer broke the connection.
    pub(crate) fn fail(&self) {
        let (local, remote) = (Some(self.source()), Some(self.destination()));
        event::write::<K>(|| Event::ConnectionTerminated { local, remote });
        self.step(|state, next| *next = state.fail());
    }

    /// One of the QPs that are bound to this connection died: its attempt or its connection ends. Up to
    /// DISPATCH_LEVEL, no lock held.
    pub(crate) fn qp_died(&self) {
        self.step(|state, next| *next = state.qp_died());
    }

    /// The consumer closes the connector of `side`.
    pub(super) fn local_close(&self, side: Side) {
        self.step(|state, next| *next = state.local_close(side));
    }

    /// Makes the callbacks that are due at `side`: completions first, then the disconnect event. At the end
    /// of the connection it releases the connector. Runs in the connector's DPC.
    pub(super) fn deliver(&self, side: Side) {
        while let Some(((request, status), disconnects)) = self.step(|state, _| state.take_due(side)) {
            event::write::<K>(|| self.completed(side, request.handle(), disconnects, status));
            request.complete(status);
        }
        if let Some(event) = self.step(|state, _| state.take_event(side)) {
            let (local, remote) = self.seen_from(side);
            event::write::<K>(|| Event::PeerDisconnected { local: Some(local), remote: Some(remote) });
            event.call();
        }
        drop(self.step(|state, _| state.release_connector(side)));
    }

    /// The local and the remote address of `side`.
    fn seen_from(&self, side: Side) -> (SocketAddr, SocketAddr) {
        match side {
            Side::Active => (self.source(), self.destination()),
            Side::Passive => (self.destination(), self.source()),
        }
    }

    /// The event of a request of `side` that is complete.
    fn completed(&self, side: Side, object: Handle, disconnects: bool, status: NTSTATUS) -> Event {
        let request = match side {
            _ if disconnects => RequestCall::Disconnect,
            Side::Active => RequestCall::Connect,
            Side::Passive => RequestCall::Accept,
        };
        let (local, remote) = self.seen_from(side);
        let (local, remote, status) = (Some(local), Some(remote), Status(status));
        Event::RequestCompleted { object, request, local, remote, status }
    }

    /// Returns the read limits in effect between `side` and its peer, and the peer's private data.
    pub(crate) fn peer_data(&self, side: Side, own: ReadLimits) -> (ReadLimits, PrivateData) {
        self.step(|state, _| state.peer_data(side, own))
    }

    /// Keeps the connection in the state in which transfers run, if it is established: for a user at `side` that is not its
    /// engine.
    pub(crate) fn transfer(&self, side: Side) -> Option<Pin<'_, Established<K>>> {
        self.established.pin(side.shard())
    }

    /// The same for the engine of `side`, which has a lease of its shard: no locked instruction, for as long as it is
    /// established. Then the lease ends. Up to DISPATCH_LEVEL, no lock held.
    ///
    /// # Safety
    ///
    /// A run of the combiner of that side's engine calls this, and uses what it returns until its next call at most.
    pub(crate) unsafe fn leased(&self, side: Side) -> Option<&Established<K>> {
        // SAFETY: the runs of a combiner happen one before another; the rest is as the caller promises.
        unsafe { self.established.leased(side.shard(), |established| established.leave(side)) }
    }

    /// Returns true if transfers of `side` may begin.
    pub(crate) fn is_established(&self, side: Side) -> bool {
        self.established.is_open(side.shard())
    }
}
