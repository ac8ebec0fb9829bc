//! The engine: takes requests off the initiator queue, one by one, and executes them against the peer.
//!
//! Called on every state change: a post, a receive posted at the other end, a flush. It runs in the
//! context and at the IRQL of that caller, and calls no consumer: results go into completion queues, whose
//! notifications run in DPCs. It accesses local memory and queues itself, the remote end by [`Remote`] only.
//!
//! A loopback connection does not drain while an engine has a lease of it, from its beginning until the engine finds it
//! closed. So what closes it runs both engines.

#![expect(unsafe_code, reason = "the engine has a lease of its connection")]

use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_CANCELLED, STATUS_INVALID_DEVICE_STATE, STATUS_IO_TIMEOUT,
    STATUS_SUCCESS,
};

use super::pending_invalidate::PendingInvalidate;
use super::rnr_timeout::Rnr;
use super::{InFlight, Initiator};
use crate::adapter::PendingRegistration;
use crate::completion::{Overflow, Unsettled};
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, Status};
use crate::lifetime::AcquireError;
use crate::memory::{AccessError, Invalidated, RegistrationError, Token};
use crate::object::Object;
use crate::queue_pair::remote::{Remote, RemoteMemory, Send};
use crate::queue_pair::sgl::Sgl;
use crate::queue_pair::wire::Until;
use crate::queue_pair::work::{Operation, WorkRequest};
use crate::queue_pair::{DEAD, FLUSH, FLUSH_RECEIVES, Qp, TIMER_EXPIRED};
use crate::sync::Ordering;

/// The outcome of one step of a request.
pub(in crate::queue_pair) enum Step {
    /// It is done.
    Done,
    /// It failed here; the connection breaks.
    Failed(NTSTATUS),
    /// It is done, but the other end could not take it; the connection breaks.
    Broken,
    /// The peer has no receive for it yet.
    ReceiverNotReady,
    /// Memory that it invalidated is still in use.
    AwaitingDrain,
    /// No transfer is possible now.
    NoConnection,
    /// It is on its way to a remote over a network, until this comes about.
    Sent(Until),
    /// A remote over a network can't take it yet, and runs the initiator again when it can.
    Waits,
}

impl From<AccessError> for Step {
    fn from(_: AccessError) -> Self {
        Self::Failed(STATUS_ACCESS_VIOLATION)
    }
}

impl From<RegistrationError> for Step {
    fn from(unfit: RegistrationError) -> Self {
        match unfit {
            RegistrationError::Refused(refusal) => refusal.into(),
            RegistrationError::State => Self::Failed(STATUS_INVALID_DEVICE_STATE),
        }
    }
}

impl From<AcquireError> for Step {
    /// A queue pair that is being closed, or can't be held once more, does nothing new.
    fn from(_: AcquireError) -> Self {
        Self::NoConnection
    }
}

/// In each function `qp` is the QP of this initiator.
impl<K: Kernel> Initiator<K> {
    /// See the module's head. The caller holds the queue pair, directly or by a transfer.
    pub(in crate::queue_pair) fn progress(&self, qp: &Object<K, Qp<K>>) {
        let mut unsettled = None;
        self.engine.run(|in_flight| match qp.attachment.wire() {
            None => self.advance(qp, in_flight, &mut unsettled),
            Some(wire) => self.advance_over_wire(qp, wire, in_flight),
        });
        // The way out of the combiner is a read-modify-write. The caller still holds the QP, and so its CQ.
        if let Some(unsettled) = unsettled {
            self.cq.settle_after_rmw(unsettled);
        }
    }

    /// Executes requests until none can go on. Leaves the result of the last one in `unsettled`.
    fn advance(&self, qp: &Object<K, Qp<K>>, in_flight: &mut InFlight<K>, unsettled: &mut Option<Unsettled>) {
        self.settle_last(unsettled);
        loop {
            // Also where no request waits: the lease of a connection that was closed ends here.
            // SAFETY: this is a run of the engine's combiner, and the next look comes after the request.
            let remote = unsafe { qp.attachment.remote() };
            if let Some(remote) = &remote {
                remote.give_up_if_wanted();
            }
            // A flush that comes after the look has left a note with the combiner.
            if qp.cancel.load(Ordering::SeqCst) != 0 {
                let cancel = qp.cancel.fetch_and(!(FLUSH | FLUSH_RECEIVES | TIMER_EXPIRED), Ordering::SeqCst);
                if cancel & TIMER_EXPIRED != 0 {
                    in_flight.rnr_timeout.on_timer();
                }
                if cancel & (FLUSH | DEAD) != 0 {
                    self.flush(qp, in_flight);
                }
                if cancel & (FLUSH | DEAD | FLUSH_RECEIVES) != 0 {
                    qp.responder.flush(qp);
                }
            }
            if !self.begin_next(in_flight) {
                return;
            }
            self.settle_last(unsettled);
            let (status, breaks) = match Self::step(qp, remote.as_ref(), in_flight) {
                Step::Done => (STATUS_SUCCESS, false),
                Step::Failed(status) => (status, true),
                Step::Broken => (STATUS_SUCCESS, true),
                Step::ReceiverNotReady if self.rnr_timed_out(qp, in_flight) => (STATUS_IO_TIMEOUT, true),
                // A kill that came meanwhile has left a note with the combiner.
                Step::ReceiverNotReady
                | Step::AwaitingDrain
                | Step::NoConnection
                | Step::Sent(_)
                | Step::Waits => return,
            };
            if status != STATUS_SUCCESS {
                Self::report_failure(qp, in_flight, status);
            }
            *unsettled = self.finish_unsettled(qp, in_flight, status);
            if breaks {
                self.settle_last(unsettled);
                qp.break_connection();
            }
        }
    }

