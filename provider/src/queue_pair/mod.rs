//! Queue pairs: posting, flushing, and the life of a queue pair.
//!
//! | a queue pair is | initiator posts | receive posts | leaves it by |
//! |---|---|---|---|
//! | not connected | refused (WR-7) | accepted | complete connect |
//! | connected | accepted | accepted | disconnect on either side, an error |
//! | disconnected by the peer | refused | accepted; what was accepted waits | disconnect here, close |
//! | dead | refused | accepted and flushed at once | - |
//!
//! Dead is what disconnect here, a broken connection and close lead to: every accepted request has
//! exactly one result, cancelled if nothing else (WR-2).

mod ending;
mod engine;
mod inline;
mod results;
mod srq;
mod work;

pub(crate) use srq::Srq;
pub(crate) use work::{Flags, Initiated, Operation, QueueFull, Receive, Sgl};

use sys::ndk::NDK_OBJECT_TYPE;

use crate::adapter::Pd;
use crate::combiner::Combiner;
use crate::completion::Cq;
use crate::connection::Session;
use crate::consumer::Opaque;
use crate::heap::{NoMemory, Once, Shared};
use crate::kernel::Kernel;
use crate::memory::{Domain, Owner, Posted, Sge};
use crate::object::{Body, Hold, Object};
use crate::port::MAX_TRANSFER_LENGTH;
use crate::sync::{AtomicBool, AtomicU32, Ordering};
use ending::Current;
use inline::InlineData;
use work::WorkQueue;

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

/// Where receives come from.
enum Receives<K: Kernel> {
    /// A queue of its own.
    Own(WorkQueue<Receive>),
    /// A shared one.
    Shared(Hold<K, Srq<K>>),
}

/// What a queue pair is beyond an object.
pub(crate) struct Qp<K: Kernel> {
    pd: Hold<K, Pd<K>>,
    receive_cq: Hold<K, Cq<K>>,
    initiator_cq: Hold<K, Cq<K>>,
    context: Opaque,
    depths: Depths,
    initiator: WorkQueue<Initiated<K>>,
    inline: InlineData,
    receive: Receives<K>,
    /// The request that was taken off the initiator queue and can't go on yet.
    engine: Combiner<Current<K>>,
    cancel: AtomicU32,
    /// A connector has it.
    claimed: AtomicBool,
    session: Once<Session<K>>,
}

/// Why a post was refused inline; there is no result for it (WR-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostError {
    /// Not connected, or no longer (WR-7).
    NotConnected,
    /// Too many scatter/gather entries, or bytes, or bytes inline.
    TooLarge,
    /// As many requests as the depth are outstanding.
    QueueFull,
    /// Receives are to be posted on the shared queue.
    SharedReceives,
}

