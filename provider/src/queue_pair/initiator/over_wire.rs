//! The execution of requests whose remote is over a network.
//!
//! A request that the remote has taken is on its way, beside the send queue, and the next request begins. Its outcome comes
//! later; results are reported in the order of the posts (RD-10). A flush cancels the requests on their way before
//! those in the queue.

#![forbid(unsafe_code)]

use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS};

use super::engine::Step;
use super::pending_invalidate::PendingInvalidate;
use super::{InFlight, Initiator};
use crate::completion::Overflow;
use crate::connection::Wire;
use crate::kernel::Kernel;
use crate::memory::Token;
use crate::number::usize_from;
use crate::object::Object;
use crate::queue_pair::remote::Remote;
use crate::queue_pair::sgl::length;
use crate::queue_pair::wire::{Launched, Until};
use crate::queue_pair::work::{Flags, Operation, WorkRequest};
use crate::queue_pair::{DEAD, FLUSH, FLUSH_RECEIVES, Qp, TIMER_EXPIRED};
use crate::sync::Ordering;

/// In each function `qp` is the QP of this initiator, and `wire` its connection.
impl<K: Kernel> Initiator<K> {
    /// As [`Initiator::advance`].
    pub(super) fn advance_over_wire(
        &self,
        qp: &Object<K, Qp<K>>,
        wire: &Wire<K>,
        in_flight: &mut InFlight<K>,
    ) {
        while self.turn((qp, wire), in_flight) {}
        wire.transfers().submit(wire);
        if !wire.is_established() {
            wire.finish_if_done(self.is_idle());
        }
    }

    /// Does what is due, and then a step of the next request. Returns true if another turn may do more.
    fn turn(&self, (qp, wire): (&Object<K, Qp<K>>, &Wire<K>), in_flight: &mut InFlight<K>) -> bool {
        if !self.cancel((qp, wire), in_flight) {
            return false;
        }
        self.settle((qp, wire), in_flight);
        let has_next = self.begin_next(in_flight);
        if wire.transfers().serve(qp, wire, has_next).is_err() {
            qp.break_connection();
            return true;
        }
        if !has_next {
            return false;
        }
        match Self::step_over_wire((qp, wire), in_flight) {
            Step::Sent(until) => Self::launch(wire, in_flight, until),
            Step::Done | Step::Broken => Self::launch(wire, in_flight, Until::Ended(STATUS_SUCCESS)),
            Step::Failed(status) => {
                Self::report_failure(qp, in_flight, status);
                Self::launch(wire, in_flight, Until::Ended(status));
                qp.break_connection();
            }
            Step::ReceiverNotReady | Step::AwaitingDrain | Step::NoConnection | Step::Waits => {
                // It may wait for the peer, which in turn may wait for its reads.
                if wire.transfers().serve(qp, wire, false).is_err() {
                    qp.break_connection();
                    return true;
                }
                return false;
            }
        }
        true
    }

    fn step_over_wire((qp, wire): (&Object<K, Qp<K>>, &Wire<K>), in_flight: &mut InFlight<K>) -> Step {
        let InFlight { work: Some(work), list, posted, pending_invalidate, .. } = in_flight else {
            return Step::Done;
        };
        if pending_invalidate.as_ref().is_some_and(|pending| pending.memory.is_awaited_by(qp)) {
            return Step::AwaitingDrain;
        }
        if is_fenced(work) && wire.transfers().has_reads() {
            return Step::Waits;
        }
        let done = match pending_invalidate.take() {
            Some(ended) => ended.resume(work, posted),
            None => Self::start(qp, work, list, posted, &Remote::Wire(wire), pending_invalidate),
        };
        done.unwrap_or_else(|failed| failed)
    }

    /// The request in flight is on its way, or waits for those before it.
    fn launch(wire: &Wire<K>, in_flight: &mut InFlight<K>, until: Until) {
        let Some(work) = in_flight.work.take() else { return };
        in_flight.posted = None;
        let bytes = u32::try_from(length(in_flight.list.iter().copied())).unwrap_or(u32::MAX);
        let first = in_flight.list.first().map(|first| Token(first.token));
        wire.transfers().launch(work, (bytes, first), until);
    }

    /// Reports the requests on their way that have ended, as far as none before them has not.
    fn settle(&self, (qp, wire): (&Object<K, Qp<K>>, &Wire<K>), in_flight: &mut InFlight<K>) {
        Self::settle_terminate(wire, in_flight);
        while let Some((launched, status)) = wire.transfers().take_ended() {
            let Some(settled) = Self::invalidate_sink(qp, &launched, status, &mut in_flight.settling) else {
                wire.transfers().put_back(launched);
                return;
            };
            self.conclude(qp, launched, settled);
            // Any other failure has broken it already.
            if settled != status {
                qp.break_connection();
            }
        }
    }

