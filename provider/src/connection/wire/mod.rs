//! A connection whose other end is another machine: iWARP over TCP.
//!
//! A [`Wire`] is one connection of TCP with the [engine](iwarp) that speaks over it, and the one end that this driver
//! has. It owns the TCP connection, and what that tells comes in here.
//!
//! | module | contents |
//! |---|---|
//! | this one | the connection, and what transfers use of it |
//! | `state`, `phase` | its state machine |
//! | `establish` | the attempt: the two frames, and the consumers' answers |
//! | `ending` | the end, by either side, and what follows from the engine's state |
//! | `startup` | the frame that is awaited, until it is whole |
//! | `port` | the ports of listeners and shared endpoints |
//! | `upcalls` | the calls of the network |
//! | `batches` | the batches of a connection |
//! | `timer` | the time that a peer is given |
//! | `life` | the time for which TCP's connection or port is there |
//! | `stream` | the engine, in a place of its own |
//! | `layout` | the places of what a debugger reads |
//!
//! # Who refers to a wire
//!
//! | holder | why | lets go when |
//! |---|---|---|
//! | connector, by its link | its consumer asks | it is taken apart, or connects again |
//! | QP, by its link | posts, its death | it is taken apart; the attempt came to nothing |
//! | TCP's connection | calls up | `closed` |
//! | its timer, while it is set | the time that a peer is given | it has expired, or was cancelled |
//! | a port, while the request is awaited | to cut off what was not offered when it is closed | the request is there, or the connection over |
//!
//! # What a wire refers to
//!
//! | object | why | lets go when |
//! |---|---|---|
//! | connector (request) | callbacks that are owed | they were made, and the connection is over |
//! | QP (claim) | transfers | drained: TCP's connection is closed, and no transfer runs |
//! | QP and shared endpoint, as antecedents of the connector | OBJ-2 | the connector is taken apart |
//! | endpoint | its port | the connector is taken apart; at the end of an attempt that came to nothing |

mod batches;
mod ending;
mod establish;
mod layout;
mod life;
mod phase;
mod port;
mod startup;
mod state;
mod stream;
mod timer;
mod upcalls;

use core::net::SocketAddr;

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use self::batches::Batches;
pub(crate) use self::batches::{BATCH, BATCHES};
pub use self::layout::WireLayout;
use self::life::TcpLife;
use self::phase::Phase;
pub(crate) use self::port::WirePort;
use self::startup::Startup;
use self::state::{Next, State};
use self::stream::Engine;
pub(crate) use self::stream::Stream;
use self::timer::WireTimer;
use super::call::Side;
use super::connector::Connector;
use super::departure::Departure;
use super::end::AntecedentRefs;
use super::private_data::PrivateData;
use crate::adapter::RnicState;
use crate::heap::{NoMemory, Owned, Shared};
use crate::kernel::{Kernel, Lock, Network};
use crate::lifetime::Kind;
use crate::limits::ReadLimits;
use crate::object::{Id, Object, ObjectRef, OnNetwork};
use crate::queue_pair::{Qp, WireTransfers};
use crate::rundown::{Drain, Pin, Rundown, Shard};
use crate::set_once::SetOnce;
use crate::socket_address::SocketAddress;
use crate::sync::{AtomicBool, AtomicU32, Ordering};

/// A connection of TCP.
type Tcp<K> = <<K as Kernel>::Network as Network>::Connection;

/// A batch.
pub(crate) type Batch<K> = <<K as Kernel>::Network as Network>::Batch;

/// The state of a connection, in a block of its own: it has private data, which is long.
struct WireState<K: Kernel>(Lock<K, State<K>>);

impl<K: Kernel> WireState<K> {
    #[inline(never)]
    fn shared(state: State<K>) -> Result<Shared<Self>, NoMemory> {
        Shared::new(Self(Lock::<K, _>::new(state)))
    }
}

/// See the module's head.
pub(crate) struct Wire<K: Kernel> {
    rnic: Shared<RnicState<K>>,
    side: Side,
    local: SetOnce<SocketAddress>,
    remote: SocketAddress,
    tcp: Tcp<K>,
    life: TcpLife,
    state: Shared<WireState<K>>,
    /// The engine. The lock is held for one step or one cut, never while bytes of a message are moved.
    stream: Lock<K, Engine>,
    startup: Shared<Startup<K>>,
    batches: Batches<K>,
    /// Batches that TCP has.
    with_tcp: AtomicU32,
    /// TCP is being asked to end this side's stream, or was: once.
    finishing: AtomicBool,
    /// TCP was asked.
    finished: AtomicBool,
    /// The last word of this side was taken from the engine, and is not with TCP yet: the end of the stream follows it.
    speaking: AtomicBool,
    /// Transfers may begin: set and cleared under the lock of the state, so that it is never set in a phase other than
    /// `Established`.
    operating: AtomicBool,
    joined: Rundown<Joined<K>>,
    /// The transfers of the QP: of its module.
    transfers: Shared<WireTransfers<K>>,
    timer: WireTimer<K>,
    /// The port whose listener it is for, until it is offered.
    port: Lock<K, Option<Shared<WirePort<K>>>>,
}

