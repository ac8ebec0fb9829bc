//! The data path as [`Checks::Lifetimes`](crate::Checks::Lifetimes) leaves it: each function jumps to the
//! provider's, which it finds through the header's reserved words.

use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use sys::wdm::{PVOID, SIZE_T, UINT32, UINT64, ULONG};

macro_rules! direct {
    ($( $name:ident = $slot:ident($object:ident: *mut $type:ty as $table:ty $(, $argument:ident: $kind:ty)*) -> $result:ty, or $otherwise:expr; )*) => {$(
        /// The provider's own.
        pub(crate) unsafe extern "efiapi" fn $name($object: *mut $type $(, $argument: $kind)*) -> $result {
            // SAFETY: the consumer passes an open object, in whose header the layer noted the table.
            let table = unsafe { (*$object).Header.NdkReserved.rf[crate::object::TABLE_WORD] };
            // SAFETY: the provider's table lives as long as its objects, and is of a version that has the slot.
            let function = unsafe { (*table.cast::<$table>()).$slot };
            let Some(function) = function else { return $otherwise };
            // SAFETY: the arguments are the consumer's.
            unsafe { function($object $(, $argument)*) }
        }
    )*};
}

direct! {
    send = NdkSend(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, sgl: *const NDK_SGE, count: ULONG, flags: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    send_and_invalidate = NdkSendAndInvalidate(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, sgl: *const NDK_SGE, count: ULONG, flags: ULONG, token: UINT32) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    receive = NdkReceive(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, sgl: *const NDK_SGE, count: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    bind = NdkBind(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, mr: *mut NDK_MR, mw: *mut NDK_MW, address: PVOID, length: SIZE_T, flags: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    fast_register = NdkFastRegister(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, mr: *mut NDK_MR, pages: ULONG, page_array: *const NDK_LOGICAL_ADDRESS, offset: ULONG, length: SIZE_T, base: PVOID, flags: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    invalidate = NdkInvalidate(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, memory: *mut NDK_OBJECT_HEADER, flags: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    read = NdkRead(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, sgl: *const NDK_SGE, count: ULONG, address: UINT64, token: UINT32, flags: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    write = NdkWrite(qp: *mut NDK_QP as NDK_QP_DISPATCH, context: PVOID, sgl: *const NDK_SGE, count: ULONG, address: UINT64, token: UINT32, flags: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
    results = NdkGetCqResults(cq: *mut NDK_CQ as NDK_CQ_DISPATCH, results: *mut NDK_RESULT, count: ULONG) -> ULONG, or 0;
    results_ex = NdkGetCqResultsEx(cq: *mut NDK_CQ as NDK_CQ_DISPATCH, results: *mut NDK_RESULT_EX, count: ULONG) -> ULONG, or 0;
    srq_receive = NdkSrqReceive(srq: *mut NDK_SRQ as NDK_SRQ_DISPATCH, context: PVOID, sgl: *const NDK_SGE, count: ULONG) -> NTSTATUS, or STATUS_NOT_SUPPORTED;
}
