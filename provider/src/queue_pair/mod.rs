//! Queue pairs: what they are made of, flushing, and their life.
//!
//! | a queue pair is | initiator posts | receive posts | leaves it by |
//! |---|---|---|---|
//! | not connected | refused (WR-7) | accepted | complete connect |
//! | connected | accepted | accepted | disconnect on either side, an error |
//! | disconnected by the peer | refused | accepted; what was accepted waits | disconnect here, close |
//! | dead | refused | accepted and flushed at once; refused if the receive CQ has overflown | - |
//!
//! Dead is what disconnect here, a broken connection, an overflow of its CQ and close lead to: every accepted request
//! has exactly one result, cancelled if nothing else (WR-2), unless its CQ has no room for any (CQ-6).

mod ending;
mod engine;
mod inline;
mod list;
mod patience;
mod post;
mod results;
mod srq;
mod turn;
mod work;

pub(crate) use post::PostError;
use srq::Seat;
pub(crate) use srq::Srq;
pub(crate) use work::{Flags, Operation};

use sys::ndk::NDK_OBJECT_TYPE;

use crate::adapter::Pd;
use crate::combiner::Combiner;
use crate::completion::Cq;
use crate::connection::{Session, Side, Transfers};
use crate::consumer::Opaque;
use crate::heap::{NoMemory, Once, Shared};
use crate::kernel::{Kernel, Lock};
use crate::memory::{Domain, Posted};
use crate::object::{ALARM, Alarm, Body, Hold, Id, Object, Registry};
use crate::ring::Ring;
use crate::rundown::Pin;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Line, Ordering, fence};
use ending::Current;
use inline::InlineData;
use list::List;
use turn::Turn;
use work::{Initiated, WorkQueue};

/// What a consumer asks of a new queue pair; checked against the limits of the adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depths {
    pub(crate) receive: u32,
    pub(crate) initiator: u32,
    pub(crate) receive_sge: u32,
    pub(crate) initiator_sge: u32,
    /// Bytes of inline data in one request.
    pub(crate) inline: u32,
}

/// Flush once: cancel what is queued now.
const FLUSH: u32 = 1;
/// Dead: cancel what is queued, and whatever comes.
const DEAD: u32 = 2;
/// What is left of a flush that did not have its turn at the receives.
const FLUSH_RECEIVES: u32 = 4;

/// The alarm of a send that waits for a receive has rung.
const RANG: u32 = 8;

/// Where receives come from.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a queue pair, and most have a queue of their own"
)]
enum Receives<K: Kernel> {
    /// A queue of its own.
    Own(WorkQueue<Opaque>),
    /// A shared one.
    Shared(Seat<K>),
}

/// What a queue pair is beyond an object.
pub(crate) struct Qp<K: Kernel> {
    pd: Hold<K, Pd<K>>,
    receive_cq: Hold<K, Cq<K>>,
    initiator_cq: Hold<K, Cq<K>>,
    context: Opaque,
    depths: Depths,
    initiator: WorkQueue<Initiated<K>>,
    /// What the fast registrations and binds in it are to make valid, in their order.
    registrations: Ring<Posted<K>>,
    inline: InlineData,
    receive: Receives<K>,
    /// Who takes receives: mostly the peer.
    turn: Line<Turn>,
    /// The peer found no receive: the next one makes it go on.
    starving: AtomicBool,
    /// The request that was taken off the initiator queue and can't go on yet.
    engine: Line<Combiner<Current<K>>>,
    cancel: AtomicU32,
    /// Rings while a send waits for a receive.
    alarm: Alarm<K>,
    /// A connector has it.
    claimed: AtomicBool,
    /// The attempt, then the connection, that the connector has it for: it is told when the queue pair dies.
    bound: Lock<K, Option<Shared<Session<K>>>>,
    session: Once<Session<K>>,
    /// Which end of which connection this is, once there is a session: the connection's number, doubled, and one
    /// more on the passive side.
    direction: AtomicU64,
}

