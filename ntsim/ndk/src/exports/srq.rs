//! The shared receive queue.

use ntsim_core::exports;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{PVOID, ULONG};

use crate::call::enter;
use crate::object::TypeState;
use crate::request_id::Side;
use crate::{post, request};

exports! {
    "(ndk)";

    /// Changes depth or threshold.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkModifySrq(
        srq: *mut NDK_SRQ,
        depth: ULONG,
        threshold: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, modify) = enter!(srq, NdkModifySrq);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            modify(srq, depth, threshold, completion, context)
        }, None)
    }

    /// Posts a receive buffer.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkSrqReceive(srq: *mut NDK_SRQ, context: PVOID, sgl: *const NDK_SGE, count: ULONG) -> NTSTATUS {
        let (call, receive) = enter!(srq, NdkSrqReceive);
        let TypeState::Srq(state) = &call.tracked.type_state else { return STATUS_INVALID_HANDLE };
        let request = post::request(context, NDK_OPERATION_TYPE::NdkOperationTypeReceive, 0);
        let queue = (&state.queue, &state.serialization, Side::Receive);
        // SAFETY: the consumer's arguments, and the layer's context.
        post::post(&call, queue, request, |context| unsafe { receive(srq, context, sgl, count) })
    }
}
