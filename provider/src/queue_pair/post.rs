//! Posting: what is accepted has one result, what is refused has none (WR-2).

#![expect(unsafe_code, reason = "work requests name memory by its address")]

use super::Qp;
use super::initiator::Initiator;
use super::work::{Flags, Operation, QueueFull, WorkRequest};
use crate::adapter::{PendingRegistration, RegionOrWindow};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::memory::Sge;
use crate::object::Object;

/// Errors of a post that was refused inline; there is no result for it (WR-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostError {
    /// Not connected, or no longer (WR-7); of a receive, the CQ has overflown.
    NotConnected,
    /// Too many scatter/gather entries, or bytes, or bytes inline.
    TooLarge,
    /// As many requests as the depth are outstanding.
    QueueFull,
    /// Receives are to be posted on the shared queue.
    SharedReceives,
}

impl From<QueueFull> for PostError {
    fn from(_: QueueFull) -> Self {
        Self::QueueFull
    }
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// Accepts an initiator request and starts it, with all deferred ones before it. If it is refused,
    /// the deferred ones are for the caller to start (WR-6), see [`Object::start_deferred`].
    ///
    /// Up to DISPATCH_LEVEL. The caller holds the queue pair, as the result may make the consumer close it
    /// before this returns.
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    pub(crate) fn post_transfer(
        &self,
        operation: Operation<K>,
        (flags, context): (Flags, Opaque),
        local: impl ExactSizeIterator<Item = Sge> + Clone,
    ) -> Result<(), PostError> {
        self.initiator.check(local.clone())?;
        let work = WorkRequest { operation, flags, context };
        self.accept(flags, |initiator| initiator.post(work, local))
    }

    /// As [`Object::post_transfer`], with the data of `entries` taken at once. Neither the tokens nor the
    /// number of the entries matter (WR-5).
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    ///
    /// # Safety
    ///
    /// The entries name memory that can be read at the caller's level.
    pub(crate) unsafe fn post_inline(
        &self,
        operation: Operation<K>,
        (flags, context): (Flags, Opaque),
        entries: impl Iterator<Item = Sge> + Clone,
    ) -> Result<(), PostError> {
        self.initiator.check_inline(entries.clone())?;
        let work = WorkRequest { operation, flags, context };
        self.accept(flags, |initiator| {
            // SAFETY: as the caller promises.
            unsafe { initiator.post_inline(work, entries) }
        })
    }

    /// As [`Object::post_transfer`], for a fast registration or a bind. The token is known from then on.
    ///
    /// # Errors
    ///
    /// See [`PostError`]; the registration is taken back then.
    pub(crate) fn post_registration(
        &self,
        operation: Operation<K>,
        (flags, context): (Flags, Opaque),
        posted: PendingRegistration<K>,
    ) -> Result<(), PostError> {
        let work = WorkRequest { operation, flags, context };
        self.accept(flags, |initiator| initiator.post_registration(work, posted))
    }

    /// As [`Object::post_transfer`], for an invalidation.
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    pub(crate) fn post_invalidation(
        &self,
        (flags, context): (Flags, Opaque),
        owner: RegionOrWindow<K>,
    ) -> Result<(), PostError> {
        let work = WorkRequest { operation: Operation::Invalidate(owner), flags, context };
        self.accept(flags, |initiator| initiator.post(work, core::iter::empty()))
    }

    fn accept(
        &self,
        flags: Flags,
        post: impl FnOnce(&Initiator<K>) -> Result<(), PostError>,
    ) -> Result<(), PostError> {
        if self.is_dead() || !self.attachment.is_established() {
            return Err(PostError::NotConnected);
        }
        post(&self.initiator)?;
        if !flags.contains(Flags::DEFER) {
            self.progress();
        }
        Ok(())
    }

    /// Starts what was deferred, as a later request was refused (WR-6).
    pub(crate) fn start_deferred(&self) {
        self.progress();
    }

    /// Accepts a receive, and lets the peer's sends that waited for it go on. As [`Object::post_transfer`].
    ///
    /// # Errors
    ///
    /// [`PostError::TooLarge`], [`PostError::QueueFull`] or [`PostError::SharedReceives`];
    /// [`PostError::NotConnected`] if no result can be reported, as the CQ has overflown (CQ-6).
    pub(crate) fn post_receive(
        &self,
        context: Opaque,
        sink: impl ExactSizeIterator<Item = Sge>,
    ) -> Result<(), PostError> {
        self.responder.post(context, sink, self.is_dead())?;
        self.responder.receive_posted(self);
        Ok(())
    }
}
