//! The edge: C in, Rust out. The dispatch tables, and nothing else in the crate knows of raw arguments.
//!
//! Every function does three things: turn its arguments into references, call a safe function, turn the
//! outcome into an NTSTATUS. What the consumer promises by calling (its objects are alive, its pointers
//! point to what the documentation says, its calls are serialised as documented) is what makes the unsafe
//! blocks here sound; what it may do wrong is checked.
//!
//! All functions may be called up to DISPATCH_LEVEL, but for `NdkQueryAdapterInfo` (OBJ-7). No slot of any
//! table is empty (OBJ-5).

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

mod adapter;
mod address;
mod connector;
mod cq;
mod explain;
mod information;
mod listener;
mod mapping;
mod mr;
mod mw;
mod opening;
mod pd;
mod qp;
mod registration;
mod shared_endpoint;
mod srq;
mod status;

#[cfg(all(test, not(loom)))]
pub(crate) use address::write as write_address;
#[cfg(all(test, loom))]
pub(crate) use connector::requested as requested_connector;

use core::ptr::NonNull;

use sys::ndk::{
    NDK_EXTENSION_INTERFACE, NDK_FN_CLOSE_COMPLETION, NDK_FN_REQUEST_COMPLETION, NDK_OBJECT_HEADER,
    NDK_VERSION,
};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{GUID, PVOID, ULONG};

use crate::consumer::{Completion, Request};
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, RegistrationCall, Status};
use crate::lifetime::Kind;
use crate::object::{Object, ObjectType};
use crate::status::StatusError;

/// A size or count of ours as the interface has it; all of them are far below its limit.
fn ulong(number: usize) -> ULONG {
    ULONG::try_from(number).unwrap_or(ULONG::MAX)
}

/// The object behind a consumer's pointer.
///
/// # Safety
///
/// `pointer` is null or an object of kind `B` that the consumer has not closed, or in whose callback it is.
unsafe fn object<'a, K: Kernel, B: ObjectType<K>, P>(
    pointer: *mut P,
) -> Result<&'a Object<K, B>, StatusError> {
    // SAFETY: as the caller promises; an object begins with its public part.
    unsafe { pointer.cast::<Object<K, B>>().as_ref() }.ok_or(StatusError::PARAMETER)
}

/// Hands a new object to the consumer, inline (RQ-1): no create pends but that of a shared endpoint, which
/// may have to wait for its address.
///
/// # Safety
///
/// `out` is null or a place for the pointer.
unsafe fn hand_out<T, P>(
    made: impl FnOnce() -> Result<NonNull<T>, StatusError>,
    out: *mut *mut P,
) -> NTSTATUS {
    if out.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    match made() {
        Ok(object) => {
            // SAFETY: not null, and a place for the pointer, as the caller promises.
            unsafe { out.write(object.as_ptr().cast()) };
            STATUS_SUCCESS
        }
        Err(StatusError(status)) => status,
    }
}

/// Creates an object of `version` with its table.
fn create<K: Kernel, B: ObjectType<K>, D>(
    version: NDK_VERSION,
    table: &'static D,
    body: Result<B, NoMemory>,
) -> Result<NonNull<Object<K, B>>, StatusError> {
    Ok(Object::create(version, table, body?)?)
}

/// A pending request of the consumer's on `object`.
fn request<K: Kernel, B: ObjectType<K>>(
    object: &Object<K, B>,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> Result<Request<K, B>, StatusError> {
    Ok(Request::new(Completion::new(completion, context), object.try_acquire(Kind::Request)?))
}

/// The status of an outcome.
fn status(outcome: Result<NTSTATUS, StatusError>) -> NTSTATUS {
    match outcome {
        Ok(status) | Err(StatusError(status)) => status,
    }
}

/// Reports a registration or an invalidation that was refused; returns its status.
fn report_refusal<K: Kernel, P>(call: RegistrationCall, object: *const P, status: NTSTATUS) -> NTSTATUS {
    if !matches!(status, STATUS_SUCCESS | STATUS_PENDING) {
        let (object, status) = (Handle(object.addr()), Status(status));
        event::write::<K>(|| Event::RegistrationRefused { call, object, status });
    }
    status
}

/// NdkCloseObject, for every kind of object but the adapter (OBJ-6).
unsafe extern "efiapi" fn close<K: Kernel, B: ObjectType<K>>(
    object: *mut NDK_OBJECT_HEADER,
    completion: Option<NDK_FN_CLOSE_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let Some(object) = NonNull::new(object.cast::<Object<K, B>>()) else { return STATUS_INVALID_PARAMETER };
    // SAFETY: the consumer hands over an object of this kind: the table that led here is only theirs.
    unsafe { Object::close(object, completion, context) }
}

/// NdkQueryExtension of what has no extensions: everything but the adapter.
unsafe extern "efiapi" fn query_extension(
    _object: *mut NDK_OBJECT_HEADER,
    _id: *const GUID,
    _version: NDK_VERSION,
    _interface: *mut NDK_EXTENSION_INTERFACE,
) -> NTSTATUS {
    STATUS_NOT_SUPPORTED
}
