//! The one result of each request that was accepted (WR-2).

use sys::ndk::NDK_OPERATION_TYPE;
use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS};

use super::ending::{Current, Delivered};
use super::list::{List, length};
use super::work::{Flags, Initiated};
use super::{DEAD, FLUSH_RECEIVES, Qp, Receives};
use crate::completion::Completed;
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::memory::Token;
use crate::object::Object;
use crate::sync::{Ordering, fence};

/// What a receive's result says of its message.
#[derive(Clone, Copy)]
pub(super) struct Message {
    /// The receive's own.
    pub(super) context: Opaque,
    pub(super) bytes: u32,
    pub(super) solicited: bool,
    pub(super) invalidated: Option<Token>,
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// The present request is over.
    pub(super) fn finish(&self, current: &mut Current<K>, status: NTSTATUS) {
        let Some(Initiated { operation, flags, context }) = current.work.take() else { return };
        let (name, bytes) = (operation.name(), length(current.list.iter().copied()));
        // What it holds goes before its result is visible, for then the consumer may deregister or close that.
        drop(operation);
        current.posted = None;
        self.initiator.completed();
        if status == STATUS_SUCCESS && flags.contains(Flags::SILENT) {
            return;
        }
        let result = Completed {
            status,
            bytes: if status == STATUS_SUCCESS { u32::try_from(bytes).unwrap_or(u32::MAX) } else { 0 },
            qp_context: self.context,
            request_context: context,
            operation: name,
            invalidated: 0,
        };
        if self.initiator_cq.push(result, false).is_err() {
            self.overflow();
        }
    }

    pub(super) fn received(&self, status: NTSTATUS, message: Message) {
        if let Receives::Own(queue) = &self.receive {
            queue.completed();
        }
        let operation = match message.invalidated {
            Some(_) => NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate,
            None => NDK_OPERATION_TYPE::NdkOperationTypeReceive,
        };
        let result = Completed {
            status,
            bytes: message.bytes,
            qp_context: self.context,
            request_context: message.context,
            operation,
            invalidated: message.invalidated.map_or(0, |token| token.0),
        };
        if self.receive_cq.push(result, message.solicited).is_err() {
            self.overflow();
        }
    }

    pub(super) fn cancelled(&self, context: Opaque) {
        let message = Message { context, bytes: 0, solicited: false, invalidated: None };
        self.received(STATUS_CANCELLED, message);
    }

    /// The result of the receive that a message of the peer's has met, which ends the peer's turn.
    pub(super) fn delivered(&self, status: NTSTATUS, message: Message) {
        self.received(status, message);
        self.end_delivery();
    }

    /// Ends the turn of a peer that has nothing more to deliver just now: a flush that wanted it goes on.
    pub(super) fn end_delivery(&self) {
        if self.turn.give_back() {
            self.progress();
        }
    }

    /// Cancels all initiator requests that are queued.
    pub(super) fn cancel_initiated(&self, current: &mut Current<K>) {
        if let Some(Delivered { receiver, message }) = current.ending.take().and_then(|ended| ended.delivered)
        {
            let nothing = Message { bytes: 0, solicited: false, invalidated: None, ..message };
            receiver.delivered(STATUS_CANCELLED, nothing);
        }
        while self.begin_next(current) {
            self.finish(current, STATUS_CANCELLED);
        }
    }

    /// Cancels all receives that are queued, at once or when the peer's turn has ended. Those of a shared queue
    /// are not this queue pair's to cancel.
    #[inline(never)]
    pub(super) fn cancel_receives(&self) {
        let Receives::Own(queue) = &self.receive else { return };
        if !self.turn.take() {
            // The peer finds the note and runs this engine again.
            self.cancel.fetch_or(FLUSH_RECEIVES, Ordering::SeqCst);
            return;
        }
        // Whoever posts a receive looks at `cancel` after that: one of two sees the other.
        fence(Ordering::SeqCst);
        let mut sink = List::new();
        while let Some(context) = queue.take(&mut sink) {
            self.cancelled(context);
        }
        if self.turn.give_back() {
            self.peer_progress();
        }
    }

    /// A result was lost: the queue pair is of no more use (CQ-6). Those that share the queue with it follow in the
    /// queue's deferred call.
    pub(super) fn overflow(&self) {
        self.cancel.fetch_or(DEAD, Ordering::SeqCst);
        self.break_connection();
    }

    /// Ends the connection; when the transfers that still run have drained, both ends are flushed.
    pub(super) fn break_connection(&self) {
        if let Some(session) = self.session.value() {
            self.pd.adapter().port().counters().connection_error();
            session.fail();
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
    use crate::tests::host::Host;

    fn receive(side: &Side, number: usize, sge: &NDK_SGE) {
        assert_eq!(call!(side.qp, NdkReceive, without_provenance_mut(number), sge, 1), STATUS_SUCCESS);
    }

    #[test]
    fn a_flush_of_receives_that_came_late_leaves_the_list_of_a_waiting_send_alone() {
        let pair = Pair::connected();
        let mut buffers = [Buffer::new(vec![7; 5000]), Buffer::new(vec![0; 5000])];
        let [near, far] = &mut buffers;
        let (near_mr, near_token) = near.register(&pair.near, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
        let (far_mr, far_token) = far.register(&pair.far, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
        receive(&pair.near, 1, &NDK_SGE { Length: 100, ..near.sge(near_token) });
        // SAFETY: the queue pair is open.
        let qp = unsafe { &*pair.near.qp.cast::<Object<Host, Qp<Host>>>() };
        assert!(qp.turn.take(), "the peer is about to deliver");
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
