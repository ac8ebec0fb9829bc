//! Places that every handle to the device has: for a session, for a stress run, and for what is measured on.

#![expect(unsafe_code, reason = "a slot owns its value by an address")]

use alloc::boxed::Box;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use sys::status::{NTSTATUS, STATUS_DEVICE_BUSY, STATUS_INVALID_DEVICE_STATE};

/// A thread is filling or emptying the slot.
const EXCLUSIVE: u32 = u32::MAX;

/// The content that is kept, if it is, and what else there is to say.
pub(crate) type Passed<S, R> = (Option<Box<S>>, Result<R, NTSTATUS>);

/// A type that a slot can hold.
pub(crate) trait Content {
    /// Ends it, as the runner has gone without doing so.
    fn abandon(self: Box<Self>);
}

/// At most one `S`, and the number of requests that are using it.
pub(crate) struct Slot<S: Content> {
    content: AtomicPtr<S>,
    /// Users of the content, or [`EXCLUSIVE`].
    users: AtomicU32,
}

impl<S: Content> Slot<S> {
    pub(crate) const fn new() -> Self {
        Self { content: AtomicPtr::new(null_mut()), users: AtomicU32::new(0) }
    }

    /// Fills the slot with what `make` makes, if it makes something, and returns what else it says.
    pub(crate) fn fill<R>(
        &self,
        make: impl FnOnce() -> Result<(Option<Box<S>>, R), NTSTATUS>,
    ) -> Result<R, NTSTATUS> {
        let _exclusive = self.enter_exclusive()?;
        if !self.content.load(Ordering::Acquire).is_null() {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let (content, result) = make()?;
        self.content.store(content.map_or(null_mut(), Box::into_raw), Ordering::Release);
        Ok(result)
    }

    /// Empties the slot.
    pub(crate) fn empty<R>(&self, end: impl FnOnce(Box<S>) -> Result<R, NTSTATUS>) -> Result<R, NTSTATUS> {
        let _exclusive = self.enter_exclusive()?;
        end(self.take().ok_or(STATUS_INVALID_DEVICE_STATE)?)
    }

    /// Lets `pass` use up the content; it is kept if it comes back.
    pub(crate) fn pass<R>(&self, pass: impl FnOnce(Box<S>) -> Passed<S, R>) -> Result<R, NTSTATUS> {
        let _exclusive = self.enter_exclusive()?;
        let (content, result) = pass(self.take().ok_or(STATUS_INVALID_DEVICE_STATE)?);
        self.content.store(content.map_or(null_mut(), Box::into_raw), Ordering::Release);
        result
    }

    fn take(&self) -> Option<Box<S>> {
        let content = self.content.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: the pointer, unless null, was boxed for `fill`; swapping it out makes it ours alone, and
        // the callers hold the slot exclusively.
        (!content.is_null()).then(|| unsafe { Box::from_raw(content) })
    }

    /// Uses the content, also several requests at a time.
    pub(crate) fn with<R>(&self, action: impl FnOnce(&S) -> Result<R, NTSTATUS>) -> Result<R, NTSTATUS> {
        let enter = |users: u32| users.checked_add(1).filter(|users| *users != EXCLUSIVE);
        self.users
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter)
            .map_err(|_| STATUS_DEVICE_BUSY)?;
        // SAFETY: the content lives while there are users.
        let content = unsafe { self.content.load(Ordering::Acquire).as_ref() };
        let result = content.ok_or(STATUS_INVALID_DEVICE_STATE).and_then(action);
        self.users.fetch_sub(1, Ordering::AcqRel);
        result
    }

    /// Uses the content, one request at a time.
    pub(crate) fn with_alone<R>(
        &self,
        action: impl FnOnce(&mut S) -> Result<R, NTSTATUS>,
    ) -> Result<R, NTSTATUS> {
        let _exclusive = self.enter_exclusive()?;
        // SAFETY: the slot is held exclusively, so no other thread uses the content or takes it away.
        let content = unsafe { self.content.load(Ordering::Acquire).as_mut() };
        content.ok_or(STATUS_INVALID_DEVICE_STATE).and_then(action)
    }

    fn enter_exclusive(&self) -> Result<Exclusive<'_, S>, NTSTATUS> {
        self.users
            .compare_exchange(0, EXCLUSIVE, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| Exclusive(self))
            .map_err(|_| STATUS_DEVICE_BUSY)
    }
}

struct Exclusive<'s, S: Content>(&'s Slot<S>);

impl<S: Content> Drop for Exclusive<'_, S> {
    fn drop(&mut self) {
        self.0.users.store(0, Ordering::Release);
    }
}

impl<S: Content> Drop for Slot<S> {
    fn drop(&mut self) {
        if let Some(content) = self.take() {
            content.abandon();
        }
    }
}
