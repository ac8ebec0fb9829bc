//! The buffers of requests
//! (<https://learn.microsoft.com/windows-hardware/drivers/wdf/accessing-data-buffers-in-wdf-drivers>).

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use sys::wdf::{WDF_DEVICE_IO_TYPE, WDF_DRIVER_GLOBALS, WDFMEMORY, WDFREQUEST, signature};
use sys::wdm::{
    IRP_MJ_READ, IRP_MJ_WRITE, KernelMode, MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL,
    MEMORY_CACHING_TYPE, METHOD_BUFFERED, METHOD_FROM_CTL_CODE, METHOD_NEITHER,
};

use super::object::{self, Body, Object};
use super::request::{self, Request};
use super::request_exports::with;
use crate::mm::MmMapLockedPagesSpecifyCache;

/// The priority of a mapping that can't be executed: `NormalPagePriority | MdlMappingNoExecute`.
const MAPPING: u32 = 16 | 0x4000_0000;

/// The direction of a buffer.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Way {
    Input,
    Output,
}

/// The memory of a buffer.
enum Memory {
    System(*mut c_void),
    List(*mut MDL),
}

exports! {
    "(KMDF)", signature;

    /// Its input.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRetrieveInputBuffer(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        minimum: usize,
        buffer: *mut *mut c_void,
        length: *mut usize,
    ) -> NTSTATUS {
        // SAFETY: the driver passes room for both, or null for the second.
        unsafe { retrieve(handle, Way::Input, minimum, buffer, length) }
    }

    /// Its output.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRetrieveOutputBuffer(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        minimum: usize,
        buffer: *mut *mut c_void,
        length: *mut usize,
    ) -> NTSTATUS {
        // SAFETY: as above.
        unsafe { retrieve(handle, Way::Output, minimum, buffer, length) }
    }

    /// Its input as an object, which goes with it.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRetrieveInputMemory(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        out: *mut WDFMEMORY,
    ) -> NTSTATUS {
        // SAFETY: the driver passes room for the handle.
        unsafe { memory(handle, Way::Input, out) }
    }

    /// Its output as an object, which goes with it.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRetrieveOutputMemory(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        out: *mut WDFMEMORY,
    ) -> NTSTATUS {
        // SAFETY: the driver passes room for the handle.
        unsafe { memory(handle, Way::Output, out) }
    }

    /// The list of its input, of direct I/O.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRetrieveInputWdmMdl(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        out: *mut *mut MDL,
    ) -> NTSTATUS {
        // SAFETY: the driver passes room for the pointer.
        unsafe { list(handle, Way::Input, out) }
    }

    /// The list of its output, of direct I/O.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRetrieveOutputWdmMdl(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        out: *mut *mut MDL,
    ) -> NTSTATUS {
        // SAFETY: the driver passes room for the pointer.
        unsafe { list(handle, Way::Output, out) }
    }

    /// The user's address of its input, of `METHOD_NEITHER`.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfRequestRetrieveUnsafeUserInputBuffer(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        minimum: usize,
        buffer: *mut *mut c_void,
        length: *mut usize,
    ) -> NTSTATUS {
        // SAFETY: the driver passes room for both, or null for the second.
        unsafe { unsafe_buffer(handle, Way::Input, minimum, buffer, length) }
    }

    /// The user's address of its output, of `METHOD_NEITHER`.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfRequestRetrieveUnsafeUserOutputBuffer(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        minimum: usize,
        buffer: *mut *mut c_void,
        length: *mut usize,
    ) -> NTSTATUS {
        // SAFETY: as above.
        unsafe { unsafe_buffer(handle, Way::Output, minimum, buffer, length) }
    }
}

/// The buffers of the device's reads and writes.
fn transfers(request: &Request) -> WDF_DEVICE_IO_TYPE {
    let device = Object::known(request.device);
    match device.as_deref().map(|device| &device.body) {
        Some(Body::Device(devices)) => devices.own.as_ref().map(|own| own.settings.buffers),
        _ => None,
    }
    .unwrap_or(WDF_DEVICE_IO_TYPE::WdfDeviceIoUndefined)
}

/// The memory of a buffer and its length.
///
/// # Errors
/// STATUS_INVALID_DEVICE_REQUEST of a request that has no such buffer, STATUS_BUFFER_TOO_SMALL of one of no bytes.
fn find(object: &Object, request: &Request, way: Way) -> Result<(Memory, usize), NTSTATUS> {
    let asked = request::asked(object);
    // SAFETY: a request that the driver has is there.
    let irp = unsafe { &*request.irp() };
    // SAFETY: this member of the union is in use.
    let system = Memory::System(unsafe { irp.AssociatedIrp.SystemBuffer });
    let listed = Memory::List(irp.MdlAddress);
    let length = if way == Way::Input { asked.input } else { asked.output };
    let memory = match (asked.major, way) {
        (IRP_MJ_READ, Way::Output) | (IRP_MJ_WRITE, Way::Input) => match transfers(request) {
            WDF_DEVICE_IO_TYPE::WdfDeviceIoBuffered => system,
            WDF_DEVICE_IO_TYPE::WdfDeviceIoDirect => listed,
            _ => return Err(STATUS_INVALID_DEVICE_REQUEST),
        },
        (0xE | 0xF, _) => match (METHOD_FROM_CTL_CODE(asked.code), way) {
            (METHOD_NEITHER, _) => return Err(STATUS_INVALID_DEVICE_REQUEST),
            (METHOD_BUFFERED, _) | (_, Way::Input) => system,
            (_, Way::Output) => listed,
        },
        _ => return Err(STATUS_INVALID_DEVICE_REQUEST),
    };
    if length == 0 { Err(STATUS_BUFFER_TOO_SMALL) } else { Ok((memory, length)) }
}