impl From<QueueFull> for PostError {
    fn from(_: QueueFull) -> Self {
        Self::QueueFull
    }
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
        let initiator = WorkQueue::new(depths.initiator)?;
        let inline = InlineData::new(depths.initiator, depths.inline as usize)?;
        let receive = match srq {
            None => Receives::Own(WorkQueue::new(depths.receive)?),
            Some(srq) => {
                srq.attach()?;
                Receives::Shared(srq)
            }
        };
        Ok(Self {
            initiator,
            inline,
            receive,
            pd,
            receive_cq,
            initiator_cq,
            context,
            depths,
            engine: Combiner::new(Current::default()),
            cancel: AtomicU32::new(0),
            claimed: AtomicBool::new(false),
            session: Once::new(),
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

    /// Gives it back, as the connection did not come about.
    pub(crate) fn unclaim(&self) {
        self.claimed.store(false, Ordering::Release);
    }

    /// The connection is established: transfers go by this session.
    pub(crate) fn join(&self, session: Shared<Session<K>>) {
        self.session.set(session);
    }

    /// Whether everything posted is flushed.
    pub(crate) fn is_dead(&self) -> bool {
        self.cancel.load(Ordering::SeqCst) & DEAD != 0
    }
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// Accepts an initiator request and starts it, with all deferred ones before it. If it is refused,
    /// the deferred ones are for the caller to start (WR-6), see [`Object::start_deferred`].
    ///
    /// Up to DISPATCH_LEVEL. The caller holds the queue pair, as the result may make the consumer close it
    /// before this returns.
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    pub(crate) fn post_transfer(
        &self,
        operation: impl FnOnce(Sgl) -> Operation<K>,
        (flags, context): (Flags, Opaque),
        local: &Sgl,
    ) -> Result<(), PostError> {
        if local.entries().len() > self.depths.initiator_sge as usize
            || local.length() > MAX_TRANSFER_LENGTH as usize
        {
            return Err(PostError::TooLarge);
        }
        self.accept(flags, |_| Initiated { operation: operation(*local), flags, context })
    }

    /// As [`Object::post_transfer`], with the data of `entries` taken at once. Neither the tokens nor the
    /// number of the entries matter (WR-5).
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    ///
    /// # Safety
    ///
    /// The entries name memory that can be read at the caller's level.
    pub(crate) unsafe fn post_inline(
        &self,
        operation: impl FnOnce(Sgl) -> Operation<K>,
        (flags, context): (Flags, Opaque),
        entries: impl Iterator<Item = Sge> + Clone,
    ) -> Result<(), PostError> {
        let length = entries.clone().fold(0_usize, |sum, sge| sum.saturating_add(sge.length as usize));
        if length > self.inline.size() {
            return Err(PostError::TooLarge);
        }
        self.accept(flags, |position| {
            // SAFETY: as the caller promises.
            let copy = unsafe { self.inline.fill(position, entries) };
            Initiated { operation: operation(Sgl::single(copy)), flags, context }
        })
    }

    /// As [`Object::post_transfer`], for a fast registration or a bind. The token is known from then on.
    ///
    /// # Errors
    ///
    /// See [`PostError`]; the registration is taken back then.
    pub(crate) fn post_registration(
        &self,
        operation: impl FnOnce(Posted<K>) -> Operation<K>,
        (flags, context): (Flags, Opaque),
        mut posted: Posted<K>,
    ) -> Result<(), PostError> {
        self.accept(flags, |_| {
            posted.claim();
            Initiated { operation: operation(posted), flags, context }
        })
    }

    /// As [`Object::post_transfer`], for an invalidation.
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    pub(crate) fn post_invalidation(
        &self,
        (flags, context): (Flags, Opaque),
        owner: Owner<K>,
    ) -> Result<(), PostError> {
        self.accept(flags, |_| Initiated { operation: Operation::Invalidate(Some(owner)), flags, context })
    }

    fn accept(&self, flags: Flags, make: impl FnOnce(u64) -> Initiated<K>) -> Result<(), PostError> {
        if self.is_dead() || !self.session.value().is_some_and(Session::is_established) {
            return Err(PostError::NotConnected);
        }
        self.initiator.post(make)?;
        if !flags.contains(Flags::DEFER) {
            self.progress();
        }
        Ok(())
    }

    /// Starts what was deferred, as a later request was refused (WR-6).
    pub(crate) fn start_deferred(&self) {
        self.progress();
    }

    /// Accepts a receive, and lets the peer's sends that waited for it go on. As [`Object::post_transfer`].
    ///
    /// # Errors
    ///
    /// [`PostError::TooLarge`], [`PostError::QueueFull`] or [`PostError::SharedReceives`].
    pub(crate) fn post_receive(&self, work: Receive) -> Result<(), PostError> {
        let Receives::Own(queue) = &self.receive else { return Err(PostError::SharedReceives) };
        if work.sink.entries().len() > self.depths.receive_sge as usize {
            return Err(PostError::TooLarge);
        }
        queue.post(|_| work)?;
        if self.is_dead() {
            self.progress();
        } else {
            self.peer_progress();
        }
        Ok(())
    }

    /// There is a receive: a message of the peer's that waited for one goes on.
    fn peer_progress(&self) {
        if let Some(transfers) = self.session.value().and_then(Session::transfer) {
            transfers.peer_of(self).progress();
        }
    }

    /// The next receive for a message that has arrived.
    fn take_receive(&self) -> Option<Receive> {
        match &self.receive {
            Receives::Own(queue) => queue.take(),
            Receives::Shared(srq) => srq.take(self),
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

    /// What is outstanding is flushed, and the connection ends (CL-4).
    fn start_close(object: &Object<K, Self>) {
        object.kill();
        if let Some(session) = object.session.value() {
            session.fail();
        }
        if let Receives::Shared(srq) = &object.receive {
            srq.forget(object);
        }
    }

    fn dismantle(self) -> Self::Ties {
        let srq = match self.receive {
            Receives::Own(_) => None,
            Receives::Shared(srq) => {
                srq.detach();
                Some(srq)
            }
        };
        (self.pd, self.receive_cq, self.initiator_cq, srq)
    }

    /// A queue pair has no callbacks of its own.
    fn deliver(_: &Object<K, Self>, _: u32) {}
}