impl<K: Kernel> Wire<K> {
    /// A connection that has not begun.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES; all that was passed is dropped.
    fn new(
        rnic: &Shared<RnicState<K>>,
        (side, remote): (Side, SocketAddr),
        tcp: Tcp<K>,
        state: State<K>,
        port: Option<Shared<WirePort<K>>>,
    ) -> Result<Shared<Self>, NTSTATUS> {
        // In blocks of their own: together they would be too large for a kernel's stack.
        let state = WireState::shared(state).map_err(no_memory)?;
        let startup = Startup::shared().map_err(no_memory)?;
        let transfers = WireTransfers::shared().map_err(no_memory)?;
        let wire = Shared::new(Self {
            rnic: rnic.clone(),
            side,
            local: SetOnce::new(),
            remote: remote.into(),
            tcp,
            life: TcpLife::new(),
            state,
            stream: Lock::<K, _>::new(Owned::initial().map_err(no_memory)?),
            startup,
            batches: Batches::new(),
            with_tcp: AtomicU32::new(0),
            finishing: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            speaking: AtomicBool::new(false),
            operating: AtomicBool::new(false),
            joined: Rundown::new(),
            transfers,
            timer: WireTimer::new(),
            port: Lock::<K, _>::new(port),
        })
        .map_err(no_memory)?;
        WireTimer::initialise(&wire);
        Ok(wire)
    }

    /// Makes one or more steps of the engine, under its lock: nothing is called out of `step`, and no message's bytes
    /// are moved there.
    pub(crate) fn with_stream<R>(&self, step: impl FnOnce(&mut Stream) -> R) -> R {
        step(&mut self.stream.lock())
    }

    /// A batch that is not in flight, of no bytes; each is sent by [`Wire::send`] or put back.
    pub(crate) fn take_batch(&self) -> Option<Batch<K>> {
        self.batches.take()
    }

    /// Puts a batch back that is not to be sent.
    pub(crate) fn put_batch(&self, batch: Batch<K>) {
        self.batches.put(batch);
    }

    /// Sends a batch behind those before. Up to DISPATCH_LEVEL, no lock held; it may be back before this returns, and
    /// comes back by a call to [`WireTransfers`], unless the connection is closed by now.
    pub(crate) fn send(&self, batch: Batch<K>) {
        self.with_tcp.fetch_add(1, Ordering::AcqRel);
        K::Network::send(&self.tcp, batch);
        // Nothing is cut behind the last word, so this batch has it.
        if self.speaking.load(Ordering::Acquire) {
            self.finish_once();
        }
    }

    /// Takes what is to be sent from the engine; [`Wire::send`] follows. If nothing follows that, neither the end of the
    /// stream nor that of the connection overtakes it.
    pub(crate) fn cut<R>(&self, take: impl FnOnce(&mut Stream) -> R) -> R {
        self.with_stream(|stream| {
            let before = stream.state();
            let taken = take(stream);
            if stream.state() == iwarp::State::Closing && before != iwarp::State::Closing {
                self.speaking.store(true, Ordering::Release);
            }
            taken
        })
    }

    /// Has the bytes of the peer that were not taken indicated again (RX-7). Up to DISPATCH_LEVEL, no lock held.
    pub(crate) fn resume(&self) {
        K::Network::resume(&self.tcp);
        // The rest of an FPDU may be awaited again, though nothing of it is to be indicated (TM-4).
        self.arm_again();
    }

