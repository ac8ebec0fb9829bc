//! Functions that take a completion: creates and requests.
//!
//! The provider gets the layer's completion and, for a create, the layer's own out-parameter, so that
//! anything it writes there, at any time, is seen and does no harm. The consumer's is written only when the
//! object is there.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use ntsim_core::sched;
use parking_lot::Mutex;
use sys::ndk::{NDK_FN_CREATE_COMPLETION, NDK_FN_REQUEST_COMPLETION, NDK_OBJECT_HEADER};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_INTERNAL_ERROR, STATUS_PENDING};
use sys::wdm::PVOID;

use super::call::Call;
use super::callback::{Consumer, NdkCreateCompletion, NdkRequestCompletion, Then};
use super::context::{Context, Returned};
use super::kind::Object;
use super::tracked::{Prospect, TrackedObject};
use super::type_state::TypeState;
use super::{found, layer, rules};

/// [`TrackedObject::adopt`] for the type that a create makes.
pub(super) type Adopt = fn(PVOID, Prospect, &Arc<TrackedObject>) -> Option<Arc<TrackedObject>>;

fn adopt<T: Object>(
    object: PVOID,
    prospect: Prospect,
    parent: &Arc<TrackedObject>,
) -> Option<Arc<TrackedObject>> {
    TrackedObject::adopt(object.cast::<T>(), prospect, Some(parent.adapter()), parent.checks)
}

/// The out-parameter that the provider gets from a create; holds its own address until it is written.
pub(super) struct Out(Box<AtomicPtr<()>>);

impl Out {
    fn new() -> Self {
        let place = Box::new(AtomicPtr::new(ptr::null_mut()));
        place.store(ptr::from_ref(&*place).cast_mut().cast(), Ordering::Relaxed);
        Self(place)
    }

    fn place<T>(&self) -> *mut *mut T {
        self.0.as_ptr().cast()
    }

    /// Returns the value that has been written, if any.
    fn written(&self) -> Option<*mut ()> {
        let value = self.0.load(Ordering::Acquire);
        (!ptr::addr_eq(value, ptr::from_ref(&*self.0))).then_some(value)
    }
}

/// The arguments that the provider gets from the layer in a create.
pub(super) struct CreateArguments<T> {
    pub(super) completion: Option<NDK_FN_CREATE_COMPLETION>,
    pub(super) context: PVOID,
    pub(super) out: *mut *mut T,
}

/// Returns the prospect of a create that registers an event, and the provider's context for the event.
pub(super) fn with_event<P: Object>(
    call: &Call<P>,
    type_state: TypeState,
    event: Consumer,
) -> (Prospect, PVOID) {
    let event = layer().contexts.make(call.name, None, event);
    let pointer = event.pointer();
    let mut prospect = Prospect::new(type_state, vec![Arc::clone(&call.tracked)]);
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
            adopt: adopt::<T>,
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
    if request.returned(status == STATUS_PENDING) != Returned::Final {
        check_out_untouched(&request, slot);
        return status;
    }
    let prospect = prospect.lock().take();
    if !NT_SUCCESS(status) {
        check_out_untouched(&request, slot);
        if let Some(prospect) = prospect {
            prospect.abandon();
        }
    } else if let Some(object) = slot.written() {
        if let Some(prospect) = prospect {
            adopt::<T>(object.cast(), *prospect, parent);
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

fn check_out_untouched(request: &Context, slot: &Out) {
    if let Some(value) = slot.written() {
        let subject = request.subject().map_or_else(String::new, ToString::to_string);
        found(
            rules::OUT_PARAMETER,
            format!(
                "{} of {subject} wrote {value:p} to its out-parameter and did not return success",
                request.function
            ),
        );
    }
}

/// Takes over the object of a create that completed.
pub(super) fn create_completed(request: &Context, status: NTSTATUS, object: *mut NDK_OBJECT_HEADER) {
    let Consumer::Create { adopt, prospect, out, .. } = &request.consumer else { return };
    check_out_untouched(request, out);
    let prospect = prospect.lock().take();
    match (prospect, request.subject()) {
        (Some(prospect), Some(parent)) if NT_SUCCESS(status) => {
            adopt(object.cast(), *prospect, parent);
        }
        (Some(prospect), _) => prospect.abandon(),
        (None, _) => {}
    }
}

/// Calls a function of the provider's that takes a request completion.
///
/// `then` gets the final status before the consumer does: inline, or when the completion comes.
pub(super) fn run<T: Object>(
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
pub(super) fn run_optional<T: Object>(
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
    if request.returned(status == STATUS_PENDING) == Returned::Final {
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

/// Checks the status that a completion carries.
pub(super) fn final_status(callback: &'static str, request: &Context, status: NTSTATUS) -> NTSTATUS {
    sched::answered(callback, &status);
    if status == STATUS_PENDING {
        found(
            rules::COMPLETION_STATUS,
            format!("{callback} for {} carries STATUS_PENDING", request.function),
        );
    }
    status
}
