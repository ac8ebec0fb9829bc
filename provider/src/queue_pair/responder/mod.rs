//! The responder of a QP: where its receives come from, and the order in which messages and flushes take them.
//!
//! | module | contents |
//! |---|---|
//! | this one | receives go in; messages and flushes take them, and complete them |
//! | `delivery_lock` | makes messages and flushes take turns |
//! | `srq` | the receive queue that several responders share |

#![expect(unsafe_code, reason = "the consumer serialises posts")]

mod delivery_lock;
mod srq;

pub(super) use delivery_lock::DeliveryLock;
pub(crate) use srq::Srq;

use sys::ndk::NDK_OPERATION_TYPE;
use sys::status::{NTSTATUS, STATUS_CANCELLED};

use super::post::PostError;
use super::sgl::{Sgl, refill};
use super::work::WorkQueue;
use super::{Depths, FLUSH_RECEIVES, Qp};
use crate::adapter::Cq;
use crate::completion::{Cqe, Overflow};
use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::memory::{Sge, Token};
use crate::number::usize_from;
use crate::object::{Object, ObjectRef};
use crate::sync::{AtomicBool, Line, Ordering, fence};
use srq::Seat;

/// The part of a receive's result that its message gives.
#[derive(Clone, Copy)]
pub(super) struct Message {
    /// The receive's own.
    pub(super) context: Opaque,
    pub(super) bytes: u32,
    pub(super) solicited: bool,
    pub(super) invalidated: Option<Token>,
}

impl Message {
    /// Of a receive that no message has met.
    pub(super) const fn none(context: Opaque) -> Self {
        Self { context, bytes: 0, solicited: false, invalidated: None }
    }
}

/// A receive as it lies in the queue, within one cache line: with its first entry, as most have no other. The processor that
/// delivers a message then reads one line of the poster's, not two.
#[derive(Clone, Copy)]
pub(super) struct Receive {
    pub(super) context: Opaque,
    /// An entry of no bytes if there is none.
    pub(super) first: Sge,
}

impl Receive {
    /// Its whole list, of which `rest` has the entries after the first.
    pub(super) fn list(&self, rest: &Sgl) -> Sgl {
        let mut list = Sgl::new();
        refill(&mut list, core::iter::once(self.first).chain(rest.iter().copied()));
        list
    }
}

/// The source of receives.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a queue pair, and most have a queue of their own"
)]
pub(super) enum Receives<K: Kernel> {
    /// A queue of its own.
    Own(WorkQueue<Receive>),
    /// A shared one.
    Shared(Seat<K>),
}

/// See the module's head.
pub(super) struct Responder<K: Kernel> {
    pub(super) cq: ObjectRef<K, Cq<K>>,
    pub(super) receives: Receives<K>,
    max_sge: usize,
    /// Locked by the delivery of a message, and by a flush.
    delivery_lock: Line<DeliveryLock>,
    /// A message found no receive (RNR): the next one that is posted makes the peer's initiator go on.
    rnr_pending: AtomicBool,
}

impl<K: Kernel> Responder<K> {
    /// A responder without receives, with a queue of its own unless there is an SRQ.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    #[inline(always)]
    pub(super) fn new(
        cq: ObjectRef<K, Cq<K>>,
        srq: Option<ObjectRef<K, Srq<K>>>,
        depths: &Depths,
    ) -> Result<Self, NoMemory> {
        let rest = depths.receive_sge.saturating_sub(1);
        let receives = match srq {
            // SAFETY: the consumer serialises posts to one queue (WR-1), as the edge relies on; and only the holder of
            // the delivery lock takes, each of which happens before the next.
            None => Receives::Own(unsafe { WorkQueue::new(depths.receive, rest) }?),
            Some(srq) => Receives::Shared(Seat::take(srq)?),
        };
        let max_sge = usize_from(depths.receive_sge);
        Ok(Self {
            cq,
            receives,
            max_sge,
            delivery_lock: Line(DeliveryLock::new()),
            rnr_pending: AtomicBool::new(false),
        })
    }

    /// The SRQ, if it takes its receives from one.
    pub(super) fn srq(&self) -> Option<&Object<K, Srq<K>>> {
        match &self.receives {
            Receives::Own(_) => None,
            Receives::Shared(seat) => seat.srq(),
        }
    }

    /// Queues a receive. `dead`: the QP is, so that the receive is flushed.
    ///
    /// # Errors
    ///
    /// [`PostError::TooLarge`], [`PostError::QueueFull`] or [`PostError::SharedReceives`];
    /// [`PostError::NotConnected`] if no result can be reported, as the CQ has overflown (CQ-6).
    pub(super) fn post(
        &self,
        context: Opaque,
        mut sink: impl ExactSizeIterator<Item = Sge>,
        dead: bool,
    ) -> Result<(), PostError> {
        let Receives::Own(queue) = &self.receives else { return Err(PostError::SharedReceives) };
        if sink.len() > self.max_sge {
            return Err(PostError::TooLarge);
        }
        if dead && self.cq.is_overflown() {
            return Err(PostError::NotConnected);
        }
        let receive = Receive { context, first: sink.next().unwrap_or_default() };
        Ok(queue.post(|_| (receive, sink))?)
    }

