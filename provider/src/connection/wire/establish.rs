//! An attempt: TCP, the two frames, and the consumers' answers.

#![expect(unsafe_code, reason = "transfers are opened once")]

use core::net::SocketAddr;

use iwarp::fpdu::Mulpdu;
use iwarp::mpa::{Agreed, Depth, StartupFrame};
use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_INSUFFICIENT_RESOURCES};

use super::phase::{Cause, Phase, Requester};
use super::state::{BY_PEER, State};
use super::stream::config;
use super::upcalls::connection_events;
use super::{BATCH, BATCHES, Joined, Wire, WirePort, no_memory};
use crate::adapter::RnicState;
use crate::connection::call::{Accept, Connect, ConnectCompleted, Side, StateError};
use crate::connection::claim::Claim;
use crate::connection::connector::Connector;
use crate::connection::departure::Departure;
use crate::connection::end::{AntecedentRefs, DisconnectEvent, End};
use crate::connection::endpoint::Endpoint;
use crate::connection::link::Link;
use crate::connection::private_data::PrivateData;
use crate::consumer::Request;
use crate::heap::Shared;
use crate::kernel::network::{Batch as _, LocalEnd};
use crate::kernel::{Kernel, Network};
use crate::lifetime::Kind;
use crate::limits::{READ_LIMITS, ReadLimits};
use crate::sync::Ordering;

/// Limits of reads as an agreement has them.
fn limits(inbound: u16, outbound: u16) -> ReadLimits {
    ReadLimits { inbound: inbound.into(), outbound: outbound.into() }
}

impl<K: Kernel> Wire<K> {
    /// The active side of an attempt over `network`: TCP is not asked yet.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES, or the network's status; all that was passed is dropped, and so given back.
    pub(in crate::connection) fn connect(
        rnic: &Shared<RnicState<K>>,
        connect: Connect<K>,
    ) -> Result<Shared<Self>, NTSTATUS> {
        let Connect { connector, ties, claim, departure, remote, limits, data, request } = connect;
        let network = rnic.network().ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let tcp = network.connection()?;
        let end = End { connector: Some(connector), ties, limits: Some(limits), data, ..End::new() };
        let state = State::requested(end, claim, request, Some(departure));
        let wire = Self::new(rnic, (Side::Active, remote), tcp, state, None)?;
        let prepared = wire.batches.fill(network, BATCHES, BATCH).and_then(|()| wire.prepare());
        match prepared {
            Ok(()) => Ok(wire),
            Err(status) => {
                drop(wire.withdraw());
                Err(status)
            }
        }
    }

    /// Allocates what the transfers of the claimed QP will need.
    fn prepare(&self) -> Result<(), NTSTATUS> {
        let qp = self.state.0.lock().end.ties.qp.as_ref().and_then(|qp| qp.acquire(Kind::Request).ok());
        match qp {
            Some(qp) => self.transfers.prepare(&qp).map_err(no_memory),
            None => Err(STATUS_INSUFFICIENT_RESOURCES),
        }
    }

