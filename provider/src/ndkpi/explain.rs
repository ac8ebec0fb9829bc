//! The private extension that says why a close is pending.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use core::ffi::c_void;
use core::ptr::NonNull;

use sys::explain::{EXPLAIN_DISPATCH, EXPLAIN_EXTENSION, EXPLAIN_KIND, EXPLAIN_REASON, EXPLAIN_VERSION};
use sys::ndk::{NDK_ADAPTER, NDK_EXTENSION_INTERFACE, NDK_OBJECT_HEADER, NDK_VERSION};
use sys::status::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use sys::wdm::{GUID, ULONG};

use crate::adapter::Adapter;
use crate::kernel::Kernel;
use crate::number::usize_from;
use crate::object::{Object, OnNetwork, Reason, UnknownHandle};

fn table<K: Kernel>() -> &'static EXPLAIN_DISPATCH {
    const { &EXPLAIN_DISPATCH { Explain: Some(explain::<K>) } }
}

/// NdkQueryExtension of an adapter.
pub(super) unsafe extern "efiapi" fn query_extension<K: Kernel>(
    _adapter: *mut NDK_OBJECT_HEADER,
    id: *const GUID,
    version: NDK_VERSION,
    interface: *mut NDK_EXTENSION_INTERFACE,
) -> NTSTATUS {
    // SAFETY: null, or the consumer passes an identifier.
    let Some(id) = (unsafe { id.as_ref() }) else { return STATUS_INVALID_PARAMETER };
    // SAFETY: null, or the consumer passes a place for the interface.
    let Some(interface) = (unsafe { interface.as_mut() }) else { return STATUS_INVALID_PARAMETER };
    if *id != EXPLAIN_EXTENSION || version != EXPLAIN_VERSION {
        return STATUS_NOT_SUPPORTED;
    }
    interface.Dispatch = core::ptr::from_ref(table::<K>()).cast();
    STATUS_SUCCESS
}

/// See [`sys::explain::FN_EXPLAIN`].
unsafe extern "efiapi" fn explain<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    handle: usize,
    reasons: *mut EXPLAIN_REASON,
    capacity: ULONG,
    count: *mut ULONG,
) -> NTSTATUS {
    let Some(adapter) = NonNull::new(adapter.cast::<Object<K, Adapter<K>>>()) else {
        return STATUS_INVALID_PARAMETER;
    };
    if count.is_null() || (reasons.is_null() && capacity != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller sees to it that the adapter has not gone.
    let objects = unsafe { adapter.as_ref() }.rnic().objects();
    let mut told: ULONG = 0;
    let outcome = objects.explain(core::ptr::without_provenance::<c_void>(handle), |reason| {
        if told < capacity {
            // SAFETY: the caller passes room for `capacity` reasons, of which `told` are written.
            unsafe { reasons.wrapping_add(usize_from(told)).write(as_c(reason)) };
        }
        told = told.saturating_add(1);
    });
    match outcome {
        Ok(()) => {
            // SAFETY: not null, and the caller passes a place for a number.
            unsafe { count.write(told) };
            STATUS_SUCCESS
        }
        Err(UnknownHandle) => STATUS_INVALID_HANDLE,
    }
}

fn as_c(reason: Reason) -> EXPLAIN_REASON {
    let counted = |kind, number| EXPLAIN_REASON { Kind: kind, Closing: 0, Number: number, Handle: 0 };
    match reason {
        Reason::CloseCall => counted(EXPLAIN_KIND::CLOSE_CALL, 1),
        Reason::Successor { kind, handle, closing } => EXPLAIN_REASON {
            Kind: EXPLAIN_KIND::SUCCESSOR,
            Closing: closing.into(),
            Number: kind.0.cast_unsigned(),
            Handle: handle,
        },
        Reason::Nameless(number) => counted(EXPLAIN_KIND::NAMELESS, number),
        Reason::Requests(number) => counted(EXPLAIN_KIND::REQUESTS, number),
        Reason::Callbacks(number) => counted(EXPLAIN_KIND::CALLBACKS, number),
        Reason::Network(OnNetwork { sends, closing }) => {
            EXPLAIN_REASON { Kind: EXPLAIN_KIND::NETWORK, Closing: closing.into(), Number: sends, Handle: 0 }
        }
    }
}
