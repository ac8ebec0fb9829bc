//! The engine: takes requests off the initiator queue, one by one, and executes them against the peer.
//!
//! Called on every state change: a post, a receive posted at the other end, a flush. It runs in the
//! context and at the IRQL of that caller, and calls no consumer: results go into completion queues, whose
//! notifications run in DPCs. It accesses local memory and queues itself, the remote end by [`Remote`] only.

use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_INVALID_DEVICE_STATE, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use super::initiator::InFlight;
use super::pending_invalidate::PendingInvalidate;
use super::remote::{Remote, RemoteMemory, Send};
use super::rnr_timeout::Rnr;
use super::sgl::Sgl;
use super::work::{Operation, WorkRequest};
use super::{DEAD, FLUSH, FLUSH_RECEIVES, Qp, TIMER_EXPIRED};
use crate::kernel::Kernel;
use crate::lifetime::AcquireError;
use crate::memory::{AccessError, Invalidated, PendingRegistration, RegistrationError, Token};
use crate::object::Object;
use crate::sync::Ordering;

/// The outcome of one step of a request.
pub(super) enum Step {
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

impl<K: Kernel> Object<K, Qp<K>> {
    /// See the module's head. The caller holds the queue pair, directly or by a transfer.
    pub(crate) fn progress(&self) {
        self.initiator.engine.run(|in_flight| self.advance(in_flight));
    }

    fn advance(&self, in_flight: &mut InFlight<K>) {
        loop {
            // A flush that comes after the look has left a note with the combiner.
            if self.cancel.load(Ordering::SeqCst) != 0 {
                let cancel =
                    self.cancel.fetch_and(!(FLUSH | FLUSH_RECEIVES | TIMER_EXPIRED), Ordering::SeqCst);
                if cancel & TIMER_EXPIRED != 0 {
                    in_flight.rnr_timeout.on_timer();
                }
                if cancel & (FLUSH | DEAD) != 0 {
                    self.cancel_initiated(in_flight);
                }
                if cancel & (FLUSH | DEAD | FLUSH_RECEIVES) != 0 {
                    self.cancel_receives();
                }
            }
            if !self.initiator.begin_next(in_flight) {
                return;
            }
            let (status, breaks) = match self.step(in_flight) {
                Step::Done => (STATUS_SUCCESS, false),
                Step::Failed(status) => (status, true),
                Step::Broken => (STATUS_SUCCESS, true),
                Step::ReceiverNotReady if self.rnr_timed_out(in_flight) => (STATUS_IO_TIMEOUT, true),
                // A kill that came meanwhile has left a note with the combiner.
                Step::ReceiverNotReady | Step::AwaitingDrain | Step::NoConnection => return,
            };
            self.finish(in_flight, status);
            if breaks {
                self.break_connection();
            }
        }
    }

    /// Returns true if the RNR timeout of the send in flight has expired; otherwise sets the RNR timer if
    /// needed.
    #[cold]
    fn rnr_timed_out(&self, in_flight: &mut InFlight<K>) -> bool {
        match self.initiator.check_rnr_timeout(in_flight) {
            Rnr::TimedOut => true,
            Rnr::Waits => false,
            Rnr::WaitsFor(time) => {
                self.set_timer(time);
                false
            }
        }
    }

    fn step(&self, in_flight: &mut InFlight<K>) -> Step {
        let InFlight { work: Some(work), list, posted, pending_invalidate, .. } = in_flight else {
            return Step::Done;
        };
        let Some(remote) = self.attachment.remote() else { return Step::NoConnection };
        if pending_invalidate
            .as_ref()
            .is_some_and(|pending_invalidate| pending_invalidate.memory.is_awaited_by(self))
        {
            return Step::AwaitingDrain;
        }
        let done = match pending_invalidate.take() {
            Some(ended) => Self::resume(work, posted, ended),
            None => self.start(work, list, posted, &remote, pending_invalidate),
        };
        done.unwrap_or_else(|failed| failed)
    }

    fn start(
        &self,
        work: &WorkRequest<K>,
        list: &Sgl,
        posted: &mut Option<PendingRegistration<K>>,
        remote: &Remote<'_, K>,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        let (data, flags) = (list, work.flags);
        match &work.operation {
            Operation::Send => remote.send(self, Send { data, flags, invalidates: None }, pending_invalidate),
            Operation::SendAndInvalidate { token } => {
                remote.send(self, Send { data, flags, invalidates: Some(*token) }, pending_invalidate)
            }
            &Operation::Write { address, token } => remote.write(self, list, RemoteMemory { address, token }),
            &Operation::Read { address, token } => remote.read(self, list, RemoteMemory { address, token }),
            &Operation::ReadAndInvalidate { address, token } => {
                remote.read(self, list, RemoteMemory { address, token })?;
                match list.first() {
                    Some(first) => self.invalidate_sink(Token(first.token), pending_invalidate),
                    None => Ok(Step::Done),
                }
            }
            Operation::FastRegister => Self::apply(posted),
            Operation::Bind => {
                let window = posted.as_ref().ok_or(RegistrationError::State)?.owner().acquire()?;
                match self.invalidate(window, None, None, pending_invalidate)? {
                    Invalidated::Later => Ok(Step::AwaitingDrain),
                    // A window that was not bound is bound all the same.
                    Invalidated::Now | Invalidated::NotValid => Self::apply(posted),
                }
            }
            Operation::Invalidate(owner) => {
                Self::invalidated(self.invalidate(owner.acquire()?, None, None, pending_invalidate)?)
            }
        }
    }
}
