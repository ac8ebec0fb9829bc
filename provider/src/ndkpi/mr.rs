//! The memory region's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use core::ptr::NonNull;

use sys::ndk::{NDK_FN_REQUEST_COMPLETION, NDK_MR, NDK_MR_DISPATCH};
use sys::status::{
    NTSTATUS, STATUS_DEVICE_BUSY, STATUS_INVALID_DEVICE_STATE, STATUS_PENDING, STATUS_SUCCESS,
};
use sys::wdm::{BOOLEAN, MDL, PVOID, SIZE_T, UINT32, ULONG};

use super::{close, object, query_extension, report_refusal, request, status};
use crate::adapter::Mr;
use crate::kernel::Kernel;
use crate::kernel::event::RegistrationCall;
use crate::limits::MAX_REGISTRATION;
use crate::memory::{Deregistered, Rights};
use crate::number::usize_from;
use crate::status::StatusError;

/// The functions of a memory region.
pub(super) fn table<K: Kernel>() -> &'static NDK_MR_DISPATCH {
    const {
        &NDK_MR_DISPATCH {
            NdkCloseMr: Some(close::<K, Mr<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkRegisterMr: Some(register::<K>),
            NdkDeregisterMr: Some(deregister::<K>),
            NdkInitializeFastRegisterMr: Some(initialize_fast_register::<K>),
            NdkGetRemoteTokenFromMr: Some(token::<K>),
            NdkGetLocalTokenFromMr: Some(token::<K>),
        }
    }
}

/// NdkRegisterMr, always inline.
unsafe extern "efiapi" fn register<K: Kernel>(
    mr: *mut NDK_MR,
    mdl: *mut MDL,
    length: SIZE_T,
    flags: ULONG,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    let registered = || {
        // SAFETY: the consumer passes a region that it has not closed.
        let mr = unsafe { object::<K, Mr<K>, _>(mr) }?;
        let mdl = NonNull::new(mdl).ok_or(StatusError::PARAMETER)?;
        let rights = Rights::from_ndk(flags).ok_or(StatusError::PARAMETER)?;
        if length == 0 || length > MAX_REGISTRATION {
            return Err(StatusError::PARAMETER);
        }
        // SAFETY: the consumer passes a chain of locked lists that stays until it has deregistered.
        unsafe { mr.register(mdl, length, rights) }?;
        Ok(STATUS_SUCCESS)
    };
    report_refusal::<K, _>(RegistrationCall::Register, mr, status(registered()))
}

/// NdkDeregisterMr: inline, unless a transfer uses the memory just then.
unsafe extern "efiapi" fn deregister<K: Kernel>(
    mr: *mut NDK_MR,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let deregistered = || {
        // SAFETY: the consumer passes a region that it has not closed.
        let mr = unsafe { object::<K, Mr<K>, _>(mr) }?;
        Ok(match mr.deregister(request(mr, completion, context)?) {
            Deregistered::Done => STATUS_SUCCESS,
            Deregistered::Pending => STATUS_PENDING,
            Deregistered::Bound => STATUS_DEVICE_BUSY,
            Deregistered::NotRegistered => STATUS_INVALID_DEVICE_STATE,
        })
    };
    report_refusal::<K, _>(RegistrationCall::Deregister, mr, status(deregistered()))
}

/// NdkInitializeFastRegisterMr, always inline.
unsafe extern "efiapi" fn initialize_fast_register<K: Kernel>(
    mr: *mut NDK_MR,
    pages: ULONG,
    remote: BOOLEAN,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    let prepared = || {
        // SAFETY: the consumer passes a region that it has not closed.
        let mr = unsafe { object::<K, Mr<K>, _>(mr) }?;
        mr.initialize_fast_register(usize_from(pages), remote != 0)?;
        Ok(STATUS_SUCCESS)
    };
    report_refusal::<K, _>(RegistrationCall::Prepare, mr, status(prepared()))
}

/// NdkGetRemoteTokenFromMr and NdkGetLocalTokenFromMr: one token serves both.
unsafe extern "efiapi" fn token<K: Kernel>(mr: *mut NDK_MR) -> UINT32 {
    // SAFETY: the consumer passes a region that it has not closed.
    unsafe { object::<K, Mr<K>, _>(mr) }.map_or(0, |mr| mr.token())
}
