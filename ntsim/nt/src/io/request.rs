//! A request that the I/O manager sends for a user: the packet, its buffers, its outcome.

use core::time::Duration;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::number::narrow;
use ntsim_core::sched::{self, Thread};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NT_ERROR, NTSTATUS, STATUS_CANCELLED};
use sys::wdm::{FILE_OBJECT, IO_STATUS_BLOCK, IRP};

use super::direct::Direct;
use super::file::as_thread;
use super::irp::violation;
use super::statistics::{Function, counters};
use super::{cancel, irp};
use crate::mm::Block;

/// The result of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Its final status.
    pub status: NTSTATUS,
    /// The driver's additional result; for a device control, the bytes of output.
    pub information: usize,
}

/// The I/O manager's handling of a request that has come back.
pub(super) trait Job: Send + Sync {
    /// Takes what the request yields. Called once, before the packet is freed.
    fn complete(&self, irp: &mut IRP);
    /// Tells the waiting thread. Called once, after the packet was freed.
    fn delivered(&self);
    /// The file that the request is for.
    fn file(&self) -> *mut FILE_OBJECT;
    /// The request is forced to pend, so a call that sends it has begun, or has returned. The request is not
    /// over before, as the caller keeps the file.
    fn sending(&self, begun: bool) {
        let _ = begun;
    }
}

/// The buffers of a request, alive until it has come back.
#[derive(Default)]
pub(super) struct Buffers {
    /// The system buffer of buffered I/O, and of the input of direct I/O.
    pub(super) system: Option<Block>,
    /// The user's buffer in direct I/O.
    pub(super) direct: Option<Direct>,
    /// The user's buffer for the output of buffered I/O.
    pub(super) output: Output,
    /// Buffers that the request owns, so that they live as long as it does.
    pub(super) owned: Option<(Vec<u8>, Vec<u8>)>,
}

/// The target of output.
#[derive(Clone, Copy, Default)]
pub(super) struct Output {
    pub(super) start: Va,
    pub(super) length: usize,
    /// Set if the I/O manager copies it there from the system buffer.
    pub(super) copied: bool,
}

impl Buffers {
    /// Hands the output of a request that is complete to the user, and lets go of what is the kernel's.
    pub(super) fn finish(&mut self, irp: &IRP) {
        let IO_STATUS_BLOCK { Status: status, Information: information, .. } = irp.IoStatus;
        let output = self.output;
        if output.copied && !NT_ERROR(status) {
            if information > output.length {
                let text =
                    format!("{information} bytes of output are claimed for a buffer of {}", output.length);
                violation("SuspiciousInformation", 0x312, irp, text);
            }
            let length = information.min(output.length);
            if let Some(system) = &self.system {
                // SAFETY: the system buffer has room for the output, and the user's buffer lives until
                // the request is over.
                unsafe { core::ptr::copy(system.as_ptr::<u8>(), output.start.ptr::<u8>(), length) };
            }
        }
        if let Some(direct) = self.direct.take() {
            direct.finish(irp);
        }
        self.system = None;
    }
}

/// One request of a user.
pub(super) struct Transfer {
    file: Va,
    state: Mutex<State>,
}

struct State {
    /// The packet, while there is one.
    irp: Option<Va>,
    buffers: Buffers,
    outcome: Option<Outcome>,
    /// The place of its completion among all of the machine's, from 0.
    sequence: u64,
    delivered: bool,
    /// See [`Job::sending`].
    sending: bool,
    waiter: Option<&'static Thread>,
}

impl State {
    fn is_over(&self) -> bool {
        self.delivered && !self.sending
    }

    /// Wakes who waits, if the request is over.
    fn tell(&mut self) {
        if self.is_over()
            && let Some(waiter) = self.waiter.take()
        {
            sched::wake(waiter);
        }
    }
}

impl Transfer {
    pub(super) fn new(file: *mut FILE_OBJECT, buffers: Buffers) -> Arc<Self> {
        let state = State {
            irp: None,
            buffers,
            outcome: None,
            sequence: 0,
            delivered: false,
            sending: false,
            waiter: None,
        };
        Arc::new(Self { file: Va::of(file), state: Mutex::new(state) })
    }

    /// Notes which packet carries the request.
    pub(super) fn carried_by(&self, irp: *mut IRP) {
        self.state.lock().irp = Some(Va::of(irp));
    }

    /// Cancels the request, unless it is over.
    pub(super) fn cancel(&self) {
        cancel::cancel(|| {
            let state = self.state.lock();
            // SAFETY: the packet is freed only after `complete`, which needs the lock, has forgotten it.
            state.irp.and_then(|irp| unsafe { cancel::mark(irp.ptr::<IRP>()) })
        });
    }

    /// Waits for the outcome, at most so long.
    pub(super) fn wait(&self, limit: Option<Duration>) -> Option<Outcome> {
        let start = sched::elapsed();
        loop {
            {
                let mut state = self.state.lock();
                if state.is_over() {
                    return state.outcome;
                }
                state.waiter = sched::current();
            }
            let left = limit.map(|limit| limit.saturating_sub(sched::elapsed().saturating_sub(start)));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            sched::block(left);
        }
    }

