//! Functions for all kinds of objects.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_OBJECTID_EXISTS, STATUS_SUCCESS};
use sys::wdf::{
    WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDF_OBJECT_CONTEXT_TYPE_INFO, WDFOBJECT, signature,
};

use super::client::framework;
use super::context::Context;
use super::object::{self, Body, Object};

exports! {
    "(KMDF)", signature;

    /// An object's context of a type; null if it has none.
    #[irql(PASSIVE..=HIGH)]
    fn WdfObjectGetTypedContextWorker(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFOBJECT,
        kind: *const WDF_OBJECT_CONTEXT_TYPE_INFO,
    ) -> *mut c_void {
        let Some(object) = Object::of(handle) else { return ptr::null_mut() };
        // SAFETY: the driver passes a valid description.
        unsafe { find(&object, kind) }.unwrap_or(ptr::null_mut())
    }

    /// Gives an object a further context.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfObjectAllocateContext(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFOBJECT,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut *mut c_void,
    ) -> NTSTATUS {
        let Some(object) = Object::of(handle) else { return STATUS_INVALID_HANDLE };
        // SAFETY: the driver passes valid attributes.
        let attributes = unsafe { &*attributes };
        // SAFETY: the driver passes a valid description.
        let (status, context) = match unsafe { find(&object, attributes.ContextTypeInfo) } {
            Some(context) => (STATUS_OBJECTID_EXISTS, context),
            // SAFETY: the driver passes a valid description.
            None => match unsafe { Context::new(Some(attributes)) } {
                Ok(context) => {
                    let address = context.address();
                    object::attach_context(&object, context);
                    (STATUS_SUCCESS, address.ptr::<c_void>())
                }
                Err(status) => return status,
            },
        };
        if !out.is_null() {
            // SAFETY: the driver passes room for the pointer.
            unsafe { out.write(context) };
        }
        status
    }

    /// The object that a context belongs to.
    #[irql(PASSIVE..=HIGH)]
    fn WdfObjectContextGetObject(_globals: *mut WDF_DRIVER_GLOBALS, context: *mut c_void) -> WDFOBJECT {
        framework()
            .contexts
            .read()
            .get(&Va::of(context))
            .map_or(ptr::null_mut(), |handle| handle.ptr())
    }

    /// Adds a reference.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfObjectReferenceActual(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFOBJECT,
        _tag: *mut c_void,
        _line: i32,
        _file: *const i8,
    ) {
        if let Some(object) = Object::of(handle) {
            object.reference();
        }
    }

    /// Drops a reference.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfObjectDereferenceActual(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFOBJECT,
        _tag: *mut c_void,
        _line: i32,
        _file: *const i8,
    ) {
        if let Some(object) = Object::of(handle) {
            object.dereference();
        }
    }

    /// Makes an object that only holds a context.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfObjectCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFOBJECT,
    ) -> NTSTATUS {
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, Body::General, out) }
    }

    /// Deletes an object with its children.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfObjectDelete(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFOBJECT) {
        if let Some(object) = Object::of(handle) {
            object.delete();
        }
    }
}

/// The context of a type in an object.
///
/// # Safety
/// `kind` is null or a valid description.
unsafe fn find(object: &Object, kind: *const WDF_OBJECT_CONTEXT_TYPE_INFO) -> Option<*mut c_void> {
    let state = object.state.lock();
    // SAFETY: the caller's contract.
    let context = state.contexts.iter().find(|context| unsafe { context.is_of(kind) })?;
    Some(context.address().ptr::<c_void>())
}
