//! The queue pair's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{
    NDK_OP_FLAG_DEFER, NDK_OP_FLAG_INLINE, NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE, NDK_OP_FLAG_READ_FENCE,
    NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT, NDK_OP_FLAG_SILENT_SUCCESS, NDK_QP, NDK_QP_DISPATCH, NDK_SGE,
};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{PVOID, UINT32, UINT64, ULONG};

use super::{close, object, query_extension, registration, status};
use crate::consumer::Opaque;
use crate::flags::is_made_of;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::memory::{Sge, Token};
use crate::number::usize_from;
use crate::object::Object;
use crate::queue_pair::{Flags, Operation, Qp};
use crate::status::StatusError;

/// The functions of a queue pair.
pub(super) fn table<K: Kernel>() -> &'static NDK_QP_DISPATCH {
    const {
        &NDK_QP_DISPATCH {
            NdkCloseQp: Some(close::<K, Qp<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkFlush: Some(flush::<K>),
            NdkSend: Some(send::<K>),
            NdkReceive: Some(receive::<K>),
            NdkBind: Some(registration::bind::<K>),
            NdkFastRegister: Some(registration::fast_register::<K>),
            NdkInvalidate: Some(registration::invalidate::<K>),
            NdkRead: Some(read::<K>),
            NdkWrite: Some(write::<K>),
            NdkSendAndInvalidate: Some(send_and_invalidate::<K>),
        }
    }
}

/// The entries of a consumer's list.
///
/// # Safety
///
/// `list` is null or has `count` entries, for as long as the result is used.
pub(super) unsafe fn entries(
    list: *const NDK_SGE,
    count: ULONG,
) -> Result<impl ExactSizeIterator<Item = Sge> + Clone, StatusError> {
    if list.is_null() && count != 0 {
        return Err(StatusError::PARAMETER);
    }
    Ok((0..usize_from(count)).map(move |index| {
        // SAFETY: the caller promises so many entries.
        let entry = unsafe { list.wrapping_add(index).read() };
        // SAFETY: both members are eight bytes of any value.
        let address = unsafe { entry.Address.VirtualAddress }.addr();
        Sge { address, length: entry.Length, token: entry.MemoryRegionToken }
    }))
}

/// Accepts flags that are made of the values of `listed`, those that the function's page lists. The fence needs
/// nothing.
///
/// # Errors
///
/// STATUS_INVALID_PARAMETER.
pub(super) fn flags(given: ULONG, listed: &[ULONG]) -> Result<Flags, StatusError> {
    if !is_made_of(given, listed) {
        return Err(StatusError::PARAMETER);
    }
    Ok(Flags::from_bits_truncate(given))
}

