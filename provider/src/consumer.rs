//! The consumer's contexts and completion callbacks.

#![expect(unsafe_code, reason = "contexts of consumers are used in any thread")]

use sys::ndk::NDK_FN_REQUEST_COMPLETION;
use sys::status::NTSTATUS;
use sys::wdm::PVOID;

use crate::kernel::Kernel;
use crate::kernel::event::Handle;
use crate::object::{ObjectRef, ObjectType};

/// A pointer of the consumer's that we never look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Opaque(pub(crate) PVOID);

// SAFETY: the pointer is a number to us.
unsafe impl Send for Opaque {}
// SAFETY: as above.
unsafe impl Sync for Opaque {}

/// The consumer's callback for one request that is pending.
#[derive(Clone, Copy)]
pub(crate) struct Completion {
    function: Option<NDK_FN_REQUEST_COMPLETION>,
    context: Opaque,
}

impl Completion {
    pub(crate) fn new(function: Option<NDK_FN_REQUEST_COMPLETION>, context: PVOID) -> Self {
        Self { function, context: Opaque(context) }
    }
}

/// A pending request on an object: holds the object until the completion has returned (CL-3).
pub(crate) struct Request<K: Kernel, B: ObjectType<K>> {
    completion: Completion,
    hold: ObjectRef<K, B>,
}

impl<K: Kernel, B: ObjectType<K>> Request<K, B> {
    /// A request whose object `hold` keeps.
    pub(crate) fn new(completion: Completion, hold: ObjectRef<K, B>) -> Self {
        Self { completion, hold }
    }

    /// Returns whether the consumer can be told of an outcome later.
    pub(crate) fn has_completion(&self) -> bool {
        self.completion.function.is_some()
    }

    /// The address of its object.
    pub(crate) fn handle(&self) -> Handle {
        Handle(core::ptr::from_ref(&*self.hold).addr())
    }

    /// Calls the completion, and then releases the object. Up to DISPATCH_LEVEL, with no lock held.
    pub(crate) fn complete(self, status: NTSTATUS) {
        if let Some(function) = self.completion.function {
            // SAFETY: the consumer passed this function and context for exactly this call; `self` is
            // consumed, so it is made once.
            unsafe { function(self.completion.context.0, status) }
        }
        drop(self.hold);
    }

    /// Forgets a request that was answered inline: its completion is never called (RQ-2).
    pub(crate) fn answered_inline(self) {}
}
