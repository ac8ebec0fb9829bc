//! Work requests that change which memory a peer may access: NdkFastRegister (FRMR), NdkBind and NdkInvalidate of the
//! queue pair's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{
    NDK_LOGICAL_ADDRESS, NDK_MR, NDK_MW, NDK_OBJECT_HEADER, NDK_OBJECT_TYPE, NDK_OP_FLAG_ALLOW_LOCAL_WRITE,
    NDK_OP_FLAG_ALLOW_REMOTE_READ, NDK_OP_FLAG_ALLOW_REMOTE_WRITE, NDK_OP_FLAG_DEFER,
    NDK_OP_FLAG_RDMA_READ_SINK, NDK_OP_FLAG_READ_FENCE, NDK_OP_FLAG_SILENT_SUCCESS, NDK_QP,
};
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE};
use sys::wdm::{PVOID, SIZE_T, ULONG};

use super::qp::{TRANSFER, flags, post};
use super::{object, report_refusal};
use crate::adapter::{Mr, Mw, RegionOrWindow};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::kernel::event::RegistrationCall;
use crate::lifetime::Kind;
use crate::memory::{AccessError, Domain, Layout, Rights};
use crate::number::usize_from;
use crate::object::Object;
use crate::queue_pair::{Operation, Qp};
use crate::status::StatusError;

/// Flags on the page of NdkFastRegister, and the read sink flag that its remarks name.
const FAST_REGISTER: &[ULONG] = &[
    NDK_OP_FLAG_SILENT_SUCCESS,
    NDK_OP_FLAG_READ_FENCE,
    NDK_OP_FLAG_DEFER,
    NDK_OP_FLAG_ALLOW_REMOTE_READ,
    NDK_OP_FLAG_ALLOW_LOCAL_WRITE,
    NDK_OP_FLAG_ALLOW_REMOTE_WRITE,
    NDK_OP_FLAG_RDMA_READ_SINK,
];
/// Flags on the page of NdkBind: a window grants remote access only.
const BIND: &[ULONG] = &[
    NDK_OP_FLAG_SILENT_SUCCESS,
    NDK_OP_FLAG_READ_FENCE,
    NDK_OP_FLAG_DEFER,
    NDK_OP_FLAG_ALLOW_REMOTE_READ,
    NDK_OP_FLAG_ALLOW_REMOTE_WRITE,
];

/// A region or window can be used on the queue pairs of its own protection domain only.
fn same_domain<K: Kernel>(qp: &Object<K, Qp<K>>, domain: Domain) -> Result<(), StatusError> {
    if qp.domain() == domain { Ok(()) } else { Err(AccessError::Domain.into()) }
}

/// NdkFastRegister. The array is copied, so it may go when this returns; the token is known by then. The
/// read sink flag needs nothing, as the adapter's flags say.
pub(super) unsafe extern "efiapi" fn fast_register<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    mr: *mut NDK_MR,
    count: ULONG,
    pages: *const NDK_LOGICAL_ADDRESS,
    fbo: ULONG,
    length: SIZE_T,
    base: PVOID,
    given: ULONG,
) -> NTSTATUS {
    let accept = |qp: &Object<K, Qp<K>>| {
        let flags = flags(given, FAST_REGISTER)?;
        // SAFETY: the consumer passes a region that it has not closed.
        let mr = unsafe { object::<K, Mr<K>, _>(mr) }?;
        same_domain(qp, mr.domain())?;
        if pages.is_null() {
            return Err(StatusError::PARAMETER);
        }
        let addresses = (0..usize_from(count)).map(|index| {
            // SAFETY: the consumer passes an array of so many addresses.
            let address = unsafe { pages.wrapping_add(index).read() };
            usize::try_from(address.cast_unsigned()).unwrap_or(0)
        });
        let layout = Layout { offset: usize_from(fbo), length, base: base.addr() };
        let posted = mr.fast_register(layout, Rights::of_registration(given), addresses)?;
        qp.post_registration(Operation::FastRegister, (flags, Opaque(context)), posted)?;
        Ok(())
    };
    // SAFETY: the consumer passes a queue pair that it has not closed.
    let status = unsafe { post::<K>(qp, accept) };
    report_refusal::<K, _>(RegistrationCall::FastRegister, mr, status)
}

/// NdkBind. The token is known when this returns.
pub(super) unsafe extern "efiapi" fn bind<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    mr: *mut NDK_MR,
    mw: *mut NDK_MW,
    address: PVOID,
    length: SIZE_T,
    given: ULONG,
) -> NTSTATUS {
    let accept = |qp: &Object<K, Qp<K>>| {
        let flags = flags(given, BIND)?;
        // SAFETY: the consumer passes a region that it has not closed.
        let mr = unsafe { object::<K, Mr<K>, _>(mr) }?;
        // SAFETY: the consumer passes a window that it has not closed.
        let mw = unsafe { object::<K, Mw<K>, _>(mw) }?;
        same_domain(qp, mw.domain())?;
        if length == 0 {
            return Err(StatusError::PARAMETER);
        }
        let posted = mw.bind(mr, (address.addr(), length), Rights::of_window(given))?;
        qp.post_registration(Operation::Bind, (flags, Opaque(context)), posted)?;
        Ok(())
    };
    // SAFETY: the consumer passes a queue pair that it has not closed.
    let status = unsafe { post::<K>(qp, accept) };
    report_refusal::<K, _>(RegistrationCall::Bind, mw, status)
}

/// Returns the region or window that NdkInvalidate names, by the type in its header, and its protection
/// domain.
///
/// # Safety
///
/// `memory` is null or a region or window that the consumer has not closed.
unsafe fn named<K: Kernel>(
    memory: *mut NDK_OBJECT_HEADER,
) -> Result<(RegionOrWindow<K>, Domain), StatusError> {
    // SAFETY: as the caller promises.
    let kind = unsafe { memory.as_ref() }.ok_or(StatusError::PARAMETER)?.ObjectType;
    match kind {
        NDK_OBJECT_TYPE::NdkObjectTypeMr => {
            // SAFETY: it is a region, as its header says.
            let mr = unsafe { object::<K, Mr<K>, _>(memory) }?;
            if !mr.is_fast() {
                return Err(StatusError(STATUS_INVALID_DEVICE_STATE));
            }
            Ok((RegionOrWindow::Region(mr.try_acquire(Kind::Request)?), mr.domain()))
        }
        NDK_OBJECT_TYPE::NdkObjectTypeMw => {
            // SAFETY: it is a window, as its header says.
            let mw = unsafe { object::<K, Mw<K>, _>(memory) }?;
            Ok((RegionOrWindow::Window(mw.try_acquire(Kind::Request)?), mw.domain()))
        }
        _ => Err(StatusError::PARAMETER),
    }
}

/// NdkInvalidate, of a region for fast registration or a window.
pub(super) unsafe extern "efiapi" fn invalidate<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    memory: *mut NDK_OBJECT_HEADER,
    given: ULONG,
) -> NTSTATUS {
    let accept = |qp: &Object<K, Qp<K>>| {
        let flags = flags(given, TRANSFER)?;
        // SAFETY: the consumer passes a region or window that it has not closed.
        let (owner, domain) = unsafe { named::<K>(memory) }?;
        same_domain(qp, domain)?;
        qp.post_invalidation((flags, Opaque(context)), owner)?;
        Ok(())
    };
    // SAFETY: the consumer passes a queue pair that it has not closed.
    let status = unsafe { post::<K>(qp, accept) };
    report_refusal::<K, _>(RegistrationCall::Invalidate, memory, status)
}
