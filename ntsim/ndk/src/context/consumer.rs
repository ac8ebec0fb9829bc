//! The callbacks and contexts that the consumer passed.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use sys::ndk::*;
use sys::status::NTSTATUS;
use sys::wdm::PVOID;

use super::Prospect;
use crate::object::TrackedObject;
use crate::rules;

/// Tracks the object that a create has made, of the type that it makes.
pub(crate) type Track = fn(PVOID, Prospect, &Arc<TrackedObject>) -> Option<Arc<TrackedObject>>;

/// The callback and context that the consumer passed.
pub(crate) enum Consumer {
    /// To a create.
    Create {
        callback: Option<NDK_FN_CREATE_COMPLETION>,
        context: Address,
        track: Track,
        prospect: Mutex<Option<Box<Prospect>>>,
        /// The provider's out-parameter.
        out: Out,
    },
    /// To a request.
    Request {
        callback: Option<NDK_FN_REQUEST_COMPLETION>,
        context: Address,
        /// The layer's reaction to its final status.
        then: Mutex<Option<Then>>,
    },
    /// To a close.
    Close { callback: Option<NDK_FN_CLOSE_COMPLETION>, context: Address },
    /// To the create of a CQ.
    CqNotification { callback: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>, context: Address },
    /// To the create of an SRQ.
    SrqNotification { callback: Option<NDK_FN_SRQ_NOTIFICATION_CALLBACK>, context: Address },
    /// To the create of a listener.
    ConnectEvent { callback: Option<NDK_FN_CONNECT_EVENT_CALLBACK>, context: Address },
    /// To accept or complete-connect.
    DisconnectEvent { callback: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>, context: Address },
    /// To the extended forms of these.
    DisconnectEventEx { callback: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>, context: Address },
}

/// The layer's reaction to a request's final status, before the consumer learns it.
pub(crate) type Then = Box<dyn FnOnce(NTSTATUS) + Send>;

/// The rules that a completion breaks which must not come.
pub(crate) struct CompletionRules {
    /// It came before.
    pub(crate) twice: &'static str,
    /// The function did not return STATUS_PENDING.
    pub(crate) after_final: &'static str,
}

impl Consumer {
    /// Returns the rules that a superfluous completion breaks.
    pub(crate) fn completion_rules(&self) -> CompletionRules {
        if let Self::Close { .. } = self {
            CompletionRules {
                twice: rules::CLOSE_COMPLETED_TWICE,
                after_final: rules::CLOSE_COMPLETION_AFTER_SUCCESS,
            }
        } else {
            CompletionRules { twice: rules::COMPLETION_TWICE, after_final: rules::COMPLETION_AFTER_INLINE }
        }
    }
}

/// A context of the consumer's, which the layer hands back and never looks into.
#[derive(Clone, Copy)]
pub(crate) struct Address(PVOID);

// SAFETY: the pointer is only handed back to the consumer that passed it; any thread may do that.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

impl From<PVOID> for Address {
    fn from(pointer: PVOID) -> Self {
        Self(pointer)
    }
}

impl Address {
    pub(crate) fn pointer(self) -> PVOID {
        self.0
    }
}

/// The out-parameter that the provider gets from a create; holds its own address until it is written.
pub(crate) struct Out(Box<AtomicPtr<()>>);

impl Out {
    /// One that is not written yet.
    pub(crate) fn new() -> Self {
        let place = Box::new(AtomicPtr::new(ptr::null_mut()));
        place.store(ptr::from_ref(&*place).cast_mut().cast(), Ordering::Relaxed);
        Self(place)
    }

    /// The parameter for the provider.
    pub(crate) fn place<T>(&self) -> *mut *mut T {
        self.0.as_ptr().cast()
    }

    /// Returns the value that has been written, if any.
    pub(crate) fn written(&self) -> Option<*mut ()> {
        let value = self.0.load(Ordering::Acquire);
        (!ptr::addr_eq(value, ptr::from_ref(&*self.0))).then_some(value)
    }
}
