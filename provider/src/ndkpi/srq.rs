//! The shared receive queue's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{NDK_FN_REQUEST_COMPLETION, NDK_SGE, NDK_SRQ, NDK_SRQ_DISPATCH};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};

use super::qp::entries;
use super::{close, object, query_extension, status};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::MAX_QUEUE_DEPTH;
use crate::number::usize_from;
use crate::queue_pair::Srq;
use crate::status::StatusError;

/// The functions of a shared receive queue.
pub(super) fn table<K: Kernel>() -> &'static NDK_SRQ_DISPATCH {
    const {
        &NDK_SRQ_DISPATCH {
            NdkCloseSrq: Some(close::<K, Srq<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkModifySrq: Some(modify::<K>),
            NdkSrqReceive: Some(receive::<K>),
        }
    }
}

/// NdkModifySrq, always inline.
unsafe extern "efiapi" fn modify<K: Kernel>(
    srq: *mut NDK_SRQ,
    depth: ULONG,
    threshold: ULONG,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    let modified = || {
        // SAFETY: the consumer passes a queue that it has not closed.
        let srq = unsafe { object::<K, Srq<K>, _>(srq) }?;
        if depth > MAX_QUEUE_DEPTH {
            return Err(StatusError::PARAMETER);
        }
        // The notification may make the consumer close the queue before this returns.
        srq.try_acquire(Kind::Request)?.modify(usize_from(depth), usize_from(threshold))?;
        Ok(STATUS_SUCCESS)
    };
    status(modified())
}

/// NdkSrqReceive.
unsafe extern "efiapi" fn receive<K: Kernel>(
    srq: *mut NDK_SRQ,
    context: PVOID,
    sgl: *const NDK_SGE,
    count: ULONG,
) -> NTSTATUS {
    let posted = || {
        // SAFETY: the consumer passes a queue that it has not closed.
        let srq = unsafe { object::<K, Srq<K>, _>(srq) }?;
        let srq = srq.try_acquire(Kind::Request)?;
        // SAFETY: the consumer passes a list of so many entries.
        let sink = unsafe { entries(sgl, count) }?;
        srq.post_receive(Opaque(context), sink)?;
        Ok(STATUS_SUCCESS)
    };
    status(posted())
}
