//! Closing.
//!
//! A close either is over when the function returns STATUS_SUCCESS, or returns STATUS_PENDING and is over
//! when the completion has returned. At that moment nothing may be left that could still call back: no
//! request, no callback in progress, no successor.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::exports;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;

use super::call::Call;
use super::callback::{Consumer, NdkCloseCompletion};
use super::context::Returned;
use super::kind::Object;
use super::part::Part;
use super::shadow::{Shadow, Stage};
use super::ties::Ties;
use super::{found, layer, rules};

macro_rules! closes {
    ($( $name:ident, $object:ident; )*) => { exports! {
        "(ndk)";
        $(
            /// Closes an object.
            #[irql(PASSIVE..=DISPATCH)]
            fn $name(
                object: *mut NDK_OBJECT_HEADER,
                completion: Option<NDK_FN_CLOSE_COMPLETION>,
                context: PVOID,
            ) -> NTSTATUS {
                let Some(call) = Call::<$object>::begin(object.cast(), stringify!($name)) else {
                    return STATUS_INVALID_HANDLE;
                };
                // SAFETY: every table has one; the first slot of each is the close function.
                let close = unsafe { (*call.dispatch()).$name };
                // SAFETY: the arguments are what the function takes: the object, a completion, its context.
                close_object(&call, completion, context, |completion, context| unsafe {
                    close.map_or(STATUS_INVALID_HANDLE, |close| close(object, completion, context))
                })
            }
        )*
    }};
}

closes! {
    NdkCloseQp, NDK_QP;
    NdkCloseCq, NDK_CQ;
    NdkCloseMr, NDK_MR;
    NdkCloseMw, NDK_MW;
    NdkClosePd, NDK_PD;
    NdkCloseSharedEndpoint, NDK_SHARED_ENDPOINT;
    NdkCloseConnector, NDK_CONNECTOR;
    NdkCloseListener, NDK_LISTENER;
    NdkCloseSrq, NDK_SRQ;
}

fn close_object<T: Object>(
    call: &Call<T>,
    callback: Option<NDK_FN_CLOSE_COMPLETION>,
    context: PVOID,
    provider: impl FnOnce(Option<NDK_FN_CLOSE_COMPLETION>, PVOID) -> NTSTATUS,
) -> NTSTATUS {
    let shadow = &call.shadow;
    if callback.is_none() {
        call.misses_callback();
    }
    if !shadow.begin_close() {
        found(rules::USE_AFTER_CLOSE, format!("{} of {shadow} on two threads at once", call.name));
        return STATUS_INVALID_HANDLE;
    }
    Part::closing(shadow);
    let request =
        layer().contexts.make(call.name, Some(shadow), Consumer::Close { callback, context: context.into() });
    let status = call.run(|| provider(Some(NdkCloseCompletion), request.pointer()));
    layer().statistics.closed(shadow.kind, status == STATUS_PENDING);
    if status != STATUS_PENDING && status != STATUS_SUCCESS {
        found(rules::CLOSE_STATUS, format!("{} of {shadow} returned {status:#010x}", call.name));
    }
    match request.returned(status == STATUS_PENDING) {
        Returned::Final => {
            completing(shadow);
            completed(shadow);
        }
        Returned::CompletionCame => shadow.ties.report_overtaken(),
        Returned::CompletionFollows => {
            shadow.advance(Stage::CloseCalled, Stage::ClosePending);
            if let Part::Listener(listener) = &shadow.part {
                listener.refuses_from_now();
            }
            shadow.ties.report_overtaken();
        }
    }
    status
}

/// Checks that nothing holds an object whose close is completing; from here on it gets no callback.
pub(super) fn completing(shadow: &Arc<Shadow>) {
    let requests = shadow.requests.load(Ordering::Acquire);
    if requests != 0 {
        found(
            rules::CLOSE_BEFORE_REQUEST,
            format!("the close of {shadow} completed with {requests} requests outstanding"),
        );
    }
    let callbacks = shadow.callbacks.load(Ordering::Acquire);
    if callbacks != 0 {
        found(
            rules::CLOSE_BEFORE_CALLBACK,
            format!("the close of {shadow} completed with {callbacks} callbacks in progress"),
        );
    }
    Ties::check_no_successor(shadow);
    layer().contexts.end_events(shadow);
    layer().objects.remove(shadow);
    shadow.become_stage(Stage::Completing);
    Part::closed(shadow);
}

/// Notes that a close is over: its completion, if it had one, has returned.
pub(super) fn completed(shadow: &Shadow) {
    shadow.become_stage(Stage::Closed);
    Ties::release(shadow);
}

/// Reports an object that is left although nothing can close it any more, and forgets it.
pub(super) fn abandoned(shadow: &Arc<Shadow>) {
    if shadow.stage() == Stage::Open {
        found(rules::OBJECT_LEAKED, format!("{shadow} was never closed"));
    } else {
        found(rules::CLOSE_NOT_COMPLETED, format!("the close of {shadow} never completed"));
    }
    layer().contexts.end_events(shadow);
    layer().objects.remove(shadow);
    Part::closed(shadow);
}
