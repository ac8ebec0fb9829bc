//! The completion queue's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{NDK_CQ, NDK_CQ_DISPATCH, NDK_FN_REQUEST_COMPLETION, NDK_RESULT, NDK_RESULT_EX};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};

use super::{close, object, query_extension, status};
use crate::adapter::Cq;
use crate::completion::{Arm, Cqe};
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::MAX_CQ_DEPTH;
use crate::number::usize_from;
use crate::status::StatusError;

/// The functions of a completion queue.
pub(super) fn table<K: Kernel>() -> &'static NDK_CQ_DISPATCH {
    const {
        &NDK_CQ_DISPATCH {
            NdkCloseCq: Some(close::<K, Cq<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkResizeCq: Some(resize::<K>),
            NdkArmCq: Some(arm::<K>),
            NdkGetCqResults: Some(results::<K>),
            NdkControlCqInterruptModeration: Some(moderate::<K>),
            NdkGetCqResultsEx: Some(results_ex::<K>),
        }
    }
}

/// NdkArmCq.
unsafe extern "efiapi" fn arm<K: Kernel>(cq: *mut NDK_CQ, kind: ULONG) {
    // SAFETY: the consumer passes a queue that it has not closed.
    if let Ok(cq) = unsafe { object::<K, Cq<K>, _>(cq) } {
        cq.arm(Arm::from_ndk(kind));
    }
}

/// Takes up to `count` results and writes each as an `R`.
///
/// # Safety
///
/// `cq` is a queue that the consumer has not closed; `out` has room for `count`.
unsafe fn take<K: Kernel, R>(cq: *mut NDK_CQ, out: *mut R, count: ULONG, form: fn(Cqe) -> R) -> ULONG {
    // SAFETY: as the caller promises.
    let Ok(cq) = (unsafe { object::<K, Cq<K>, _>(cq) }) else { return 0 };
    if out.is_null() {
        return 0;
    }
    let mut taken = 0;
    while taken < count {
        let Some(result) = cq.poll() else { break };
        let place = out.wrapping_add(usize_from(taken));
        // SAFETY: fewer than `count` were written, so there is room for one more.
        unsafe { place.write(form(result)) };
        taken = taken.saturating_add(1);
    }
    taken
}

/// NdkGetCqResults.
unsafe extern "efiapi" fn results<K: Kernel>(cq: *mut NDK_CQ, out: *mut NDK_RESULT, count: ULONG) -> ULONG {
    let form = |result: Cqe| NDK_RESULT {
        Status: result.status,
        BytesTransferred: result.bytes,
        QPContext: result.qp_context.0,
        RequestContext: result.request_context.0,
    };
    // SAFETY: the consumer passes its queue, and room for as many results as it says.
    unsafe { take::<K, _>(cq, out, count, form) }
}

/// NdkGetCqResultsEx: what [`results`] says and, for a receive, the token that it invalidated (CQ-5). The
/// provider has no error codes of its own (CM-8).
unsafe extern "efiapi" fn results_ex<K: Kernel>(
    cq: *mut NDK_CQ,
    out: *mut NDK_RESULT_EX,
    count: ULONG,
) -> ULONG {
    let form = |result: Cqe| NDK_RESULT_EX {
        Status: result.status,
        BytesTransferred: result.bytes,
        QPContext: result.qp_context.0,
        RequestContext: result.request_context.0,
        Type: result.operation,
        ProviderErrorCode: 0,
        TypeSpecificCompletionOutput: usize_from(result.invalidated),
    };
    // SAFETY: the consumer passes its queue, and room for as many results as it says.
    unsafe { take::<K, _>(cq, out, count, form) }
}

/// NdkResizeCq, always inline.
unsafe extern "efiapi" fn resize<K: Kernel>(
    cq: *mut NDK_CQ,
    depth: ULONG,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    let resized = || {
        // SAFETY: the consumer passes a queue that it has not closed.
        let cq = unsafe { object::<K, Cq<K>, _>(cq) }?;
        if depth == 0 || depth > MAX_CQ_DEPTH {
            return Err(StatusError::PARAMETER);
        }
        // The consumer may close the queue in a notification that the new depth lets go.
        let cq = cq.try_acquire(Kind::Request)?;
        cq.resize(depth)?;
        Ok(STATUS_SUCCESS)
    };
    status(resized())
}

/// NdkControlCqInterruptModeration. Takes effect at once, and never pends (CQ-7).
unsafe extern "efiapi" fn moderate<K: Kernel>(cq: *mut NDK_CQ, interval: ULONG, count: ULONG) -> NTSTATUS {
    let moderated = || {
        // SAFETY: the consumer passes a queue that it has not closed.
        let cq = unsafe { object::<K, Cq<K>, _>(cq) }?;
        // The consumer may close the queue in a notification that the new settings let go.
        let cq = cq.try_acquire(Kind::Request)?;
        cq.moderate(interval, count)?;
        Ok(STATUS_SUCCESS)
    };
    status(moderated())
}
