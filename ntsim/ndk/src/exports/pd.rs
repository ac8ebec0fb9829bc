//! The protection domain.

use core::ptr;
use std::sync::Arc;

use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{BOOLEAN, GROUP_AFFINITY, PVOID, UINT32, ULONG};

use crate::call::{Call, argument, enter};
use crate::callback::NdkSrqNotificationCallback;
use crate::checks::Checks;
use crate::context::{Consumer, Prospect};
use crate::layer::layer;
use crate::object::{Memory, Qp, Srq, TrackedObject, TypeState};
use crate::request::{self, CreateArguments};

/// Returns the prospect of a QP, and the QP context that the provider gets: the QP's serial number, so that a
/// result says which QP it is of. Where the data path goes straight to the provider, the consumer's own.
fn qp_prospect(
    call: &Call<NDK_PD>,
    [receive_cq, initiator_cq, srq]: [Option<Arc<TrackedObject>>; 3],
    context: PVOID,
) -> (Prospect, PVOID) {
    let pd = Some(&call.tracked);
    let antecedents = [pd, receive_cq.as_ref(), initiator_cq.as_ref(), srq.as_ref()];
    let antecedents = antecedents.into_iter().flatten().cloned().collect();
    let state = Qp {
        context: context.expose_provenance(),
        receive_cq,
        initiator_cq,
        srq,
        queues: Default::default(),
        serializations: Default::default(),
    };
    let prospect = layer().prospect(TypeState::Qp(state), antecedents);
    let context = match call.tracked.checks {
        Checks::Full => ptr::without_provenance_mut(prospect.serial.to_usize()),
        Checks::Lifetimes | Checks::None => context,
    };
    (prospect, context)
}

exports! {
    "(ndk)";

    /// Creates a memory region.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateMr(
        pd: *mut NDK_PD,
        fast: BOOLEAN,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_MR,
    ) -> NTSTATUS {
        let (call, create) = enter!(pd, NdkCreateMr);
        let prospect = layer().prospect(TypeState::Memory(Memory::default()), vec![Arc::clone(&call.tracked)]);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe { create(pd, fast, completion, context, out) }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a memory window.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateMw(
        pd: *mut NDK_PD,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_MW,
    ) -> NTSTATUS {
        let (call, create) = enter!(pd, NdkCreateMw);
        let prospect = layer().prospect(TypeState::Memory(Memory::default()), vec![Arc::clone(&call.tracked)]);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe { create(pd, completion, context, out) }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a shared receive queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateSrq(
        pd: *mut NDK_PD,
        depth: ULONG,
        max_sge: ULONG,
        threshold: ULONG,
        notification: Option<NDK_FN_SRQ_NOTIFICATION_CALLBACK>,
        notification_context: PVOID,
        affinity: *mut GROUP_AFFINITY,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_SRQ,
    ) -> NTSTATUS {
        let (call, create) = enter!(pd, NdkCreateSrq);
        let callback = notification.map(|_| NdkSrqNotificationCallback as NDK_FN_SRQ_NOTIFICATION_CALLBACK);
        let event = Consumer::SrqNotification { callback: notification, context: notification_context.into() };
        let (prospect, event) = request::with_event(&call, TypeState::Srq(Srq::new()), event);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's event, completion and out-parameter.
            unsafe {
                create(
                    pd, depth, max_sge, threshold, callback, event, affinity, completion, context, out,
                )
            }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a queue pair.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateQp(
        pd: *mut NDK_PD,
        receive_cq: *mut NDK_CQ,
        initiator_cq: *mut NDK_CQ,
        qp_context: PVOID,
        receive_depth: ULONG,
        initiator_depth: ULONG,
        max_receive_sge: ULONG,
        max_initiator_sge: ULONG,
        inline_size: ULONG,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_QP,
    ) -> NTSTATUS {
        let (call, create) = enter!(pd, NdkCreateQp);
        let Ok(receive) = argument(receive_cq, call.name) else { return STATUS_INVALID_HANDLE };
        let Ok(initiator) = argument(initiator_cq, call.name) else { return STATUS_INVALID_HANDLE };
        let (prospect, qp_context) = qp_prospect(&call, [receive, initiator, None], qp_context);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe {
                create(
                    pd, receive_cq, initiator_cq, qp_context, receive_depth, initiator_depth, max_receive_sge,
                    max_initiator_sge, inline_size, completion, context, out,
                )
            }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a queue pair that receives through a shared receive queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateQpWithSrq(
        pd: *mut NDK_PD,
        receive_cq: *mut NDK_CQ,
        initiator_cq: *mut NDK_CQ,
        srq: *mut NDK_SRQ,
        qp_context: PVOID,
        initiator_depth: ULONG,
        max_initiator_sge: ULONG,
        inline_size: ULONG,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_QP,
    ) -> NTSTATUS {
        let (call, create) = enter!(pd, NdkCreateQpWithSrq);
        let Ok(receive) = argument(receive_cq, call.name) else { return STATUS_INVALID_HANDLE };
        let Ok(initiator) = argument(initiator_cq, call.name) else { return STATUS_INVALID_HANDLE };
        let Ok(shared) = argument(srq, call.name) else { return STATUS_INVALID_HANDLE };
        let (prospect, qp_context) = qp_prospect(&call, [receive, initiator, shared], qp_context);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe {
                create(
                    pd, receive_cq, initiator_cq, srq, qp_context, initiator_depth, max_initiator_sge,
                    inline_size, completion, context, out,
                )
            }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// The token that admits local requests to memory by its logical address.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetPrivilegedMemoryRegionToken(pd: *mut NDK_PD, token: *mut UINT32) {
        let (call, privileged) = enter!(pd, NdkGetPrivilegedMemoryRegionToken, else return);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { privileged(pd, token) });
        // SAFETY: the provider has written it.
        layer().tokens.privileged(&call.tracked, unsafe { token.read() });
    }
}
