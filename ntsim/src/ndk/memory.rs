//! Memory regions and memory windows.

use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{BOOLEAN, MDL, PVOID, SIZE_T, UINT32, ULONG};

use super::call::{Call, slot};
use super::request;
use crate::export::exports;

exports! {
    "(ndk)";

    /// Registers memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkRegisterMr(
        mr: *mut NDK_MR,
        mdl: *mut MDL,
        length: SIZE_T,
        flags: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(mr, "NdkRegisterMr") else { return STATUS_INVALID_HANDLE };
        let register = slot!(call, NdkRegisterMr);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            register(mr, mdl, length, flags, completion, context)
        }, None)
    }

    /// Ends a registration.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkDeregisterMr(
        mr: *mut NDK_MR,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(mr, "NdkDeregisterMr") else { return STATUS_INVALID_HANDLE };
        let deregister = slot!(call, NdkDeregisterMr);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            deregister(mr, completion, context)
        }, None)
    }

    /// Prepares a region for fast registration.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkInitializeFastRegisterMr(
        mr: *mut NDK_MR,
        pages: ULONG,
        remote: BOOLEAN,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(mr, "NdkInitializeFastRegisterMr") else { return STATUS_INVALID_HANDLE };
        let initialize = slot!(call, NdkInitializeFastRegisterMr);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            initialize(mr, pages, remote, completion, context)
        }, None)
    }

    /// The token by which peers reach a region.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetRemoteTokenFromMr(mr: *mut NDK_MR) -> UINT32 {
        let Some(call) = Call::begin(mr, "NdkGetRemoteTokenFromMr") else { return 0 };
        let token = slot!(call, NdkGetRemoteTokenFromMr, 0);
        // SAFETY: the consumer's argument.
        call.run(|| unsafe { token(mr) })
    }

    /// The token by which local requests reach a region.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetLocalTokenFromMr(mr: *mut NDK_MR) -> UINT32 {
        let Some(call) = Call::begin(mr, "NdkGetLocalTokenFromMr") else { return 0 };
        let token = slot!(call, NdkGetLocalTokenFromMr, 0);
        // SAFETY: the consumer's argument.
        call.run(|| unsafe { token(mr) })
    }

    /// The token by which peers reach a window.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetRemoteTokenFromMw(mw: *mut NDK_MW) -> UINT32 {
        let Some(call) = Call::begin(mw, "NdkGetRemoteTokenFromMw") else { return 0 };
        let token = slot!(call, NdkGetRemoteTokenFromMw, 0);
        // SAFETY: the consumer's argument.
        call.run(|| unsafe { token(mw) })
    }
}