    /// Runs `f` with the buffers.
    pub(super) fn with_buffers<R>(&self, f: impl FnOnce(&Buffers) -> R) -> R {
        f(&self.state.lock().buffers)
    }

    /// The buffers that the request owned, once it is over.
    pub(super) fn take_owned(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.state.lock().buffers.owned.take()
    }
}

impl Job for Transfer {
    fn complete(&self, irp: &mut IRP) {
        let mut state = self.state.lock();
        let outcome = Outcome { status: irp.IoStatus.Status, information: irp.IoStatus.Information };
        state.buffers.finish(irp);
        state.irp = None;
        state.sequence = counters().next();
        state.outcome = Some(outcome);
    }

    fn delivered(&self) {
        let mut state = self.state.lock();
        state.delivered = true;
        state.tell();
    }

    fn sending(&self, begun: bool) {
        let mut state = self.state.lock();
        state.sending = begun;
        state.tell();
    }

    fn file(&self) -> *mut FILE_OBJECT {
        self.file.ptr::<FILE_OBJECT>()
    }
}

/// A device control that is under way, with the buffers that it uses.
///
/// Dropping it cancels it and waits until the driver has let go of it.
#[must_use]
pub struct Request {
    transfer: Arc<Transfer>,
    /// Keeps the file until the request is over: by a handle, or by a reference.
    _file: Box<dyn Send + Sync>,
}

impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Request").field("outcome", &self.outcome()).finish_non_exhaustive()
    }
}

impl Request {
    pub(super) fn new(transfer: Arc<Transfer>, file: impl Send + Sync + 'static) -> Self {
        Self { transfer, _file: Box::new(file) }
    }

    /// It was never sent, and is over so.
    pub(super) fn never_sent(&self) {
        let mut state = self.transfer.state.lock();
        if let Some(direct) = state.buffers.direct.take() {
            direct.take_back();
        }
        state.irp = None;
        state.outcome = Some(Outcome { status: STATUS_CANCELLED, information: 0 });
        state.delivered = true;
    }

    /// Returns its outcome, if it is over.
    pub fn outcome(&self) -> Option<Outcome> {
        let state = self.transfer.state.lock();
        state.outcome.filter(|_| state.is_over())
    }

    /// The place of its completion among all of the machine's, if it is over.
    pub fn sequence(&self) -> Option<u64> {
        let state = self.transfer.state.lock();
        state.outcome.map(|_| state.sequence)
    }

    /// Asks the driver to give it up; [`wait`](Self::wait) tells whether it did.
    pub fn cancel(&self) {
        as_thread(|| self.transfer.cancel());
    }

    /// Waits at most `limit` for the outcome.
    pub fn wait_for(&self, limit: Duration) -> Option<Outcome> {
        as_thread(|| self.transfer.wait(Some(limit)))
    }

    /// Waits until it is over; returns the outcome and the input and output buffers.
    ///
    /// # Panics
    /// Never: a wait without a limit ends with an outcome.
    pub fn wait(self) -> (Outcome, Vec<u8>, Vec<u8>) {
        let outcome =
            as_thread(|| self.transfer.wait(None)).expect("a wait without a limit ends with an outcome");
        let (input, output) = self.transfer.take_owned().unwrap_or_default();
        (outcome, input, output)
    }
}

/// Time that a driver has to complete a request after it was cancelled, as Driver Verifier gives it; tests
/// are less patient.
const CANCEL_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 * 60 });

impl Drop for Request {
    fn drop(&mut self) {
        if self.outcome().is_some() {
            return;
        }
        as_thread(|| self.give_up());
    }
}

impl Request {
    /// Cancels it and waits until the driver has let go of it.
    fn give_up(&self) {
        self.cancel();
        if self.transfer.wait(Some(CANCEL_LIMIT)).is_none() {
            let irp = self.transfer.state.lock().irp.unwrap_or_default();
            verifier::report(
                Finding::new("IrpCancelTimeout")
                    .bugcheck(Bugcheck {
                        code: 0xC9,
                        parameters: [0x135, irp.bits(), narrow(CANCEL_LIMIT.as_millis()), 0],
                    })
                    .text(format!("the cancelled request {irp:#x} was not completed in {CANCEL_LIMIT:?}")),
            );
            self.transfer.wait(None);
        }
    }
}

/// The requests for a file that are under way.
pub(super) fn outstanding(file: *mut FILE_OBJECT) -> Vec<Function> {
    irp::functions(|job| job.file() == file)
}

/// Returns the number of requests for a file that a driver has kept. Those whose dispatch routine still runs
/// are not among them: they may have come while the file was cleaned up, and be about to be refused.
pub(super) fn kept(file: *mut FILE_OBJECT) -> usize {
    irp::count_kept(|job| job.file() == file)
}