    /// Takes the mark of a message that waits for a receive, when one was posted.
    fn take_rnr_pending(&self) -> bool {
        self.rnr_pending.load(Ordering::Relaxed) && self.rnr_pending.swap(false, Ordering::AcqRel)
    }

    /// A message is about to arrive.
    pub(super) fn expect_delivery(&self) {
        self.cq.expect_push();
        if let Receives::Own(queue) = &self.receives {
            queue.expect_take();
        }
    }

    /// Locks the delivery; if it is locked, leaves a note, which [`Responder::unlock_delivery`] finds.
    #[must_use]
    fn try_lock_delivery(&self) -> bool {
        self.delivery_lock.try_lock()
    }

    /// Unlocks the delivery. Returns true if it was contended meanwhile.
    #[must_use]
    fn unlock_delivery(&self) -> bool {
        self.delivery_lock.unlock()
    }

    /// The oldest receive, for a message, and in `rest` its entries after the first. If there is none, the next that is
    /// posted finds that one is wanted. The caller has locked the delivery; `qp` is the QP of this responder.
    #[inline(always)]
    fn take(&self, qp: &Object<K, Qp<K>>, rest: &mut Sgl) -> Option<Receive> {
        match &self.receives {
            Receives::Own(queue) => queue.take(rest).or_else(|| self.take_or_wait(queue, rest)),
            Receives::Shared(seat) => seat.srq()?.take(qp, rest),
        }
    }

    #[cold]
    fn take_or_wait(&self, queue: &WorkQueue<Receive>, rest: &mut Sgl) -> Option<Receive> {
        self.rnr_pending.store(true, Ordering::Relaxed);
        // One of two sees the other: a post of a receive looks at this after that.
        fence(Ordering::SeqCst);
        queue.take(rest)
    }

    /// The oldest receive of its own queue, for a flush. Those of an SRQ are not this QP's to cancel. The caller has
    /// locked the delivery.
    fn take_own(&self, rest: &mut Sgl) -> Option<Receive> {
        match &self.receives {
            Receives::Own(queue) => queue.take(rest),
            Receives::Shared(_) => None,
        }
    }

    /// Returns true if the QP has a receive queue of its own, not an SRQ.
    fn has_queue(&self) -> bool {
        matches!(self.receives, Receives::Own(_))
    }

    /// Reports the result of a receive that was taken. The caller has locked the delivery.
    ///
    /// # Errors
    ///
    /// [`Overflow`]: the CQ had no room for it.
    fn report(&self, status: NTSTATUS, message: Message, qp_context: Opaque) -> Result<(), Overflow> {
        if let Receives::Own(queue) = &self.receives {
            queue.completed();
        }
        let operation = match message.invalidated {
            Some(_) => NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate,
            None => NDK_OPERATION_TYPE::NdkOperationTypeReceive,
        };
        let result = Cqe {
            status,
            bytes: message.bytes,
            qp_context,
            request_context: message.context,
            operation,
            invalidated: message.invalidated.map_or(0, |token| token.0),
        };
        self.cq.push(result, message.solicited)
    }
}

/// In each function `qp` is the QP of this responder.
impl<K: Kernel> Responder<K> {
    /// Takes the next receive for a message that has arrived, and with it the delivery lock; in `rest` are its entries
    /// after the first. If there is none, the next post of a receive resumes the peer.
    #[inline(always)]
    pub(super) fn next_receive(&self, qp: &Object<K, Qp<K>>, rest: &mut Sgl) -> Option<Receive> {
        if !self.try_lock_delivery() {
            return None;
        }
        let receive = self.take(qp, rest);
        if receive.is_none() {
            self.end_delivery(qp);
        }
        receive
    }

    /// As [`Responder::next_receive`], for the engine of a peer by loopback, which keeps the lock: see [`Responder::give_up`].
    #[inline(always)]
    pub(super) fn next_receive_kept(&self, qp: &Object<K, Qp<K>>, rest: &mut Sgl) -> Option<Receive> {
        if !self.delivery_lock.try_lock_and_keep() {
            return None;
        }
        let receive = self.take(qp, rest);
        if receive.is_none() {
            // A flush that wants the lock would find it kept again each time that it runs the engine for it.
            self.give_up(qp);
        }
        receive
    }

    /// The result of the receive that a message of the peer's has met, which unlocks the delivery.
    pub(super) fn delivered(&self, qp: &Object<K, Qp<K>>, status: NTSTATUS, message: Message) {
        self.delivered_kept(qp, status, message);
        self.end_delivery(qp);
    }