    /// Tells the requests of the Terminate of the peer, if one has come. It may name one that is sent in part.
    fn settle_terminate(wire: &Wire<K>, in_flight: &mut InFlight<K>) {
        if !wire.transfers().is_terminated() {
            return;
        }
        if wire.transfers().is_within_message() {
            wire.transfers().abandon();
            Self::launch(wire, in_flight, Until::Ended(STATUS_CANCELLED));
        }
        wire.transfers().settle_terminate();
    }

    /// The status of a request that has ended, after a read with local invalidate has invalidated its sink. `None` if
    /// that is still in use.
    fn invalidate_sink(
        qp: &Object<K, Qp<K>>,
        launched: &Launched<K>,
        status: NTSTATUS,
        settling: &mut Option<PendingInvalidate<K>>,
    ) -> Option<NTSTATUS> {
        let (Operation::ReadAndInvalidate { .. }, Some(token), STATUS_SUCCESS) =
            (&launched.work.operation, launched.first_token, status)
        else {
            return Some(status);
        };
        if let Some(ended) = settling.take() {
            if ended.memory.is_awaited_by(qp) {
                *settling = Some(ended);
                return None;
            }
            return Some(status);
        }
        match PendingInvalidate::sink(qp, token, settling).unwrap_or_else(|failed| failed) {
            Step::Done => Some(STATUS_SUCCESS),
            Step::Failed(status) => Some(status),
            _ => None,
        }
    }

    fn conclude(&self, qp: &Object<K, Qp<K>>, launched: Launched<K>, status: NTSTATUS) {
        let Launched { work, bytes, .. } = launched;
        match self.end(work, usize_from(bytes), status, qp.context) {
            Ok(mut unsettled) => self.settle_last(&mut unsettled),
            Err(Overflow) => qp.overflow(),
        }
    }

    /// Handles the events of the QP. Returns false if what is on its way is to be cancelled, and can't be yet.
    fn cancel(&self, (qp, wire): (&Object<K, Qp<K>>, &Wire<K>), in_flight: &mut InFlight<K>) -> bool {
        if qp.cancel.load(Ordering::SeqCst) == 0 {
            return true;
        }
        let cancel = qp.cancel.fetch_and(!(FLUSH | FLUSH_RECEIVES | TIMER_EXPIRED), Ordering::SeqCst);
        if cancel & TIMER_EXPIRED != 0 {
            wire.transfers().on_timer(qp, wire);
        }
        let mut all = true;
        if cancel & DEAD != 0 {
            // A message that has come in part keeps the delivery until it is told.
            wire.transfers().poke(qp, wire);
            all = self.flush_over_wire((qp, wire), in_flight, true);
        } else if cancel & FLUSH != 0 {
            if wire.transfers().is_within_message() {
                // What is sent in part is sent to its end: the connection goes on.
                qp.cancel.fetch_or(FLUSH, Ordering::SeqCst);
            } else {
                all = self.flush_over_wire((qp, wire), in_flight, false);
            }
        }
        if !all {
            qp.cancel.fetch_or(FLUSH, Ordering::SeqCst);
        }
        if cancel & (FLUSH | DEAD | FLUSH_RECEIVES) != 0 {
            qp.responder.flush(qp);
        }
        all
    }

    /// Cancels what is on its way, and then what is queued. Returns false, and nothing was cancelled, if the response to
    /// a read is being placed: the arrival runs the initiator again.
    fn flush_over_wire(
        &self,
        (qp, wire): (&Object<K, Qp<K>>, &Wire<K>),
        in_flight: &mut InFlight<K>,
        dead: bool,
    ) -> bool {
        let transfers = wire.transfers();
        if !transfers.cancel_reads(|| transfers.resume(qp, wire)) {
            return false;
        }
        Self::settle_terminate(wire, in_flight);
        in_flight.settling = None;
        in_flight.pending_invalidate = None;
        let mut has_failed = false;
        while let Some((launched, status)) = transfers.take_flushed(dead) {
            // Nothing succeeds behind a failure, when the connection is over.
            let status = if has_failed && status == STATUS_SUCCESS { STATUS_CANCELLED } else { status };
            has_failed |= dead && status != STATUS_SUCCESS;
            self.conclude(qp, launched, status);
        }
        transfers.abandon();
        while self.begin_next(in_flight) {
            self.finish(qp, in_flight, STATUS_CANCELLED);
        }
        true
    }
}

/// Returns true if a request waits for all earlier reads (RD-9). What ends the use of memory does so without being
/// asked: over loopback the reads before it are done.
fn is_fenced<K: Kernel>(work: &WorkRequest<K>) -> bool {
    work.flags.contains(Flags::READ_FENCE) || matches!(work.operation, Operation::Invalidate(_))
}
