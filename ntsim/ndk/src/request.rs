//! Functions that take a completion: creates and requests.
//!
//! The provider gets the layer's completion and, for a create, the layer's own out-parameter, so that
//! anything it writes there, at any time, is seen and does no harm. The consumer's is written only when the
//! object is there.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use parking_lot::Mutex;
use sys::ndk::{NDK_FN_CREATE_COMPLETION, NDK_FN_REQUEST_COMPLETION};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_INTERNAL_ERROR, STATUS_PENDING};
use sys::wdm::PVOID;

use crate::call::Call;
use crate::callback::{NdkCreateCompletion, NdkRequestCompletion};
use crate::completion::check_out_untouched;
use crate::context::{Consumer, Out, Prospect, Returned, Then};
use crate::kind::Object;
use crate::layer::layer;
use crate::object::{TrackedObject, TypeState};
use crate::rules::{self, found};
use crate::track;

/// [`track::track`] for the type that a create makes.
fn track<T: Object>(
    object: PVOID,
    prospect: Prospect,
    parent: &Arc<TrackedObject>,
) -> Option<Arc<TrackedObject>> {
    track::track(object.cast::<T>(), prospect, Some(parent.adapter()), parent.checks)
}

/// The arguments that the provider gets from the layer in a create.
pub(crate) struct CreateArguments<T> {
    pub(crate) completion: Option<NDK_FN_CREATE_COMPLETION>,
    pub(crate) context: PVOID,
    pub(crate) out: *mut *mut T,
}

/// Returns the prospect of a create that registers an event, and the provider's context for the event.
pub(crate) fn with_event<P: Object>(
    call: &Call<P>,
    type_state: TypeState,
    event: Consumer,
) -> (Prospect, PVOID) {
    let event = layer().contexts.make(call.name, None, event);
    let pointer = event.pointer();
    let mut prospect = layer().prospect(type_state, vec![Arc::clone(&call.tracked)]);
    prospect.event = Some(event);
    (prospect, pointer)
}

/// Calls a create function of the provider's.
///
/// # Safety
/// `out` is what the consumer passed as out-parameter.
pub(crate) unsafe fn create<P: Object, T: Object>(
    call: &Call<P>,
    prospect: Prospect,
    callback: Option<NDK_FN_CREATE_COMPLETION>,
    context: PVOID,
    out: *mut *mut T,
    provider: impl FnOnce(CreateArguments<T>) -> NTSTATUS,
) -> NTSTATUS {
    let parent = &call.tracked;
    if callback.is_none() {
        call.misses_callback();
    }
    let request = layer().contexts.make(
        call.name,
        Some(parent),
        Consumer::Create {
            callback,
            context: context.into(),
            track: track::<T>,
            prospect: Mutex::new(Some(Box::new(prospect))),
            out: Out::new(),
        },
    );
    let Consumer::Create { out: slot, prospect, .. } = &request.consumer else {
        return STATUS_INTERNAL_ERROR;
    };
    parent.requests.fetch_add(1, Ordering::AcqRel);
    let arguments = CreateArguments {
        completion: Some(NdkCreateCompletion),
        context: request.pointer(),
        out: slot.place::<T>(),
    };
    let status = call.run(|| provider(arguments));
    if layer().contexts.returned(&request, status == STATUS_PENDING) != Returned::Final {
        check_out_untouched(&request, slot);
        return status;
    }
    let prospect = prospect.lock().take();
    if !NT_SUCCESS(status) {
        check_out_untouched(&request, slot);
        if let Some(prospect) = prospect {
            prospect.abandon(&layer().contexts);
        }
    } else if let Some(object) = slot.written() {
        if let Some(prospect) = prospect {
            track::<T>(object.cast(), *prospect, parent);
        }
        // SAFETY: the caller vouches for it.
        unsafe { out.write(object.cast()) };
    } else {
        found(
            rules::OUT_PARAMETER,
            format!("{} of {parent} returned success and did not write its out-parameter", call.name),
        );
    }
    parent.requests.fetch_sub(1, Ordering::AcqRel);
    status
}

/// Calls a function of the provider's that takes a request completion.
///
/// `then` gets the final status before the consumer does: inline, or when the completion comes.
pub(crate) fn run<T: Object>(
    call: &Call<T>,
    callback: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
    provider: impl FnOnce(Option<NDK_FN_REQUEST_COMPLETION>, PVOID) -> NTSTATUS,
    then: Option<Then>,
) -> NTSTATUS {
    if callback.is_none() {
        call.misses_callback();
    }
    run_optional(call, callback, context, provider, then)
}

/// As [`run`], where the consumer may leave the completion out: it is a finding only if the request pends.
pub(crate) fn run_optional<T: Object>(
    call: &Call<T>,
    callback: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
    provider: impl FnOnce(Option<NDK_FN_REQUEST_COMPLETION>, PVOID) -> NTSTATUS,
    then: Option<Then>,
) -> NTSTATUS {
    let subject = &call.tracked;
    let request = layer().contexts.make(
        call.name,
        Some(subject),
        Consumer::Request { callback, context: context.into(), then: Mutex::new(then) },
    );
    subject.requests.fetch_add(1, Ordering::AcqRel);
    let status = call.run(|| provider(Some(NdkRequestCompletion), request.pointer()));
    if layer().contexts.returned(&request, status == STATUS_PENDING) == Returned::Final {
        if let Consumer::Request { then, .. } = &request.consumer {
            let then = then.lock().take();
            if let Some(then) = then {
                then(status);
            }
        }
        subject.requests.fetch_sub(1, Ordering::AcqRel);
    }
    status
}
