//! The queue pair.

use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_NOT_SUPPORTED};
use sys::wdm::{PVOID, SIZE_T, UINT32, UINT64, ULONG};

use super::call::{Call, argument, slot};
use crate::export::exports;

exports! {
    "(ndk)";

    /// Cancels what is outstanding.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkFlush(qp: *mut NDK_QP) {
        let Some(call) = Call::begin(qp, "NdkFlush") else { return };
        let flush = slot!(call, NdkFlush, ());
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
        let Some(call) = Call::begin(qp, "NdkSend") else { return STATUS_INVALID_HANDLE };
        let send = slot!(call, NdkSend);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { send(qp, context, sgl, count, flags) })
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
        let Some(call) = Call::begin(qp, "NdkSendAndInvalidate") else { return STATUS_INVALID_HANDLE };
        if !call.since(1, 2) {
            return STATUS_NOT_SUPPORTED;
        }
        let send = slot!(call, NdkSendAndInvalidate);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { send(qp, context, sgl, count, flags, token) })
    }

    /// Posts a receive buffer.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkReceive(qp: *mut NDK_QP, context: PVOID, sgl: *const NDK_SGE, count: ULONG) -> NTSTATUS {
        let Some(call) = Call::begin(qp, "NdkReceive") else { return STATUS_INVALID_HANDLE };
        let receive = slot!(call, NdkReceive);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { receive(qp, context, sgl, count) })
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
        let Some(call) = Call::begin(qp, "NdkBind") else { return STATUS_INVALID_HANDLE };
        let bind = slot!(call, NdkBind);
        let Ok(_region) = argument(mr, call.name) else { return STATUS_INVALID_HANDLE };
        let Ok(_window) = argument(mw, call.name) else { return STATUS_INVALID_HANDLE };
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { bind(qp, context, mr, mw, address, length, flags) })
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
        let Some(call) = Call::begin(qp, "NdkFastRegister") else { return STATUS_INVALID_HANDLE };
        let register = slot!(call, NdkFastRegister);
        let Ok(_region) = argument(mr, call.name) else { return STATUS_INVALID_HANDLE };
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { register(qp, context, mr, pages, page_array, offset, length, base, flags) })
    }

    /// Invalidates a region or a window.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkInvalidate(
        qp: *mut NDK_QP,
        context: PVOID,
        memory: *mut NDK_OBJECT_HEADER,
        flags: ULONG,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(qp, "NdkInvalidate") else { return STATUS_INVALID_HANDLE };
        let invalidate = slot!(call, NdkInvalidate);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { invalidate(qp, context, memory, flags) })
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
        let Some(call) = Call::begin(qp, "NdkRead") else { return STATUS_INVALID_HANDLE };
        let read = slot!(call, NdkRead);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { read(qp, context, sgl, count, address, token, flags) })
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
        let Some(call) = Call::begin(qp, "NdkWrite") else { return STATUS_INVALID_HANDLE };
        let write = slot!(call, NdkWrite);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { write(qp, context, sgl, count, address, token, flags) })
    }
}
