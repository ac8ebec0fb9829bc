//! Buffers.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdf::{WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFMEMORY, signature};
use sys::wdm::POOL_TYPE;

use super::object::{self, Body, Object};
use crate::mm::Block;

exports! {
    "(KMDF)", signature;

    /// Makes a buffer, which is freed with its object.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfMemoryCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        _pool: POOL_TYPE,
        _tag: u32,
        size: usize,
        out: *mut WDFMEMORY,
        buffer: *mut *mut c_void,
    ) -> NTSTATUS {
        if size == 0 {
            return STATUS_INVALID_PARAMETER;
        }
        let Some(block) = Block::new(size) else { return STATUS_INSUFFICIENT_RESOURCES };
        let start = block.as_ptr::<c_void>();
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        let status =
            unsafe { object::create_for_driver(globals, attributes, Body::Memory { block, size }, out) };
        if status == STATUS_SUCCESS && !buffer.is_null() {
            // SAFETY: the driver passes room for the pointer.
            unsafe { buffer.write(start) };
        }
        status
    }

    /// The address of a buffer, and its size.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfMemoryGetBuffer(
        _globals: *mut WDF_DRIVER_GLOBALS,
        memory: WDFMEMORY,
        size: *mut usize,
    ) -> *mut c_void {
        let Some(object) = Object::of(memory) else { return ptr::null_mut() };
        let (start, length) = match &object.body {
            Body::Memory { block, size } => (block.as_ptr(), size),
            Body::Foreign { start, size } => (start.ptr(), size),
            _ => return ptr::null_mut(),
        };
        if !size.is_null() {
            // SAFETY: the driver passes room for the size.
            unsafe { size.write(*length) };
        }
        start
    }
}