    /// As [`Responder::delivered`], of which the peer's engine keeps the lock.
    #[inline(always)]
    pub(super) fn delivered_kept(&self, qp: &Object<K, Qp<K>>, status: NTSTATUS, message: Message) {
        self.finish(qp, status, message);
        // The peer's next message takes the next receive; its line comes while this one's result is on its way.
        if let Receives::Own(queue) = &self.receives {
            queue.expect_another();
        }
    }

    /// The peer's engine, which keeps the lock perhaps, lets a flush have it that wants it.
    #[inline(always)]
    pub(super) fn give_up_if_wanted(&self, qp: &Object<K, Qp<K>>) {
        if self.delivery_lock.is_kept_and_wanted() {
            self.give_up(qp);
        }
    }

    /// The peer's engine keeps the lock no longer.
    #[cold]
    pub(super) fn give_up(&self, qp: &Object<K, Qp<K>>) {
        if self.keep_for_one() {
            self.end_delivery(qp);
        }
    }

    /// The lock that the peer's engine keeps belongs to a single delivery from now on, which [`Responder::delivered`] ends.
    /// Returns true if it was kept.
    pub(super) fn keep_for_one(&self) -> bool {
        self.delivery_lock.keep_no_more()
    }

    /// A receive was posted: a flush or a message of the peer's that waits for one goes on.
    pub(super) fn receive_posted(&self, qp: &Object<K, Qp<K>>) {
        // Both look for a receive after they have said that they wait: one of two sees the other.
        fence(Ordering::SeqCst);
        if qp.is_dead() {
            qp.progress();
        } else if self.take_rnr_pending() {
            qp.peer_progress();
        }
    }

    /// Cancels all receives that are queued, at once or when the delivery is unlocked. Those of a shared queue
    /// are not this queue pair's to cancel.
    #[inline(never)]
    pub(super) fn flush(&self, qp: &Object<K, Qp<K>>) {
        if !self.has_queue() {
            return;
        }
        if !self.try_lock_delivery() {
            // The peer finds the note and runs this engine again. Its engine may keep the lock while it is idle.
            qp.cancel.fetch_or(FLUSH_RECEIVES, Ordering::SeqCst);
            qp.attachment.run_peer();
            return;
        }
        // A post of a receive reads `cancel` after its push: the flush or the post sees the other.
        fence(Ordering::SeqCst);
        let mut rest = Sgl::new();
        while let Some(Receive { context, .. }) = self.take_own(&mut rest) {
            self.finish(qp, STATUS_CANCELLED, Message::none(context));
        }
        if self.unlock_delivery() {
            qp.peer_progress();
        }
    }

    /// A receive that was taken is over.
    fn finish(&self, qp: &Object<K, Qp<K>>, status: NTSTATUS, message: Message) {
        if self.report(status, message, qp.context).is_err() {
            qp.overflow();
        }
    }

    /// Unlocks the delivery: a flush that found it locked goes on.
    fn end_delivery(&self, qp: &Object<K, Qp<K>>) {
        if self.unlock_delivery() {
            qp.progress();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::ptr::without_provenance_mut;

    use sys::ndk::{NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_SGE};
    use sys::status::{STATUS_CANCELLED, STATUS_SUCCESS};

    use super::*;
    use crate::tests::consumer::{Buffer, Pair, Side, call, close};
    use test_kernel::Manual;

    fn receive(side: &Side, number: usize, sge: &NDK_SGE) {
        assert_eq!(call!(side.qp, NdkReceive, without_provenance_mut(number), sge, 1), STATUS_SUCCESS);
    }

    #[test]
    fn receive_fills_one_cache_line_of_its_queue() {
        assert_eq!(WorkQueue::<Receive>::SLOT, 64);
    }

    #[test]
    fn flush_of_late_receives_keeps_the_sgl_of_a_waiting_send() {
        let pair = Pair::connected();
        let mut buffers = [Buffer::new(vec![7; 5000]), Buffer::new(vec![0; 5000])];
        let [near, far] = &mut buffers;
        let (near_mr, near_token) = near.register(&pair.near, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
        let (far_mr, far_token) = far.register(&pair.far, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
        receive(&pair.near, 1, &NDK_SGE { Length: 100, ..near.sge(near_token) });
        // SAFETY: the queue pair is open.
        let qp = unsafe { &*pair.near.qp.cast::<Object<Manual, Qp<Manual>>>() };
        assert!(qp.responder.try_lock_delivery(), "the peer is about to deliver");
        qp.flush();
        let send = near.sge(near_token);
        assert_eq!(call!(pair.near.qp, NdkSend, without_provenance_mut(2), &send, 1, 0), STATUS_SUCCESS);
        qp.responder.end_delivery(qp);
        assert_eq!(pair.near.results(), [(STATUS_CANCELLED, 0, 1)]);
        receive(&pair.far, 3, &far.sge(far_token));
        assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 5000, 3)]);
        assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 5000, 2)]);
        for mr in [near_mr, far_mr] {
            assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        }
        pair.tear_down();
    }
}
