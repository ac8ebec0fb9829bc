//! The protection domain's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{
    NDK_CQ, NDK_FN_CREATE_COMPLETION, NDK_FN_SRQ_NOTIFICATION_CALLBACK, NDK_MR, NDK_MW, NDK_PD,
    NDK_PD_DISPATCH, NDK_QP, NDK_SRQ,
};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{BOOLEAN, GROUP_AFFINITY, PVOID, UINT32, ULONG};

use super::{close, create, hand_out, mr, mw, object, qp, query_extension, srq};
use crate::adapter::{Cq, Mr, Mw, Pd};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::{MAX_INLINE_DATA, MAX_QUEUE_DEPTH};
use crate::memory::{MAX_SGE, Token};
use crate::number::usize_from;
use crate::object::{Object, ObjectRef};
use crate::queue_pair::{Depths, Qp, Srq};
use crate::status::StatusError;

/// The functions of a protection domain.
pub(super) fn table<K: Kernel>() -> &'static NDK_PD_DISPATCH {
    const {
        &NDK_PD_DISPATCH {
            NdkClosePd: Some(close::<K, Pd<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkCreateMr: Some(create_mr::<K>),
            NdkCreateMw: Some(create_mw::<K>),
            NdkCreateSrq: Some(create_srq::<K>),
            NdkCreateQp: Some(create_qp::<K>),
            NdkCreateQpWithSrq: Some(create_qp_with_srq::<K>),
            NdkGetPrivilegedMemoryRegionToken: Some(privileged_token),
        }
    }
}

/// Makes an object of `pd` that owns a slot of the token table.
fn with_slot<K: Kernel, T>(
    pd: &Object<K, Pd<K>>,
    make: impl FnOnce(ObjectRef<K, Pd<K>>, u32) -> Result<T, StatusError>,
) -> Result<T, StatusError> {
    let tie = pd.try_acquire(Kind::Successor)?;
    let table = pd.adapter().table();
    let slot = table.allocate()?.ok_or(StatusError(STATUS_INSUFFICIENT_RESOURCES))?;
    make(tie, slot).inspect_err(|_| table.give_back(slot))
}

