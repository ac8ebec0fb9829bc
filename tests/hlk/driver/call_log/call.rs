//! One call of a create or request function, and its completion.

#![expect(unsafe_code, reason = "the provider calls back with addresses")]

use core::ffi::c_void;
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use protocol::Violation;
use sys::ndk::NDK_OBJECT_HEADER;
use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT, STATUS_PENDING, STATUS_SUCCESS};

use super::{CallLog, Object, WAIT_TIMEOUT};
use crate::kernel::{self, Event, Reset};

/// The record of a call. Its address is the context of the completion, so it is never used again: a
/// completion that comes late or twice still finds the call it belongs to.
pub(crate) struct Call {
    /// The purpose of the call, in the words of a finding.
    pub(super) step: &'static str,
    /// The object that the call is made on: this call's completion is one of its callbacks.
    pub(super) owner: *const Object,
    /// The object that a create fills in.
    pub(super) subject: *const Object,
    /// The object to close from inside the completion, if any.
    pub(super) close_inside: *const Object,
    /// The place for a created object. In the record and not on a stack: a late write of the provider
    /// would otherwise hit an unrelated stack frame.
    out: AtomicPtr<NDK_OBJECT_HEADER>,
    pub(super) returned: AtomicI32,
    pub(super) status: AtomicI32,
    pub(super) completions: AtomicU32,
    pub(super) done: Event,
}

// SAFETY: the pointers are those of records that live as long as the call log; the rest is atomic.
unsafe impl Sync for Call {}
// SAFETY: a record belongs to no thread.
unsafe impl Send for Call {}

impl Call {
    /// A call that is about to be made on `owner`; `step` says what for.
    pub(crate) const fn new(step: &'static str, owner: &Object) -> Self {
        Self {
            step,
            owner: ptr::from_ref(owner),
            subject: ptr::null(),
            close_inside: ptr::null(),
            out: AtomicPtr::new(null_mut()),
            returned: AtomicI32::new(STATUS_PENDING),
            status: AtomicI32::new(STATUS_PENDING),
            completions: AtomicU32::new(0),
            done: Event::unplaced(),
        }
    }

    /// Returns whether the call ended with STATUS_SUCCESS.
    pub(super) fn succeeded(&self) -> bool {
        let returned = self.returned.load(Ordering::Acquire);
        let status = if returned == STATUS_PENDING { self.status.load(Ordering::Acquire) } else { returned };
        status == STATUS_SUCCESS
    }

    /// The call is to fill in `subject`.
    pub(crate) const fn creates(mut self, subject: &Object) -> Self {
        self.subject = ptr::from_ref(subject);
        self
    }

    /// The completion is to close `object` before it returns.
    pub(crate) const fn closes_inside(mut self, object: &Object) -> Self {
        self.close_inside = ptr::from_ref(object);
        self
    }
}

/// A call that has been made.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) struct StartedCall<'l> {
    call_log: &'l CallLog,
    call: &'l Call,
}

impl CallLog {
    /// Makes `call` through `function`, which gets the completion's context, from the level that this
    /// call log's calls come from. Does not wait.
    pub(crate) fn start(
        &self,
        call: Call,
        function: impl FnOnce(*mut c_void) -> NTSTATUS,
    ) -> Result<StartedCall<'_>, NTSTATUS> {
        let call = self.calls.push(call)?;
        call.done.place(Reset::Never);
        let returned = kernel::at(self.level(), || function(ptr::from_ref(call).cast_mut().cast()));
        call.returned.store(returned, Ordering::Release);
        Ok(StartedCall { call_log: self, call })
    }

    /// The same for a create, whose function also gets the place for the created object.
    pub(crate) fn start_create<T>(
        &self,
        call: Call,
        function: impl FnOnce(*mut c_void, *mut *mut T) -> NTSTATUS,
    ) -> Result<StartedCall<'_>, NTSTATUS> {
        self.start(call, |context| {
            // SAFETY: the context is the record that `start` made.
            let call = unsafe { &*context.cast::<Call>() };
            let returned = function(context, call.out.as_ptr().cast());
            // SAFETY: a create's subject is a record of the same call log.
            let subject = unsafe { call.subject.as_ref() };
            if let Some(subject) = subject.filter(|_| returned == STATUS_SUCCESS) {
                subject.exists(call.out.load(Ordering::Acquire));
            }
            returned
        })
    }
}

impl<'l> StartedCall<'l> {
    pub(super) const fn call(self) -> &'l Call {
        self.call
    }

    /// The status that the function returned.
    pub(crate) fn returned(self) -> NTSTATUS {
        self.call.returned.load(Ordering::Acquire)
    }

    /// Returns whether the final status is known.
    pub(crate) fn is_over(self) -> bool {
        self.returned() != STATUS_PENDING || self.call.completions.load(Ordering::Acquire) != 0
    }

    /// The final status, after waiting for it if the call is pending.
    pub(crate) fn status(self) -> NTSTATUS {
        let returned = self.returned();
        if returned != STATUS_PENDING {
            return returned;
        }
        if self.call.done.wait(WAIT_TIMEOUT) {
            return self.call.status.load(Ordering::Acquire);
        }
        // SAFETY: the owner is a record of the same call log.
        let kind = unsafe { (*self.call.owner).kind() };
        if !self.call_log.depends_on_peer(kind) {
            self.call_log.find(Violation::TimedOut, kind, self.call.step, STATUS_PENDING, STATUS_SUCCESS);
        }
        STATUS_IO_TIMEOUT
    }

    /// The final status as a result.
    pub(crate) fn wait(self) -> Result<(), NTSTATUS> {
        match self.status() {
            STATUS_SUCCESS => Ok(()),
            failure => Err(failure),
        }
    }

    /// Records a finding unless the final status is one of `expected`, or a failed allocation.
    pub(crate) fn expect_one_of(self, expected: &[NTSTATUS]) {
        self.call_log.expect_one_of(self.call.step, self.status(), expected);
    }
}
