//! Flushes, and the ends of a QP: every request that was accepted has a result by then (WR-2).

use sys::status::STATUS_CANCELLED;

use super::initiator::InFlight;
use super::responder::Message;
use super::sgl::Sgl;
use super::{DEAD, FLUSH, FLUSH_RECEIVES, Qp};
use crate::adapter::Cq;
use crate::kernel::Kernel;
use crate::object::{Object, ObjectType as _};
use crate::sync::{Ordering, fence};

/// Ends the QPs that complete into a CQ which has overflown (CQ-6). Up to DISPATCH_LEVEL, no lock held.
pub(crate) fn cq_overflown<K: Kernel>(cq: &Object<K, Cq<K>>) {
    cq.adapter().registry().for_each::<Qp<K>>(|qp| qp.cq_overflown(cq));
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// NdkFlush: what is queued on both queues is cancelled. May run concurrently with posts (WR-1).
    pub(crate) fn flush(&self) {
        self.cancel.fetch_or(FLUSH, Ordering::SeqCst);
        self.progress();
    }

    /// Flushes for good.
    pub(crate) fn kill(&self) {
        self.cancel.fetch_or(DEAD, Ordering::SeqCst);
        self.progress();
    }

    /// Flushes for good, and ends the attempt or the connection that it is in.
    pub(super) fn die(&self) {
        self.kill();
        if let Some(link) = self.attachment.link() {
            link.qp_died();
        }
    }

    /// The CQ has overflown: a QP that completes into it dies.
    fn cq_overflown(&self, cq: &Object<K, Cq<K>>) {
        if [&self.responder.cq, &self.initiator.cq].into_iter().any(|own| core::ptr::eq(&raw const **own, cq))
        {
            self.die();
        }
    }

    /// Cancels all initiator requests that are queued.
    pub(super) fn cancel_initiated(&self, in_flight: &mut InFlight<K>) {
        if let Some(arrived) = in_flight.pending_invalidate.take().and_then(|ended| ended.arrived) {
            arrived.cancel();
        }
        while self.initiator.begin_next(in_flight) {
            self.finish(in_flight, STATUS_CANCELLED);
        }
    }

    /// Cancels all receives that are queued, at once or when the delivery is unlocked. Those of a shared queue
    /// are not this queue pair's to cancel.
    #[inline(never)]
    pub(super) fn cancel_receives(&self) {
        if !self.responder.has_queue() {
            return;
        }
        if !self.responder.try_lock_delivery() {
            // The peer finds the note and runs this engine again.
            self.cancel.fetch_or(FLUSH_RECEIVES, Ordering::SeqCst);
            return;
        }
        // A post of a receive reads `cancel` after its push: the flush or the post sees the other.
        fence(Ordering::SeqCst);
        let mut sink = Sgl::new();
        while let Some(context) = self.responder.take_own(&mut sink) {
            self.received(STATUS_CANCELLED, Message::none(context));
        }
        if self.responder.unlock_delivery() {
            self.peer_progress();
        }
    }

    /// A result was lost: the queue pair is of no more use (CQ-6). Those that share the queue with it follow in the
    /// queue's DPC.
    pub(super) fn overflow(&self) {
        self.cancel.fetch_or(DEAD, Ordering::SeqCst);
        self.break_connection();
    }

    /// Ends the connection; when the transfers that still run have drained, both ends are flushed.
    pub(super) fn break_connection(&self) {
        if self.attachment.is_joined() {
            self.pd.adapter().rnic().counters().connection_error();
            self.attachment.fail();
        }
    }
}

#[cfg(all(test, not(loom)))]
#[expect(unsafe_code, reason = "tests call the provider as consumers do")]
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
        qp.end_delivery();
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
