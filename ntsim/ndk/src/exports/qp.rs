//! The queue pair.

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{PVOID, SIZE_T, UINT32, UINT64, ULONG};

use crate::call::{Call, argument, enter};
use crate::layer::layer;
use crate::memory;
use crate::object::{Effect, Stage, TypeState};
use crate::post::{hopeless, post, request};
use crate::request_id::Side;
use crate::rules::{self, found};
use crate::work::Request;

/// Posts to one of the queues of a QP.
fn post_to(
    call: &Call<NDK_QP>,
    side: Side,
    request: Request<Effect>,
    provider: impl FnOnce(PVOID) -> NTSTATUS,
) -> NTSTATUS {
    let TypeState::Qp(qp) = &call.tracked.type_state else { return STATUS_INVALID_HANDLE };
    post(call, (qp.queue(side), qp.serialization(side), side), request, provider)
}

/// A request that moves bytes from or to these buffers.
///
/// # Safety
/// The list has so many entries.
unsafe fn moving(
    call: &Call<NDK_QP>,
    context: PVOID,
    operation: NDK_OPERATION_TYPE,
    (sgl, count): (*const NDK_SGE, ULONG),
    flags: ULONG,
) -> Request<Effect> {
    // SAFETY: the caller vouches for the list.
    let hopeless = unsafe { hopeless(&call.tracked, sgl, count, flags) };
    Request { hopeless, ..request(context, operation, flags) }
}

exports! {
    "(ndk)";

    /// Cancels what is outstanding.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkFlush(qp: *mut NDK_QP) {
        let (call, flush) = enter!(qp, NdkFlush, else return);
        // SAFETY: the consumer's argument.
        call.run(|| unsafe { flush(qp) });
    }

    /// Sends a message.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkSend(
        qp: *mut NDK_QP,
        context: PVOID,
        sgl: *const NDK_SGE,
        count: ULONG,
        flags: ULONG,
    ) -> NTSTATUS {
        let (call, send) = enter!(qp, NdkSend);
        // SAFETY: the consumer's list of buffers.
        let request = unsafe { moving(&call, context, NDK_OPERATION_TYPE::NdkOperationTypeSend, (sgl, count), flags) };
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe { send(qp, context, sgl, count, flags) })
    }

    /// Sends a message that invalidates a token at the peer.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkSendAndInvalidate(
        qp: *mut NDK_QP,
        context: PVOID,
        sgl: *const NDK_SGE,
        count: ULONG,
        flags: ULONG,
        token: UINT32,
    ) -> NTSTATUS {
        let (call, send) = enter!(qp, NdkSendAndInvalidate, since 1, 2);
        // The peer's window may be unbound from now on, whenever the peer learns of it.
        layer().tokens.owners_at_peers(token).iter().for_each(memory::unbind);
        // SAFETY: the consumer's list of buffers.
        let request = unsafe { moving(&call, context, NDK_OPERATION_TYPE::NdkOperationTypeSend, (sgl, count), flags) };
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe {
            send(qp, context, sgl, count, flags, token)
        })
    }

    /// Posts a receive buffer.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkReceive(qp: *mut NDK_QP, context: PVOID, sgl: *const NDK_SGE, count: ULONG) -> NTSTATUS {
        let (call, receive) = enter!(qp, NdkReceive);
        let request = request(context, NDK_OPERATION_TYPE::NdkOperationTypeReceive, 0);
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Receive, request, |context| unsafe { receive(qp, context, sgl, count) })
    }

    /// Binds a memory window.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkBind(
        qp: *mut NDK_QP,
        context: PVOID,
        mr: *mut NDK_MR,
        mw: *mut NDK_MW,
        address: PVOID,
        length: SIZE_T,
        flags: ULONG,
    ) -> NTSTATUS {
        let (call, bind) = enter!(qp, NdkBind);
        let Ok(region) = argument(mr, call.name) else { return STATUS_INVALID_HANDLE };
        let Ok(window) = argument(mw, call.name) else { return STATUS_INVALID_HANDLE };
        let effect = Effect::bind(region, window);
        let request = Request { effect, ..request(context, NDK_OPERATION_TYPE::NdkOperationTypeBind, flags) };
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe {
            bind(qp, context, mr, mw, address, length, flags)
        })
    }

    /// Registers logical pages.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkFastRegister(
        qp: *mut NDK_QP,
        context: PVOID,
        mr: *mut NDK_MR,
        pages: ULONG,
        page_array: *const NDK_LOGICAL_ADDRESS,
        offset: ULONG,
        length: SIZE_T,
        base: PVOID,
        flags: ULONG,
    ) -> NTSTATUS {
        let (call, register) = enter!(qp, NdkFastRegister);
        let Ok(region) = argument(mr, call.name) else { return STATUS_INVALID_HANDLE };
        if let Some(region) = region {
            memory::fast_registering(&region);
        }
        let request = request(context, NDK_OPERATION_TYPE::NdkOperationTypeFastRegister, flags);
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe {
            register(qp, context, mr, pages, page_array, offset, length, base, flags)
        })
    }

    /// Invalidates a region or a window.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkInvalidate(
        qp: *mut NDK_QP,
        context: PVOID,
        memory: *mut NDK_OBJECT_HEADER,
        flags: ULONG,
    ) -> NTSTATUS {
        let (call, invalidate) = enter!(qp, NdkInvalidate);
        let named = layer().objects.find(Va::of(memory)).filter(|one| one.stage() == Stage::Open);
        let Some(named) = named else {
            found(rules::HANDLE_INVALID, format!("{} was given {memory:p}, which is not open", call.name));
            return STATUS_INVALID_HANDLE;
        };
        let effect = Effect::invalidate(&named);
        let request =
            Request { effect, ..request(context, NDK_OPERATION_TYPE::NdkOperationTypeInvalidate, flags) };
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe { invalidate(qp, context, memory, flags) })
    }

    /// Reads the peer's memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkRead(
        qp: *mut NDK_QP,
        context: PVOID,
        sgl: *const NDK_SGE,
        count: ULONG,
        address: UINT64,
        token: UINT32,
        flags: ULONG,
    ) -> NTSTATUS {
        let (call, read) = enter!(qp, NdkRead);
        // SAFETY: the consumer's list of buffers.
        let request =
            unsafe { moving(&call, context, NDK_OPERATION_TYPE::NdkOperationTypeRead, (sgl, count), flags) };
        // A read needs the peer's answer, so its success means that the peer admitted the token.
        let hopeless = request.hopeless.or_else(|| layer().tokens.must_refuse(token));
        let request = Request { hopeless, ..request };
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe {
            read(qp, context, sgl, count, address, token, flags)
        })
    }

    /// Writes the peer's memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkWrite(
        qp: *mut NDK_QP,
        context: PVOID,
        sgl: *const NDK_SGE,
        count: ULONG,
        address: UINT64,
        token: UINT32,
        flags: ULONG,
    ) -> NTSTATUS {
        let (call, write) = enter!(qp, NdkWrite);
        // The peer's token is left out: over iWARP a write succeeds before the peer has looked at it.
        // SAFETY: the consumer's list of buffers.
        let request = unsafe { moving(&call, context, NDK_OPERATION_TYPE::NdkOperationTypeWrite, (sgl, count), flags) };
        // SAFETY: the consumer's arguments, and the layer's context.
        post_to(&call, Side::Initiator, request, |context| unsafe {
            write(qp, context, sgl, count, address, token, flags)
        })
    }
}
