//! Work requests and their results.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use protocol::{Kind, Violation};
use sys::ndk::{NDK_CQ, NDK_CQ_NOTIFY_ANY, NDK_OPERATION_TYPE, NDK_RESULT};
use sys::status::{NTSTATUS, STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_PENDING};

use crate::call_log::{CallLog, WAIT_TIMEOUT};
use crate::ndk::Handle;

/// One work request. Its address is the request context.
pub(crate) struct Work {
    step: &'static str,
    results: AtomicU32,
    status: AtomicI32,
    bytes: AtomicU32,
    /// The token that was invalidated, above [`NAMED`]; zero for none.
    invalidated: AtomicU64,
}

/// Tells a token from none.
const NAMED: u64 = 1 << 32;

/// By which function results are taken.
#[derive(Clone, Copy)]
pub(crate) enum Poll {
    /// `NdkGetCqResults`
    Plain,
    /// `NdkGetCqResultsEx`
    Extended,
}

impl Work {
    pub(crate) const fn new(step: &'static str) -> Self {
        Self {
            step,
            results: AtomicU32::new(0),
            status: AtomicI32::new(STATUS_PENDING),
            bytes: AtomicU32::new(0),
            invalidated: AtomicU64::new(0),
        }
    }

    /// The context to post it with.
    pub(crate) const fn context(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// Forgets the last result; to be called before it is posted again.
    pub(crate) fn reset(&self) {
        self.results.store(0, Ordering::Release);
    }

    /// Returns whether its result has been polled.
    pub(crate) fn is_done(&self) -> bool {
        self.results.load(Ordering::Acquire) != 0
    }

    /// The number of results polled for it.
    pub(crate) fn results(&self) -> u32 {
        self.results.load(Ordering::Acquire)
    }

    /// The result's status.
    pub(crate) fn status(&self) -> NTSTATUS {
        self.status.load(Ordering::Acquire)
    }

    /// The result's byte count.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes.load(Ordering::Acquire)
    }

    /// The token of this side that a receive has invalidated, as an extended result names it.
    pub(crate) fn invalidated(&self) -> Option<u32> {
        let invalidated = self.invalidated.load(Ordering::Acquire);
        invalidated.checked_sub(NAMED).and_then(|token| u32::try_from(token).ok())
    }

    fn finish(&self, (status, bytes): (NTSTATUS, u32), invalidated: Option<u32>, call_log: &CallLog) {
        self.status.store(status, Ordering::Release);
        self.bytes.store(bytes, Ordering::Release);
        self.invalidated.store(invalidated.map_or(0, |token| NAMED | u64::from(token)), Ordering::Release);
        if self.results.fetch_add(1, Ordering::AcqRel) != 0 {
            // WR-2: one result for a request.
            call_log.find(Violation::CompletedTwice, Kind::Qp, self.step, 2, 1);
        }
    }
}

impl Handle<'_, NDK_CQ> {
    /// Polls once, and hands each result to its work request; says how many there were.
    pub(crate) fn harvest(self) -> usize {
        const EMPTY: NDK_RESULT = NDK_RESULT {
            Status: 0,
            BytesTransferred: 0,
            QPContext: ptr::null_mut(),
            RequestContext: ptr::null_mut(),
        };
        let mut results = [EMPTY; 8];
        let taken = self.poll(&mut results);
        for result in results.iter().take(taken) {
            // SAFETY: the harness posts with the addresses of records that live until the adapters are
            // closed.
            if let Some(work) = unsafe { result.RequestContext.cast::<Work>().as_ref() } {
                work.finish((result.Status, result.BytesTransferred), None, self.call_log());
            }
        }
        taken
    }

    /// The same by the extended poll.
    fn harvest_extended(self) -> usize {
        let Some(result) = self.poll_extended() else { return 0 };
        let named = result.Type == NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate;
        // A token of 32 bits, in a field of a pointer's size.
        let token = u32::try_from(result.TypeSpecificCompletionOutput).ok().filter(|_| named);
        // SAFETY: as above.
        if let Some(work) = unsafe { result.RequestContext.cast::<Work>().as_ref() } {
            work.finish((result.Status, result.BytesTransferred), token, self.call_log());
        }
        1
    }

    /// The same by the poll that is given.
    pub(crate) fn harvest_by(self, poll: Poll) -> usize {
        match poll {
            Poll::Plain => self.harvest(),
            Poll::Extended => self.harvest_extended(),
        }
    }

    /// Takes results until `ready` has something to say; nothing if it has not in time.
    ///
    /// Polls, then arms, polls again (a result may have come before the arm) and only then waits for the
    /// notification.
    pub(crate) fn wait_until<R>(
        self,
        step: &'static str,
        poll: Poll,
        ready: impl Fn() -> Option<R>,
    ) -> Option<R> {
        let harvest = || self.harvest_by(poll);
        for _ in 0..WAIT_TIMEOUT.saturating_mul(100) {
            if let Some(ready) = ready() {
                return Some(ready);
            }
            if harvest() != 0 {
                continue;
            }
            self.arm(NDK_CQ_NOTIFY_ANY);
            if harvest() == 0 && !self.object().wait_for_event(step) {
                break;
            }
        }
        ready()
    }

    /// Waits for the result of `work` and returns its status.
    pub(crate) fn wait_for(self, work: &Work) -> NTSTATUS {
        self.wait_by(Poll::Plain, work)
    }

    /// The same, unless `gone` says that no more results come; its change has to wake the waiters for this CQ.
    pub(crate) fn wait_unless(self, poll: Poll, work: &Work, gone: impl Fn() -> bool) -> NTSTATUS {
        let ready = || {
            let gone = gone();
            // A result that came before is in the CQ.
            while gone && self.harvest_by(poll) != 0 {}
            if work.is_done() { Some(work.status()) } else { gone.then_some(STATUS_CONNECTION_DISCONNECTED) }
        };
        self.wait_until(work.step, poll, ready).unwrap_or(STATUS_IO_TIMEOUT)
    }

    /// The same, with the poll that is given.
    pub(crate) fn wait_by(self, poll: Poll, work: &Work) -> NTSTATUS {
        let ready = || work.is_done().then(|| work.status());
        self.wait_until(work.step, poll, ready).unwrap_or(STATUS_IO_TIMEOUT)
    }
}
