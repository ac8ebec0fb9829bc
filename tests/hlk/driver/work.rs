//! Work requests and their results.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use protocol::{Kind, Violation};
use sys::ndk::{NDK_CQ, NDK_CQ_NOTIFY_ANY, NDK_RESULT};
use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT, STATUS_PENDING, STATUS_SUCCESS};

use crate::ledger::{Ledger, PATIENCE};
use crate::ndk::Handle;

/// One work request. Its address is the request context.
pub(crate) struct Work {
    step: &'static str,
    results: AtomicU32,
    status: AtomicI32,
    bytes: AtomicU32,
}

impl Work {
    pub(crate) const fn new(step: &'static str) -> Self {
        Self {
            step,
            results: AtomicU32::new(0),
            status: AtomicI32::new(STATUS_PENDING),
            bytes: AtomicU32::new(0),
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

    /// Whether its result has been polled.
    pub(crate) fn is_done(&self) -> bool {
        self.results.load(Ordering::Acquire) != 0
    }

    /// How many results were polled for it.
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

    fn finish(&self, result: &NDK_RESULT, ledger: &Ledger) {
        self.status.store(result.Status, Ordering::Release);
        self.bytes.store(result.BytesTransferred, Ordering::Release);
        if self.results.fetch_add(1, Ordering::AcqRel) != 0 {
            // WR-2: one result for a request.
            ledger.find(Violation::CompletedTwice, Kind::Qp, self.step, 2, 1);
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
                work.finish(result, self.ledger());
            }
        }
        taken
    }

    /// Waits for the result of `work` and returns its status.
    ///
    /// Polls, then arms, polls again (a result may have come before the arm) and only then waits for the
    /// notification.
    pub(crate) fn wait_for(self, work: &Work) -> NTSTATUS {
        for _ in 0..PATIENCE.saturating_mul(100) {
            if work.is_done() {
                return work.status();
            }
            if self.harvest() != 0 {
                continue;
            }
            self.arm(NDK_CQ_NOTIFY_ANY);
            if self.harvest() == 0 && !self.object().wait_for_event(work.step) {
                break;
            }
        }
        if work.is_done() {
            return work.status();
        }
        STATUS_IO_TIMEOUT
    }

    /// The same, as a result.
    pub(crate) fn wait_success(self, work: &Work) -> Result<(), NTSTATUS> {
        match self.wait_for(work) {
            STATUS_SUCCESS => Ok(()),
            failure => Err(failure),
        }
    }
}