    /// Cancels all requests that are queued, and the one in flight.
    fn flush(&self, qp: &Object<K, Qp<K>>, in_flight: &mut InFlight<K>) {
        if let Some(arrived) = in_flight.pending_invalidate.take().and_then(|ended| ended.arrived) {
            arrived.cancel();
        }
        while self.begin_next(in_flight) {
            self.finish(qp, in_flight, STATUS_CANCELLED);
        }
    }

    /// The request in flight is over.
    pub(super) fn finish(&self, qp: &Object<K, Qp<K>>, in_flight: &mut InFlight<K>, status: NTSTATUS) {
        let mut unsettled = self.finish_unsettled(qp, in_flight, status);
        self.settle_last(&mut unsettled);
    }

    /// The same, and leaves the notification to the caller.
    fn finish_unsettled(
        &self,
        qp: &Object<K, Qp<K>>,
        in_flight: &mut InFlight<K>,
        status: NTSTATUS,
    ) -> Option<Unsettled> {
        self.report(in_flight, status, qp.context).unwrap_or_else(|Overflow| {
            qp.overflow();
            None
        })
    }

    /// Makes the notification of the result before the next request begins, which may take long.
    #[inline(always)]
    pub(super) fn settle_last(&self, unsettled: &mut Option<Unsettled>) {
        if let Some(unsettled) = unsettled.take() {
            self.cq.settle(unsettled);
        }
    }

    /// Reports a request that has failed.
    #[cold]
    pub(super) fn report_failure(qp: &Object<K, Qp<K>>, in_flight: &InFlight<K>, status: NTSTATUS) {
        let Some(work) = &in_flight.work else { return };
        event::write::<K>(|| Event::WorkRequestFailed {
            qp: Handle(core::ptr::from_ref(qp).addr()),
            operation: work.operation.name(),
            status: Status(status),
        });
    }

    /// Returns true if the RNR timeout of the send in flight has expired; otherwise sets the RNR timer if
    /// needed.
    #[cold]
    fn rnr_timed_out(&self, qp: &Object<K, Qp<K>>, in_flight: &mut InFlight<K>) -> bool {
        match self.check_rnr_timeout(in_flight) {
            Rnr::TimedOut => true,
            Rnr::Waits => false,
            Rnr::WaitsFor(time) => {
                qp.set_timer(time);
                false
            }
        }
    }

    fn step(qp: &Object<K, Qp<K>>, remote: Option<&Remote<'_, K>>, in_flight: &mut InFlight<K>) -> Step {
        let InFlight { work: Some(work), list, posted, pending_invalidate, .. } = in_flight else {
            return Step::Done;
        };
        let Some(remote) = remote else { return Step::NoConnection };
        if pending_invalidate
            .as_ref()
            .is_some_and(|pending_invalidate| pending_invalidate.memory.is_awaited_by(qp))
        {
            return Step::AwaitingDrain;
        }
        let done = match pending_invalidate.take() {
            Some(ended) => ended.resume(work, posted),
            None => Self::start(qp, work, list, posted, remote, pending_invalidate),
        };
        done.unwrap_or_else(|failed| failed)
    }

    pub(super) fn start(
        qp: &Object<K, Qp<K>>,
        work: &WorkRequest<K>,
        list: &Sgl,
        posted: &mut Option<PendingRegistration<K>>,
        remote: &Remote<'_, K>,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        let (data, flags) = (list, work.flags);
        match &work.operation {
            Operation::Send => remote.send(qp, Send { data, flags, invalidates: None }, pending_invalidate),
            Operation::SendAndInvalidate { token } => {
                remote.send(qp, Send { data, flags, invalidates: Some(*token) }, pending_invalidate)
            }
            &Operation::Write { address, token } => remote.write(qp, list, RemoteMemory { address, token }),
            &Operation::Read { address, token } => remote.read(qp, list, RemoteMemory { address, token }),
            &Operation::ReadAndInvalidate { address, token } => {
                match (remote.read(qp, list, RemoteMemory { address, token })?, list.first()) {
                    (Step::Done, Some(first)) => {
                        PendingInvalidate::sink(qp, Token(first.token), pending_invalidate)
                    }
                    // Over a network it is invalidated when the read is done.
                    (step, _) => Ok(step),
                }
            }
            Operation::FastRegister => apply(posted),
            Operation::Bind => {
                let window = posted.as_ref().ok_or(RegistrationError::State)?.owner().acquire()?;
                match PendingInvalidate::begin(qp, window, None, None, pending_invalidate)? {
                    Invalidated::Later => Ok(Step::AwaitingDrain),
                    // A window that was not bound is bound all the same.
                    Invalidated::Now | Invalidated::NotValid => apply(posted),
                }
            }
            Operation::Invalidate(owner) => {
                let outcome = PendingInvalidate::begin(qp, owner.acquire()?, None, None, pending_invalidate)?;
                PendingInvalidate::<K>::step(outcome)
            }
        }
    }
}

/// Makes the registration of the request in flight valid.
pub(super) fn apply<K: Kernel>(posted: &mut Option<PendingRegistration<K>>) -> Result<Step, Step> {
    posted.as_mut().ok_or(RegistrationError::State)?.apply()?;
    Ok(Step::Done)
}