    /// The passive side of a connection that a peer has opened to `port`.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn awaiting(
        rnic: &Shared<RnicState<K>>,
        port: Shared<WirePort<K>>,
        tcp: super::Tcp<K>,
        (local, remote): (SocketAddr, SocketAddr),
    ) -> Result<Shared<Self>, NTSTATUS> {
        let wire = Self::new(rnic, (Side::Passive, remote), tcp, State::awaited(), Some(port))?;
        wire.local.set(local.into());
        wire.life.begin();
        let (config, mulpdu) = (config(rnic.crc(), READ_LIMITS, wire.number()), wire.mulpdu());
        wire.with_stream(|stream| stream.begin_listen(config, mulpdu));
        Ok(wire)
    }

    /// A number that differs between connections that exist at a time.
    fn number(&self) -> u64 {
        self.rnic.next_connection()
    }

    /// The length of the longest ULPDU (FP-2).
    fn mulpdu(&self) -> Mulpdu {
        match self.rnic.fpdu_size() {
            Some(size) => Mulpdu::of_segment(size),
            None => Mulpdu::of_segment(K::Network::segment(&self.tcp)),
        }
    }

    /// Asks TCP to connect. What comes of it may come before this returns.
    pub(in crate::connection) fn begin(this: &Shared<Self>) {
        let from = match this.state.0.lock().departure() {
            Some(Departure::Shared(destination)) => LocalEnd::Shared(destination.address()),
            Some(departure @ (Departure::Own(_) | Departure::Sought(_))) => {
                LocalEnd::Own(departure.address())
            }
            None => return,
        };
        if from.address().port() != 0 {
            this.local.set(from.address().into());
        }
        this.life.begin();
        K::Network::connect(&this.tcp, from, this.peer_address(), connection_events(this.clone()));
    }

    /// As [`Link::stands`](crate::connection::link::Link::stands).
    pub(in crate::connection) fn stands(&self) {
        self.step(|state, next| *next = state.begun());
    }

    /// As [`Link::withdraw`](crate::connection::link::Link::withdraw): nothing has begun.
    pub(in crate::connection) fn withdraw(&self) -> Option<Request<K, Connector<K>>> {
        let (requester, connector, ties) = self.step(|state, _| {
            let ties = core::mem::replace(&mut state.end.ties, AntecedentRefs::none());
            (state.withdraw(), state.end.connector.take(), ties)
        });
        drop((connector, ties));
        requester.map(|Requester { request, claim, departure, .. }| {
            drop((claim, departure));
            request
        })
    }

    /// TCP has found this local address and port. Returns true if the attempt goes on with it.
    pub(super) fn bound(&self, local: SocketAddr) -> bool {
        if self.local.get().is_some() {
            return true;
        }
        let Ok(endpoint) = Endpoint::bind(self.rnic.fabric(), local) else { return false };
        let refused = self.step(|state, _| state.depart(Departure::Own(endpoint)));
        if refused.is_ok() {
            self.local.set(local.into());
        }
        refused.is_ok()
    }

    /// TCP has connected, or not: the request is sent.
    pub(super) fn opened(this: &Shared<Self>, outcome: Result<(), NTSTATUS>) {
        this.step(|state, _| state.called());
        if let Err(status) = outcome {
            // TCP's connection is being closed.
            this.step(|state, next| {
                *next = state.break_off(Cause { connect: status, ..BY_PEER });
            });
            return;
        }
        let (own, data) = {
            let state = this.state.0.lock();
            (state.end.limits.unwrap_or(READ_LIMITS), state.end.data.clone())
        };
        let (config, mulpdu) = (config(this.rnic.crc(), own, this.number()), this.mulpdu());
        match this.with_stream(|stream| stream.begin_connect(config, mulpdu, data.bytes())) {
            Ok(frame) => {
                this.send_frame(&frame);
                Self::arm(this);
            }
            Err(_) => this.step(|state, next| *next = state.fail(BY_PEER)),
        }
    }

    /// Sends a frame of the start.
    fn send_frame(&self, frame: &StartupFrame) {
        // There is one: nothing was sent before.
        let Some(mut batch) = self.take_batch() else { return };
        if let Some(room) = batch.room().get_mut(..frame.len()) {
            room.copy_from_slice(frame);
            batch.set_length(frame.len());
        }
        self.send(batch);
    }

    /// A request has come whole: it is indicated by the listener.
    pub(super) fn requested(this: &Shared<Self>, data: PrivateData, depths: Option<(Depth, Depth)>) {
        let port = this.port.lock().take();
        let own = |depth: Depth, own: u32| depth.number().map_or(own, u32::from);
        let peer = depths.map(|(ird, ord)| ReadLimits {
            inbound: own(ird, READ_LIMITS.inbound),
            outbound: own(ord, READ_LIMITS.outbound),
        });
        let stands = this.step(|state, _| {
            state.peer_data = data;
            state.peer_limits = peer;
            state.offered()
        });
        let taken = port.is_some_and(|port| {
            port.forget(this);
            stands && port.offer(&Link::Wire(this.clone()))
        });
        if !taken {
            this.step(|state, next| *next = state.fail(BY_PEER));
        }
    }

    /// A reply has come whole.
    pub(super) fn answered(&self, data: PrivateData, agreed: Option<Agreed>) {
        self.step(|state, next| {
            state.peer_data = data;
            state.peer_limits = agreed.map(|agreed| limits(agreed.ord, agreed.ird));
            *next = match agreed {
                Some(_) => state.replied(),
                None => state.fail(BY_PEER),
            };
        });
    }

    /// As [`Link::accept`](crate::connection::link::Link::accept): the reply is sent.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ABORTED if the connection is not offered any more; STATUS_INSUFFICIENT_RESOURCES. What was
    /// passed is dropped, the request uncalled.
    pub(in crate::connection) fn accept(this: &Shared<Self>, accept: Accept<K>) -> Result<(), NTSTATUS> {
        // A second accept touches nothing of the first one's.
        let is_offered = matches!(this.state.0.lock().phase, Phase::Offered);
        if !is_offered {
            accept.request.answered_inline();
            return Err(STATUS_CONNECTION_ABORTED);
        }
        let prepared = match this.rnic.network() {
            Some(network) => this.batches.fill(network, BATCHES, BATCH),
            None => Err(STATUS_INSUFFICIENT_RESOURCES),
        };
        let prepared = prepared.and_then(|()| this.transfers.prepare(&accept.claim).map_err(no_memory));
        if let Err(status) = prepared {
            accept.request.answered_inline();
            return Err(status);
        }
        let (limits, data) = (accept.limits, accept.data.clone());
        let mut accept = Some(accept);
        let taken = this.step(|state, _| state.accept(&mut accept, |claim| Self::join(this, claim)));
        if let Some(Accept { request, .. }) = accept {
            request.answered_inline();
        }
        taken.map_err(|StateError| STATUS_CONNECTION_ABORTED)?;
        let depth = |limit: u32| u16::try_from(limit).unwrap_or(u16::MAX);
        let (ird, ord) = (depth(limits.inbound), depth(limits.outbound));
        match this.with_stream(|stream| stream.accept(ird, ord, data.bytes())) {
            Ok(frame) => {
                this.send_frame(&frame);
                Self::arm(this);
                // A QP that is dead by now may have told the connection before it was accepted.
                let dead =
                    this.joined(crate::rundown::Shard::Target).is_none_or(|joined| joined.qp().is_dead());
                if dead {
                    this.qp_died();
                }
            }
            // The peer has gone: the end of TCP's connection completes the request.
            Err(_) => this.step(|state, next| *next = state.fail(BY_PEER)),
        }
        Ok(())
    }

    /// As [`Link::reject`](crate::connection::link::Link::reject).
    ///
    /// # Errors
    ///
    /// [`StateError`] if there is nothing to reject.
    pub(in crate::connection) fn reject(this: &Shared<Self>, data: &PrivateData) -> Result<(), StateError> {
        let replies = this.step(|state, next| {
            let (replies, transition) = state.reject(this.side)?;
            *next = transition;
            Ok(replies)
        })?;
        if !replies {
            return Ok(());
        }
        let frame = this.cut(|stream| stream.reject(data.bytes()).ok());
        Self::turn_away(this, frame.as_ref());
        Ok(())
    }

    /// Sends the reply that rejects, and ends this side's stream; without a word where there is no memory for one.
    pub(super) fn turn_away(this: &Shared<Self>, frame: Option<&StartupFrame>) {
        let network = this.rnic.network();
        let has_room =
            network.is_some_and(|network| this.batches.fill(network, 1, iwarp::mpa::LONGEST_FRAME).is_ok());
        match frame {
            Some(frame) if has_room => {
                this.send_frame(frame);
                Self::arm(this);
            }
            Some(_) | None => {
                this.speaking.store(false, Ordering::Release);
                this.cut_off();
            }
        }
    }

    /// As [`Link::complete_connect`](crate::connection::link::Link::complete_connect): the first FPDU is sent.
    ///
    /// # Errors
    ///
    /// Those of [`State::await_end`].
    pub(in crate::connection) fn complete_connect(
        this: &Shared<Self>,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<ConnectCompleted, NTSTATUS> {
        let is_replied = matches!(this.state.0.lock().phase, Phase::Replied { .. });
        let goes_on = is_replied && this.with_stream(|stream| stream.complete()).is_ok();
        if goes_on && Self::establish(this, event, |claim| Self::join(this, claim)) {
            request.answered_inline();
            this.rnic.counters().connected();
            this.operate();
            Self::settle(this);
            return Ok(ConnectCompleted::Done);
        }
        if is_replied {
            // The stream has ended before the state has: it follows now.
            this.step(|state, next| {
                if matches!(state.phase, Phase::Replied { .. }) {
                    *next = state.fail(BY_PEER);
                }
            });
        }
        let mut request = Some(request);
        let outcome = this.step(|state, _| state.await_end(&mut request));
        if let Some(request) = request {
            request.answered_inline();
        }
        outcome.map(|()| ConnectCompleted::Pending)
    }

    /// The first FPDU has come: NdkAccept completes.
    pub(super) fn first_fpdu(this: &Shared<Self>) {
        if this.side == Side::Passive && Self::establish(this, None, |_| {}) {
            this.rnic.counters().accepted();
            this.operate();
        }
    }

    /// The connection is established, unless it has ended: from here on its QP may post.
    fn establish(this: &Shared<Self>, event: Option<DisconnectEvent>, join: impl FnOnce(&Claim<K>)) -> bool {
        let mut link = Some(Link::Wire(this.clone()));
        this.step(|state, next| {
            let established = state.establish(next, event, &mut link, join);
            if established {
                this.operating.store(true, Ordering::Release);
            }
            established
        })
    }

    /// Opens the transfers of a QP.
    fn join(this: &Shared<Self>, claim: &Claim<K>) {
        if let Ok(qp) = claim.hold() {
            let joined = Joined { qp, wire: this.clone() };
            // SAFETY: the state admits this once per connection, under its lock, and no close before it.
            unsafe { this.joined.open(joined) };
        }
    }

    /// Has the transfers begin.
    fn operate(&self) {
        let Some(joined) = self.joined(crate::rundown::Shard::Initiator) else { return };
        let qp = joined.qp();
        if qp.is_dead() {
            self.qp_died();
            return;
        }
        qp.progress();
        self.resume();
    }
}