impl<K: Kernel> Qp<K> {
    /// A queue pair that is not connected, with a receive queue of its own unless `srq` is given.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        pd: Hold<K, Pd<K>>,
        receive_cq: Hold<K, Cq<K>>,
        initiator_cq: Hold<K, Cq<K>>,
        srq: Option<Hold<K, Srq<K>>>,
        context: Opaque,
        depths: Depths,
    ) -> Result<Self, NoMemory> {
        let initiator = WorkQueue::new(depths.initiator, depths.initiator_sge)?;
        let inline = InlineData::new(depths.initiator, depths.inline as usize)?;
        let receive = match srq {
            None => Receives::Own(WorkQueue::new(depths.receive, depths.receive_sge)?),
            Some(srq) => Receives::Shared(Seat::take(srq)?),
        };
        Ok(Self {
            initiator,
            registrations: Ring::new(depths.initiator)?,
            inline,
            receive,
            turn: Line(Turn::new()),
            starving: AtomicBool::new(false),
            pd,
            receive_cq,
            initiator_cq,
            context,
            depths,
            engine: Line(Combiner::new(Current::default())),
            cancel: AtomicU32::new(0),
            alarm: Alarm::new(),
            claimed: AtomicBool::new(false),
            bound: Lock::<K, _>::new(None),
            session: Once::new(),
            direction: AtomicU64::new(0),
        })
    }

    /// The protection domain.
    pub(crate) fn pd(&self) -> &Object<K, Pd<K>> {
        &self.pd
    }

    /// The protection domain, as it is compared.
    pub(crate) fn domain(&self) -> Domain {
        Domain::of(&self.pd)
    }

    /// Takes the queue pair for a connector. A queue pair connects once (CM-3).
    #[must_use]
    pub(crate) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Names the session that is told of the queue pair's death. The caller has claimed it, and looks whether it
    /// is dead after this, under the session's lock. Up to DISPATCH_LEVEL, no lock held.
    pub(crate) fn bind(&self, session: Shared<Session<K>>) {
        let earlier = self.bound.lock().replace(session);
        drop(earlier);
    }

    /// Gives it back, as the connection did not come about. Up to DISPATCH_LEVEL, no lock held.
    pub(crate) fn unclaim(&self) {
        let session = self.bound.lock().take();
        drop(session);
        self.claimed.store(false, Ordering::Release);
    }

    /// The connection is established: transfers go by this session. `number` is the same at both ends, and
    /// another one for other connections.
    pub(crate) fn join(&self, session: Shared<Session<K>>, side: Side, number: u64) {
        let passive = u64::from(side == Side::Passive);
        self.direction.store(number.wrapping_shl(1) | passive, Ordering::Relaxed);
        self.session.set(session);
    }

    /// Begins a transfer that this side initiates, if the connection is established: gives the means, and which
    /// end this is.
    fn transfer(&self) -> Option<(Pin<'_, Transfers<K>>, Side)> {
        let session = self.session.value()?;
        let passive = self.direction.load(Ordering::Relaxed) & 1 != 0;
        let side = if passive { Side::Passive } else { Side::Active };
        Some((session.transfer(side)?, side))
    }

    /// Whether everything posted is flushed.
    pub(crate) fn is_dead(&self) -> bool {
        self.cancel.load(Ordering::SeqCst) & DEAD != 0
    }
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// There is a receive: a message of the peer's that waited for one goes on.
    fn peer_progress(&self) {
        if let Some((transfers, side)) = self.transfer() {
            transfers.peer_of(side).progress();
        }
    }

    /// The next receive for a message that has arrived, and with it the turn at the receives: its context, and
    /// in `sink` its list. If there is none, the peer is told of the next one.
    fn next_receive(&self, sink: &mut List) -> Option<Opaque> {
        if !self.turn.take() {
            return None;
        }
        let receive = self.take_receive(sink);
        if receive.is_none() {
            self.end_delivery();
        }
        receive
    }

    /// A receive was posted: whoever waits for one goes on, be it a flush or the peer.
    fn receive_posted(&self) {
        // Both look for a receive after they have said that they wait: one of two sees the other.
        fence(Ordering::SeqCst);
        if self.is_dead() {
            self.progress();
        } else if self.starving.load(Ordering::Relaxed) && self.starving.swap(false, Ordering::AcqRel) {
            self.peer_progress();
        }
    }

    /// A message is about to arrive.
    fn expect_delivery(&self) {
        self.receive_cq.expect_push();
        if let Receives::Own(queue) = &self.receive {
            queue.expect_take();
        }
    }

    fn take_receive(&self, sink: &mut List) -> Option<Opaque> {
        match &self.receive {
            Receives::Own(queue) => queue.take(sink).or_else(|| {
                self.starving.store(true, Ordering::Relaxed);
                // One of two sees the other: who posts a receive looks for starvation after that.
                fence(Ordering::SeqCst);
                queue.take(sink)
            }),
            Receives::Shared(seat) => seat.srq()?.take(self, sink),
        }
    }

    /// NdkFlush: what is queued on both queues is cancelled. May run concurrently with posts (WR-1).
    pub(crate) fn flush(&self) {
        self.cancel.fetch_or(FLUSH, Ordering::SeqCst);
        self.progress();
    }

    /// Flushes for good.
    fn kill(&self) {
        self.cancel.fetch_or(DEAD, Ordering::SeqCst);
        self.progress();
    }

    /// Flushes for good, and ends the attempt or the connection that it is in.
    fn die(&self) {
        self.kill();
        let session = self.bound.lock().clone();
        if let Some(session) = session {
            session.qp_died();
        }
    }

    /// The queue `cq` has overflown: a queue pair that completes into it dies (CQ-6). Up to DISPATCH_LEVEL, no lock
    /// held.
    pub(crate) fn cq_overflown(&self, cq: &Object<K, Cq<K>>) {
        if [&self.receive_cq, &self.initiator_cq].into_iter().any(|own| core::ptr::eq(&raw const **own, cq)) {
            self.die();
        }
    }

    /// The last transfer of its connection has ended.
    pub(crate) fn disconnected(&self, flush: bool) {
        if flush {
            self.kill();
        }
    }
}