    /// The QP, while the connection is not drained: for a transfer or for what arrives.
    pub(crate) fn joined(&self, shard: Shard) -> Option<Pin<'_, Joined<K>>> {
        self.joined.pin(shard)
    }

    /// The state of the transfers.
    pub(crate) fn transfers(&self) -> &WireTransfers<K> {
        &self.transfers
    }

    /// Ends this side's stream, once.
    fn finish_stream(&self) {
        if self.speaking.load(Ordering::Acquire) {
            // Behind the last word, by the thread that sends it.
            return;
        }
        self.finish_once();
    }

    /// Ends this side's stream, once, and ends the connection then if the stream is over meanwhile.
    fn finish_once(&self) {
        if self.finishing.swap(true, Ordering::AcqRel) {
            return;
        }
        K::Network::finish(&self.tcp);
        self.finished.store(true, Ordering::Release);
        self.speaking.store(false, Ordering::Release);
        self.look_again();
    }

    /// Has TCP cut the connection off, or close it if both streams have ended.
    fn abort(&self) {
        self.life.close();
        K::Network::abort(&self.tcp);
    }

    /// The state of TCP's connection, unless that is closed. Reads only.
    pub(crate) fn on_network(&self) -> Option<OnNetwork> {
        self.life.on_network(self.with_tcp.load(Ordering::Acquire))
    }

    /// Makes a transition under the lock, then does what it asks for without: releases what the attempt had, flushes,
    /// cuts TCP off, and last wakes the connector, whose consumer may use all of that again.
    fn step<R>(&self, transition: impl FnOnce(&mut State<K>, &mut Next<K>) -> R) -> R {
        let mut next = Next::default();
        let (result, connector) = {
            let mut state = self.state.0.lock();
            let result = transition(&mut state, &mut next);
            if !state.is_established() {
                self.operating.store(false, Ordering::Release);
            }
            let connector = state.end.connector.as_ref().filter(|_| next.wake);
            (result, connector.and_then(|connector| connector.acquire(Kind::Request).ok()))
        };
        let Next { wake: _, abort, flush, released, disconnected, failed } = next;
        if disconnected {
            self.rnic.counters().disconnected();
        }
        drop(released);
        if abort {
            self.with_stream(|stream| stream.abort());
        }
        if let Some(qp) = flush {
            qp.kill();
        }
        if abort {
            self.abort();
        }
        if let Some(connector) = connector {
            connector.wake();
        }
        if failed {
            self.given_back();
        }
        result
    }

    /// All that a failed attempt had is released: that it has failed stands in the state only now, for calls that look there.
    fn given_back(&self) {
        self.step(|state, next| state.given_back(next));
    }

    /// As [`Link::attach`](super::link::Link::attach).
    pub(super) fn attach(&self, passive: ObjectRef<K, Connector<K>>) {
        drop(self.step(|state, _| state.end.connector.replace(passive)));
    }

    /// As [`Link::local_address`](super::link::Link::local_address).
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        match self.side {
            Side::Active => self.state.0.lock().departure().and_then(Departure::occupied),
            Side::Passive => self.local(),
        }
    }

    /// This side's address, once TCP has it.
    fn local(&self) -> Option<SocketAddr> {
        self.local.get().copied().map(SocketAddr::from)
    }

    /// The peer's address.
    pub(super) fn peer_address(&self) -> SocketAddr {
        self.remote.into()
    }

    /// As [`Link::addresses`](super::link::Link::addresses).
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.local().filter(|_| self.is_established())?, self.peer_address()))
    }

    /// As [`Link::peer_data`](super::link::Link::peer_data).
    pub(super) fn peer_data(&self, own: ReadLimits) -> (ReadLimits, PrivateData) {
        let state = self.state.0.lock();
        let own = state.end.limits.unwrap_or(own);
        (state.peer_limits.map_or(own, |peer| own.effective(peer)), state.peer_data.clone())
    }

    /// As [`Link::name_antecedents`](super::link::Link::name_antecedents).
    pub(super) fn name_antecedents(&self, name: &mut dyn FnMut(Id)) {
        let state = self.state.0.lock();
        let AntecedentRefs { shared, qp } = &state.end.ties;
        if let Some(shared) = shared {
            name(Id::of(shared));
        }
        if let Some(qp) = qp {
            name(Id::of(qp));
        }
    }

    /// As [`Link::is_refused`](super::link::Link::is_refused).
    pub(super) fn is_refused(&self) -> bool {
        self.state.0.lock().is_refused()
    }

    /// As [`Link::forget_connector`](super::link::Link::forget_connector).
    pub(super) fn forget_connector(&self) {
        drop(self.step(|state, _| state.end.connector.take()));
    }

    /// As [`Link::part`](super::link::Link::part).
    pub(super) fn part(&self) -> (Option<Departure<K>>, AntecedentRefs<K>) {
        self.step(|state, _| {
            let departure = match &mut state.phase {
                Phase::Disconnected { departure } => departure.take(),
                // Before, the wire holds the connector; after, there is none.
                _ => None,
            };
            (departure, core::mem::replace(&mut state.end.ties, AntecedentRefs::none()))
        })
    }

    /// Returns true if the QP may post: the connection is established, and neither end has ended it.
    pub(crate) fn is_established(&self) -> bool {
        self.operating.load(Ordering::Acquire)
    }
}

/// The status of a call that has found no memory.
fn no_memory(NoMemory: NoMemory) -> NTSTATUS {
    STATUS_INSUFFICIENT_RESOURCES
}

/// The QP of a connection, until that is drained.
pub(crate) struct Joined<K: Kernel> {
    qp: ObjectRef<K, Qp<K>>,
    wire: Shared<Wire<K>>,
}

impl<K: Kernel> Joined<K> {
    /// The QP.
    pub(crate) fn qp(&self) -> &Object<K, Qp<K>> {
        &self.qp
    }
}

impl<K: Kernel> Drain for Joined<K> {
    fn drained(self) {
        let Self { qp, wire } = self;
        // The QP is held until the connection's end has flushed it.
        wire.drained();
        drop(qp);
    }
}