/// A peer's address as an address of ours: a region's addresses are those of this machine.
fn wide(address: UINT64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

/// Flags that the page of every initiator request lists.
pub(super) const TRANSFER: &[ULONG] =
    &[NDK_OP_FLAG_SILENT_SUCCESS, NDK_OP_FLAG_READ_FENCE, NDK_OP_FLAG_DEFER];
/// Flags on the pages of NdkSend and NdkSendAndInvalidate.
const SEND: &[ULONG] = &[
    NDK_OP_FLAG_SILENT_SUCCESS,
    NDK_OP_FLAG_READ_FENCE,
    NDK_OP_FLAG_DEFER,
    NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT,
    NDK_OP_FLAG_INLINE,
];
/// Flags on the page of NdkRead.
const READ: &[ULONG] = &[
    NDK_OP_FLAG_SILENT_SUCCESS,
    NDK_OP_FLAG_READ_FENCE,
    NDK_OP_FLAG_DEFER,
    NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE,
];

/// Has `accept` post an initiator request. If it is refused, whatever the reason, deferred ones are
/// started (WR-6).
///
/// # Safety
///
/// `qp` is a queue pair that the consumer has not closed.
pub(super) unsafe fn post<K: Kernel>(
    qp: *mut NDK_QP,
    accept: impl FnOnce(&Object<K, Qp<K>>) -> Result<(), StatusError>,
) -> NTSTATUS {
    let posted = || {
        // SAFETY: as the caller promises.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        // The result may reach the consumer, and make it close the queue pair, before this returns.
        let qp = qp.try_acquire(Kind::Request)?;
        accept(&qp).inspect_err(|_| qp.start_deferred())?;
        Ok(STATUS_SUCCESS)
    };
    status(posted())
}

/// Posts a request that moves the data of a list.
///
/// # Safety
///
/// `qp` is a queue pair that the consumer has not closed; `sgl` has `count` entries.
unsafe fn transfer<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    (sgl, count): (*const NDK_SGE, ULONG),
    (given, listed): (ULONG, &[ULONG]),
    operation: Operation<K>,
) -> NTSTATUS {
    let accept = |qp: &Object<K, Qp<K>>| {
        let (flags, context) = (flags(given, listed)?, Opaque(context));
        // SAFETY: as the caller promises.
        let entries = unsafe { entries(sgl, count) }?;
        if given & NDK_OP_FLAG_INLINE != 0 {
            // SAFETY: the consumer's memory is resident for as long as the call lasts (WR-5).
            unsafe { qp.post_inline(operation, (flags, context), entries) }?;
        } else {
            qp.post_transfer(operation, (flags, context), entries)?;
        }
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { post::<K>(qp, accept) }
}

/// NdkFlush.
unsafe extern "efiapi" fn flush<K: Kernel>(qp: *mut NDK_QP) {
    // SAFETY: the consumer passes a queue pair that it has not closed.
    let Ok(qp) = (unsafe { object::<K, Qp<K>, _>(qp) }) else { return };
    if let Ok(qp) = qp.try_acquire(Kind::Request) {
        qp.flush();
    }
}

/// NdkSend.
unsafe extern "efiapi" fn send<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    sgl: *const NDK_SGE,
    count: ULONG,
    given: ULONG,
) -> NTSTATUS {
    // SAFETY: the consumer passes its queue pair, and a list of so many entries.
    unsafe { transfer::<K>(qp, context, (sgl, count), (given, SEND), Operation::Send) }
}

/// NdkSendAndInvalidate.
unsafe extern "efiapi" fn send_and_invalidate<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    sgl: *const NDK_SGE,
    count: ULONG,
    given: ULONG,
    token: UINT32,
) -> NTSTATUS {
    let operation = Operation::SendAndInvalidate { token: Token(token) };
    // SAFETY: the consumer passes its queue pair, and a list of so many entries.
    unsafe { transfer::<K>(qp, context, (sgl, count), (given, SEND), operation) }
}

/// NdkWrite.
unsafe extern "efiapi" fn write<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    sgl: *const NDK_SGE,
    count: ULONG,
    address: UINT64,
    token: UINT32,
    given: ULONG,
) -> NTSTATUS {
    let operation = Operation::Write { address: wide(address), token: Token(token) };
    // SAFETY: the consumer passes its queue pair, and a list of so many entries.
    unsafe { transfer::<K>(qp, context, (sgl, count), (given, TRANSFER), operation) }
}

/// NdkRead.
unsafe extern "efiapi" fn read<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    sgl: *const NDK_SGE,
    count: ULONG,
    address: UINT64,
    token: UINT32,
    given: ULONG,
) -> NTSTATUS {
    let (address, token) = (wide(address), Token(token));
    let operation = if given & NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE == 0 {
        Operation::Read { address, token }
    } else {
        Operation::ReadAndInvalidate { address, token }
    };
    // SAFETY: the consumer passes its queue pair, and a list of so many entries.
    unsafe { transfer::<K>(qp, context, (sgl, count), (given, READ), operation) }
}

/// NdkReceive.
unsafe extern "efiapi" fn receive<K: Kernel>(
    qp: *mut NDK_QP,
    context: PVOID,
    sgl: *const NDK_SGE,
    count: ULONG,
) -> NTSTATUS {
    let posted = || {
        // SAFETY: the consumer passes a queue pair that it has not closed.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        let qp = qp.try_acquire(Kind::Request)?;
        // SAFETY: the consumer passes a list of so many entries.
        let sink = unsafe { entries(sgl, count) }?;
        qp.post_receive(Opaque(context), sink)?;
        Ok(STATUS_SUCCESS)
    };
    status(posted())
}