impl<K: Kernel> Body<K> for Qp<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeQp;

    type Ties = (Hold<K, Pd<K>>, Hold<K, Cq<K>>, Hold<K, Cq<K>>, Option<Hold<K, Srq<K>>>);

    fn registry(&self) -> &Registry<K> {
        self.pd.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.pd));
        name(Id::of(&self.receive_cq));
        name(Id::of(&self.initiator_cq));
        if let Receives::Shared(seat) = &self.receive
            && let Some(srq) = seat.srq()
        {
            name(Id::of(srq));
        }
    }

    fn alarm(&self) -> Option<&Alarm<K>> {
        Some(&self.alarm)
    }

    /// What is outstanding is flushed, and the connection ends (CL-4).
    fn start_close(object: &Object<K, Self>) {
        object.die();
        if let Receives::Shared(seat) = &object.receive
            && let Some(srq) = seat.srq()
        {
            srq.forget(object);
        }
    }

    fn dismantle(self) -> Self::Ties {
        let srq = match self.receive {
            Receives::Own(_) => None,
            Receives::Shared(seat) => seat.leave(),
        };
        (self.pd, self.receive_cq, self.initiator_cq, srq)
    }

    /// A queue pair has no callbacks of its own, only an alarm.
    fn deliver(object: &Object<K, Self>, events: u32) {
        if events & ALARM != 0 {
            object.cancel.fetch_or(RANG, Ordering::SeqCst);
            object.progress();
        }
    }
}
