//! The shared receive queue.

use ntsim_core::exports;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{PVOID, ULONG};

use super::call::enter;
use super::request_id::Side;
use super::serialization::Serialization;
use super::type_state::TypeState;
use super::work::Queue;
use super::{post, request};

/// The state that the layer keeps of an SRQ.
pub(super) struct Srq {
    pub(super) queue: Queue,
    serialization: Serialization,
}

impl Srq {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { queue: Queue::unordered(), serialization: Serialization::default() }
    }
}

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
        let TypeState::Srq(part) = &call.tracked.type_state else { return STATUS_INVALID_HANDLE };
        let request = post::request(context, NDK_OPERATION_TYPE::NdkOperationTypeReceive, 0);
        let queue = (&part.queue, &part.serialization, Side::Receive);
        // SAFETY: the consumer's arguments, and the layer's context.
        post::post(&call, queue, request, |context| unsafe { receive(srq, context, sgl, count) })
    }
}