/// The address of a buffer in the kernel.
fn address(memory: &Memory) -> Result<*mut c_void, NTSTATUS> {
    let list = match *memory {
        Memory::System(address) => return Ok(address),
        Memory::List(list) => list,
    };
    // SAFETY: the request's list is there until that is completed.
    let known = unsafe { &*list };
    if known.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
        return Ok(known.MappedSystemVa);
    }
    // SAFETY: the list is locked, and the driver's for now.
    let mapped = unsafe {
        MmMapLockedPagesSpecifyCache(list, KernelMode, MEMORY_CACHING_TYPE(1), ptr::null_mut(), 0, MAPPING)
    };
    if mapped.is_null() { Err(STATUS_INSUFFICIENT_RESOURCES) } else { Ok(mapped) }
}

/// # Safety
/// `buffer` may be written; `out` is null or may be.
unsafe fn retrieve(
    handle: WDFREQUEST,
    way: Way,
    minimum: usize,
    buffer: *mut *mut c_void,
    out: *mut usize,
) -> NTSTATUS {
    let found = with(handle, Err(STATUS_INVALID_PARAMETER), |object, request| {
        let (memory, length) = find(object, request, way)?;
        if length < minimum {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        Ok((address(&memory)?, length))
    });
    // SAFETY: the caller's contract.
    unsafe { store(found, buffer, out) }
}

/// # Safety
/// As for [`retrieve`].
unsafe fn store(
    found: Result<(*mut c_void, usize), NTSTATUS>,
    buffer: *mut *mut c_void,
    out: *mut usize,
) -> NTSTATUS {
    let (address, length) = found.unwrap_or((ptr::null_mut(), 0));
    // SAFETY: the caller's contract.
    unsafe { buffer.write(address) };
    if !out.is_null() {
        // SAFETY: the caller's contract.
        unsafe { out.write(length) };
    }
    found.map_or_else(|status| status, |_| STATUS_SUCCESS)
}

/// # Safety
/// `out` may be written.
unsafe fn memory(handle: WDFREQUEST, way: Way, out: *mut WDFMEMORY) -> NTSTATUS {
    let made = with(handle, Err(STATUS_INVALID_PARAMETER), |object, request| {
        let (memory, size) = find(object, request, way)?;
        let start = Va::of(address(&memory)?);
        // SAFETY: there are no attributes.
        unsafe { object::create(&object.client, ptr::null(), object.handle, Body::Foreign { start, size }) }
    });
    match made {
        Ok(made) => {
            // SAFETY: the caller's contract.
            unsafe { out.write(made.handle.ptr()) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// # Safety
/// `out` may be written.
unsafe fn list(handle: WDFREQUEST, way: Way, out: *mut *mut MDL) -> NTSTATUS {
    let found = with(handle, Err(STATUS_INVALID_PARAMETER), |object, request| {
        match find(object, request, way)?.0 {
            Memory::List(list) => Ok(list),
            // The framework makes a list over a system buffer; a driver asks for one in direct I/O.
            Memory::System(_) => Err(STATUS_INVALID_DEVICE_REQUEST),
        }
    });
    // SAFETY: the caller's contract.
    unsafe { out.write(found.unwrap_or(ptr::null_mut())) };
    found.map_or_else(|status| status, |_| STATUS_SUCCESS)
}

/// "The driver must call this function from within an EvtIoInCallerContext callback function".
///
/// # Safety
/// As for [`retrieve`].
unsafe fn unsafe_buffer(
    handle: WDFREQUEST,
    way: Way,
    minimum: usize,
    buffer: *mut *mut c_void,
    out: *mut usize,
) -> NTSTATUS {
    let found = with(handle, Err(STATUS_INVALID_PARAMETER), |object, request| {
        let asked = request::asked(object);
        let is_control = matches!(asked.major, 0xE | 0xF);
        let neither = if is_control {
            METHOD_FROM_CTL_CODE(asked.code) == METHOD_NEITHER
        } else {
            transfers(request) == WDF_DEVICE_IO_TYPE::WdfDeviceIoNeither
        };
        if !neither {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let length = if way == Way::Input { asked.input } else { asked.output };
        if length < minimum || length == 0 {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        let address = if is_control && way == Way::Input {
            // SAFETY: the member belongs to the major function.
            unsafe { request.location().Parameters.DeviceIoControl }.Type3InputBuffer
        } else {
            // SAFETY: a request that the driver has is there.
            unsafe { (*request.irp()).UserBuffer }
        };
        Ok((address, length))
    });
    // SAFETY: the caller's contract.
    unsafe { store(found, buffer, out) }
}
