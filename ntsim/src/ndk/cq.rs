//! The completion queue.

use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{PVOID, ULONG};

use super::call::{Call, slot};
use super::request;
use crate::export::exports;

exports! {
    "(ndk)";

    /// Changes the depth.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkResizeCq(
        cq: *mut NDK_CQ,
        depth: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(cq, "NdkResizeCq") else { return STATUS_INVALID_HANDLE };
        let resize = slot!(call, NdkResizeCq);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            resize(cq, depth, completion, context)
        }, None)
    }

    /// Asks for one notification.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkArmCq(cq: *mut NDK_CQ, notify: ULONG) {
        let Some(call) = Call::begin(cq, "NdkArmCq") else { return };
        let arm = slot!(call, NdkArmCq, ());
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { arm(cq, notify) });
    }

    /// Takes results.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetCqResults(cq: *mut NDK_CQ, results: *mut NDK_RESULT, count: ULONG) -> ULONG {
        let Some(call) = Call::begin(cq, "NdkGetCqResults") else { return 0 };
        let poll = slot!(call, NdkGetCqResults, 0);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { poll(cq, results, count) })
    }

    /// Takes results in their extended form.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetCqResultsEx(cq: *mut NDK_CQ, results: *mut NDK_RESULT_EX, count: ULONG) -> ULONG {
        let Some(call) = Call::begin(cq, "NdkGetCqResultsEx") else { return 0 };
        if !call.since(1, 2) {
            return 0;
        }
        let poll = slot!(call, NdkGetCqResultsEx, 0);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { poll(cq, results, count) })
    }

    /// Sets when notifications are held back.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkControlCqInterruptModeration(cq: *mut NDK_CQ, interval: ULONG, count: ULONG) -> NTSTATUS {
        let Some(call) = Call::begin(cq, "NdkControlCqInterruptModeration") else {
            return STATUS_INVALID_HANDLE;
        };
        let control = slot!(call, NdkControlCqInterruptModeration);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { control(cq, interval, count) })
    }
}