/// NdkCreateMr.
unsafe extern "efiapi" fn create_mr<K: Kernel>(
    pd: *mut NDK_PD,
    fast: BOOLEAN,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_MR,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes a domain that it has not closed.
        let pd = unsafe { object::<K, Pd<K>, _>(pd) }?;
        with_slot(pd, |tie, slot| create(pd.version(), mr::table::<K>(), Ok(Mr::new(tie, slot, fast != 0))))
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// Parameters common to NdkCreateQp and NdkCreateQpWithSrq.
struct NewQp {
    pd: *mut NDK_PD,
    receive_cq: *mut NDK_CQ,
    initiator_cq: *mut NDK_CQ,
    context: PVOID,
    depths: Depths,
}

impl NewQp {
    /// # Safety
    ///
    /// The objects are the consumer's, and not closed; `out` is a place for the pointer.
    unsafe fn create<K: Kernel>(self, srq: Option<*mut NDK_SRQ>, out: *mut *mut NDK_QP) -> NTSTATUS {
        let made = || {
            // SAFETY: the consumer passes a domain that it has not closed.
            let pd = unsafe { object::<K, Pd<K>, _>(self.pd) }?;
            // SAFETY: the consumer passes a queue that it has not closed.
            let receive_cq = unsafe { object::<K, Cq<K>, _>(self.receive_cq) }?;
            // SAFETY: as above.
            let initiator_cq = unsafe { object::<K, Cq<K>, _>(self.initiator_cq) }?;
            // SAFETY: as above.
            let srq = srq.map(|srq| unsafe { object::<K, Srq<K>, _>(srq) }).transpose()?;
            let depths = self.depths;
            // Of whichever opening, but of one RNIC.
            let rnic = pd.adapter().rnic();
            let together = [receive_cq, initiator_cq].into_iter().all(|cq| rnic.same(cq.adapter().rnic()));
            let within = together
                && depths.receive.max(depths.initiator) <= MAX_QUEUE_DEPTH
                && usize_from(depths.receive_sge.max(depths.initiator_sge)) <= MAX_SGE
                && depths.inline <= MAX_INLINE_DATA
                && srq.is_none_or(|srq| core::ptr::eq(srq.pd(), pd));
            if !within {
                return Err(StatusError::PARAMETER);
            }
            let tie = pd.try_acquire(Kind::Successor)?;
            let receive_tie = receive_cq.try_acquire(Kind::Successor)?;
            let initiator_tie = initiator_cq.try_acquire(Kind::Successor)?;
            let srq_tie = srq.map(|srq| srq.try_acquire(Kind::Successor)).transpose()?;
            let qp = Qp::new(tie, receive_tie, initiator_tie, srq_tie, Opaque(self.context), depths);
            create(pd.version(), qp::table::<K>(), qp)
        };
        // SAFETY: the consumer passes a place for the pointer.
        unsafe { hand_out(made, out) }
    }
}

/// NdkCreateQp.
unsafe extern "efiapi" fn create_qp<K: Kernel>(
    pd: *mut NDK_PD,
    receive_cq: *mut NDK_CQ,
    initiator_cq: *mut NDK_CQ,
    qp_context: PVOID,
    receive: ULONG,
    initiator: ULONG,
    receive_sge: ULONG,
    initiator_sge: ULONG,
    inline_size: ULONG,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_QP,
) -> NTSTATUS {
    let depths = Depths { receive, initiator, receive_sge, initiator_sge, inline: inline_size };
    let qp = NewQp { pd, receive_cq, initiator_cq, context: qp_context, depths };
    // SAFETY: the arguments go on as they came.
    unsafe { qp.create::<K>(None, out) }
}

/// NdkCreateQpWithSrq.
unsafe extern "efiapi" fn create_qp_with_srq<K: Kernel>(
    pd: *mut NDK_PD,
    receive_cq: *mut NDK_CQ,
    initiator_cq: *mut NDK_CQ,
    srq: *mut NDK_SRQ,
    qp_context: PVOID,
    initiator: ULONG,
    initiator_sge: ULONG,
    inline_size: ULONG,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_QP,
) -> NTSTATUS {
    let depths = Depths { receive: 0, initiator, receive_sge: 0, initiator_sge, inline: inline_size };
    let qp = NewQp { pd, receive_cq, initiator_cq, context: qp_context, depths };
    // SAFETY: the arguments go on as they came.
    unsafe { qp.create::<K>(Some(srq), out) }
}

/// NdkCreateSrq. The callback runs on a processor of the affinity, unless notifications are immediate.
unsafe extern "efiapi" fn create_srq<K: Kernel>(
    pd: *mut NDK_PD,
    depth: ULONG,
    sge: ULONG,
    threshold: ULONG,
    notification: Option<NDK_FN_SRQ_NOTIFICATION_CALLBACK>,
    notification_context: PVOID,
    affinity: *mut GROUP_AFFINITY,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_SRQ,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes a domain that it has not closed.
        let pd = unsafe { object::<K, Pd<K>, _>(pd) }?;
        if depth == 0 || depth > MAX_QUEUE_DEPTH || usize_from(sge) > MAX_SGE {
            return Err(StatusError::PARAMETER);
        }
        let tie = pd.try_acquire(Kind::Successor)?;
        let sizes = (usize_from(depth), usize_from(sge), usize_from(threshold));
        // SAFETY: the consumer passes null or an affinity.
        let affinity = unsafe { affinity.as_ref() }.copied();
        let srq = Srq::new(tie, sizes, notification, Opaque(notification_context), affinity);
        create(pd.version(), srq::table::<K>(), srq)
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// NdkCreateMw.
unsafe extern "efiapi" fn create_mw<K: Kernel>(
    pd: *mut NDK_PD,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_MW,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes a domain that it has not closed.
        let pd = unsafe { object::<K, Pd<K>, _>(pd) }?;
        with_slot(pd, |tie, slot| create(pd.version(), mw::table::<K>(), Ok(Mw::new(tie, slot))))
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// NdkGetPrivilegedMemoryRegionToken.
unsafe extern "efiapi" fn privileged_token(_pd: *mut NDK_PD, out: *mut UINT32) {
    if !out.is_null() {
        // SAFETY: not null; the consumer passes a place for a token.
        unsafe { out.write(Token::PRIVILEGED.0) };
    }
}
