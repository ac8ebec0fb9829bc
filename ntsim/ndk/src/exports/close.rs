//! Closing.
//!
//! A close either is over when the function returns STATUS_SUCCESS, or returns STATUS_PENDING and is over
//! when the completion has returned. At that moment nothing may be left that could still call back: no
//! request, no callback in progress, no successor.

use ntsim_core::exports;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;

use crate::call::Call;
use crate::callback::NdkCloseCompletion;
use crate::close;
use crate::context::{Consumer, Returned};
use crate::kind::Object;
use crate::layer::layer;
use crate::notification::check_overdue;
use crate::object::{Stage, TypeState};
use crate::rules::{self, found};

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
    let tracked = &call.tracked;
    if callback.is_none() {
        call.misses_callback();
    }
    if !tracked.begin_close() {
        found(rules::USE_AFTER_CLOSE, format!("{} of {tracked} on two threads at once", call.name));
        return STATUS_INVALID_HANDLE;
    }
    if let TypeState::Cq(cq) = &tracked.type_state {
        check_overdue(tracked, cq);
    }
    let request = layer().contexts.make(
        call.name,
        Some(tracked),
        Consumer::Close { callback, context: context.into() },
    );
    let status = call.run(|| provider(Some(NdkCloseCompletion), request.pointer()));
    layer().statistics.closed(tracked.kind, status == STATUS_PENDING);
    if status != STATUS_PENDING && status != STATUS_SUCCESS {
        found(rules::CLOSE_STATUS, format!("{} of {tracked} returned {status:#010x}", call.name));
    }
    match layer().contexts.returned(&request, status == STATUS_PENDING) {
        Returned::Final => {
            close::completing(tracked);
            close::completed(tracked);
        }
        Returned::CompletionCame => tracked.dependencies.report_overtaken(),
        Returned::CompletionFollows => {
            tracked.advance(Stage::CloseCalled, Stage::ClosePending);
            if let TypeState::Listener(listener) = &tracked.type_state {
                listener.refuses_from_now();
            }
            tracked.dependencies.report_overtaken();
        }
    }
    status
}
