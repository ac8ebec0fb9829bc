//! The responder of a QP: where its receives come from, and the order in which messages and flushes take them.

use sys::ndk::NDK_OPERATION_TYPE;
use sys::status::NTSTATUS;

use super::delivery_lock::DeliveryLock;
use super::post::PostError;
use super::sgl::Sgl;
use super::srq::Seat;
use super::work::WorkQueue;
use super::{Depths, Qp, Srq};
use crate::adapter::Cq;
use crate::completion::{Cqe, Overflow};
use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::memory::{Sge, Token};
use crate::number::usize_from;
use crate::object::{Object, ObjectRef};
use crate::sync::{AtomicBool, Line, Ordering, fence};

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

/// Where receives come from.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a queue pair, and most have a queue of their own"
)]
pub(super) enum Receives<K: Kernel> {
    /// A queue of its own.
    Own(WorkQueue<Opaque>),
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
        let receives = match srq {
            None => Receives::Own(WorkQueue::new(depths.receive, depths.receive_sge)?),
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
        sink: impl ExactSizeIterator<Item = Sge>,
        dead: bool,
    ) -> Result<(), PostError> {
        let Receives::Own(queue) = &self.receives else { return Err(PostError::SharedReceives) };
        if sink.len() > self.max_sge {
            return Err(PostError::TooLarge);
        }
        if dead && self.cq.is_overflown() {
            return Err(PostError::NotConnected);
        }
        Ok(queue.post(|_| (context, sink))?)
    }

    /// Takes the mark of a message that waits for a receive, when one was posted.
    pub(super) fn take_rnr_pending(&self) -> bool {
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
    pub(super) fn try_lock_delivery(&self) -> bool {
        self.delivery_lock.try_lock()
    }

    /// Unlocks the delivery. Returns true if it was contended meanwhile.
    #[must_use]
    pub(super) fn unlock_delivery(&self) -> bool {
        self.delivery_lock.unlock()
    }

    /// The oldest receive, for a message: its context, and in `sink` its list. If there is none, the next that is
    /// posted finds that one is wanted. The caller has locked the delivery; `qp` is the QP of this responder.
    pub(super) fn take(&self, qp: &Object<K, Qp<K>>, sink: &mut Sgl) -> Option<Opaque> {
        match &self.receives {
            Receives::Own(queue) => queue.take(sink).or_else(|| {
                self.rnr_pending.store(true, Ordering::Relaxed);
                // One of two sees the other: a post of a receive looks at this after that.
                fence(Ordering::SeqCst);
                queue.take(sink)
            }),
            Receives::Shared(seat) => seat.srq()?.take(qp, sink),
        }
    }

    /// The oldest receive of its own queue, for a flush. Those of an SRQ are not this QP's to cancel. The caller has
    /// locked the delivery.
    pub(super) fn take_own(&self, sink: &mut Sgl) -> Option<Opaque> {
        match &self.receives {
            Receives::Own(queue) => queue.take(sink),
            Receives::Shared(_) => None,
        }
    }

    /// Returns true if the QP has a receive queue of its own, not an SRQ.
    pub(super) fn has_queue(&self) -> bool {
        matches!(self.receives, Receives::Own(_))
    }

    /// Reports the result of a receive that was taken. The caller has locked the delivery.
    ///
    /// # Errors
    ///
    /// [`Overflow`]: the CQ had no room for it.
    pub(super) fn finish(
        &self,
        status: NTSTATUS,
        message: Message,
        qp_context: Opaque,
    ) -> Result<(), Overflow> {
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
