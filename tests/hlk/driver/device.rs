//! The device, its handles and its dispatch routines.

#![expect(unsafe_code, reason = "the I/O manager calls these functions with addresses")]

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use alloc::boxed::Box;
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};
use sys::wdm::{
    FILE_OBJECT, IO_STACK_LOCATION, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL,
    UNICODE_STRING,
};
use wdk_sys::{
    DEVICE_OBJECT, DRIVER_OBJECT, PDEVICE_OBJECT, PIRP,
    ntddk::{IoCreateDevice, IoCreateSymbolicLink, IoDeleteDevice, IoDeleteSymbolicLink, IofCompleteRequest},
};

use crate::client::{Client, Request};
use crate::heap::try_box;
use crate::number::usize_from;
use crate::slot::Slot;
use crate::{control, security};

/// From wdm.h: no device of a standard type; names below the device are secured like the device.
const FILE_DEVICE_UNKNOWN: u32 = 0x22;
const FILE_DEVICE_SECURE_OPEN: u32 = 0x100;

static DEVICE: AtomicPtr<DEVICE_OBJECT> = AtomicPtr::new(null_mut());

/// A name as UTF-16, for the life of a call.
struct Name {
    units: [u16; 32],
    length: u16,
}

impl Name {
    fn new(text: &str) -> Self {
        let mut units = [0; 32];
        let mut length: u16 = 0;
        for (unit, from) in units.iter_mut().zip(text.encode_utf16()) {
            *unit = from;
            length = length.saturating_add(2);
        }
        Self { units, length }
    }

    fn as_unicode(&mut self) -> UNICODE_STRING {
        UNICODE_STRING { Length: self.length, MaximumLength: self.length, Buffer: self.units.as_mut_ptr() }
    }
}

/// Makes the device and its link, and sets the dispatch routines.
///
/// # Safety
/// `driver` is this driver's object, in its entry point.
pub(crate) unsafe fn create(driver: *mut DRIVER_OBJECT) -> Result<(), NTSTATUS> {
    let (mut name, mut link) = (Name::new(protocol::DEVICE_NAME), Name::new(protocol::LINK_NAME));
    let (mut name, mut link) = (name.as_unicode(), link.as_unicode());
    let mut device: PDEVICE_OBJECT = null_mut();
    // SAFETY: the driver object is ours, and the other arguments live through the call.
    let status = unsafe {
        IoCreateDevice(
            driver,
            0,
            (&raw mut name).cast(),
            FILE_DEVICE_UNKNOWN,
            FILE_DEVICE_SECURE_OPEN,
            0,
            &raw mut device,
        )
    };
    if status != STATUS_SUCCESS {
        return Err(status);
    }
    // SAFETY: the device was just created.
    if let Err(status) = unsafe { security::protect(device) } {
        // SAFETY: as above, and no handle to it is open.
        unsafe { IoDeleteDevice(device) };
        return Err(status);
    }
    // SAFETY: both names live through the call.
    let status = unsafe { IoCreateSymbolicLink((&raw mut link).cast(), (&raw mut name).cast()) };
    if status != STATUS_SUCCESS {
        // SAFETY: the device was just created, and no handle to it is open.
        unsafe { IoDeleteDevice(device) };
        return Err(status);
    }
    DEVICE.store(device, Ordering::Release);
    // SAFETY: the driver object is ours, and its entry point is running.
    let driver = unsafe { &mut *driver };
    for major in [IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_DEVICE_CONTROL] {
        if let Some(slot) = driver.MajorFunction.get_mut(usize::from(major)) {
            *slot = Some(dispatch);
        }
    }
    Ok(())
}

/// Removes the link and the device.
pub(crate) fn delete() {
    let mut link = Name::new(protocol::LINK_NAME);
    let mut link = link.as_unicode();
    // Only the link's absence could make it fail, and that is what is wanted.
    // SAFETY: the name lives through the call.
    let _ = unsafe { IoDeleteSymbolicLink((&raw mut link).cast()) };
    let device = DEVICE.swap(null_mut(), Ordering::AcqRel);
    if !device.is_null() {
        // SAFETY: the device is ours, and no handle to it is open at unload.
        unsafe { IoDeleteDevice(device) };
    }
}

unsafe extern "C" fn dispatch(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    let irp: *mut IRP = irp.cast();
    // SAFETY: the I/O manager hands over an IRP with a current stack location.
    let (status, information) = unsafe { serve(irp) };
    // SAFETY: the IRP is ours until it is completed.
    unsafe { (*irp).IoStatus.Status = status };
    // SAFETY: as above.
    unsafe { (*irp).IoStatus.Information = information };
    // SAFETY: as above; it is not touched again.
    unsafe { IofCompleteRequest(irp.cast(), 0) };
    status
}

/// # Safety
/// `irp` is a request to our device that is not completed yet.
unsafe fn serve(irp: *mut IRP) -> (NTSTATUS, usize) {
    // SAFETY: the caller's contract.
    let tail = unsafe { &(*irp).Tail };
    // SAFETY: the overlay is in use while a driver has the request.
    let location: *const IO_STACK_LOCATION = unsafe { tail.Overlay.CurrentStackLocation };
    // SAFETY: the current stack location is that of our device.
    let location = unsafe { &*location };
    // SAFETY: requests to our device come with the file object that they were opened with.
    let context: *mut *mut c_void =
        unsafe { &raw mut (*(location.FileObject.cast::<FILE_OBJECT>())).FsContext };
    match location.MajorFunction {
        IRP_MJ_CREATE => {
            match try_box(Client {
                session: Slot::new(),
                listening: Slot::new(),
                stress: Slot::new(),
                measuring: Slot::new(),
                manual: Slot::new(),
            }) {
                Ok(client) => {
                    // SAFETY: the context of our file objects is ours.
                    unsafe { *context = Box::into_raw(client).cast() };
                    (STATUS_SUCCESS, 0)
                }
                Err(status) => (status, 0),
            }
        }
        IRP_MJ_CLEANUP => (STATUS_SUCCESS, 0),
        IRP_MJ_CLOSE => {
            // SAFETY: the context of our file objects is ours.
            let client: *mut Client = unsafe { *context }.cast();
            // SAFETY: it was boxed at create, and close is the last request on a file object.
            drop(unsafe { Box::from_raw(client) });
            (STATUS_SUCCESS, 0)
        }
        IRP_MJ_DEVICE_CONTROL => {
            // SAFETY: the context of our file objects is ours.
            let client: *const Client = unsafe { *context }.cast();
            // SAFETY: it lives until the close, which comes after this request.
            let client = unsafe { &*client };
            // SAFETY: the caller's contract.
            let request = unsafe { describe(irp, location) };
            // SAFETY: buffer, lengths and MDL are what the I/O manager says.
            unsafe { control::serve(client, &request) }
        }
        _ => (STATUS_INVALID_DEVICE_REQUEST, 0),
    }
}

/// # Safety
/// `irp` is a control request, and `location` its stack location.
unsafe fn describe(irp: *mut IRP, location: &IO_STACK_LOCATION) -> Request {
    // SAFETY: the request is a control request, so this is the member in use.
    let parameters = unsafe { location.Parameters.DeviceIoControl };
    // SAFETY: the caller's contract.
    let associated = unsafe { &(*irp).AssociatedIrp };
    // SAFETY: the harness's codes are buffered or direct, and both use this member.
    let buffer = unsafe { associated.SystemBuffer };
    // SAFETY: the caller's contract.
    let mdl = unsafe { (*irp).MdlAddress };
    Request {
        code: parameters.IoControlCode,
        buffer: buffer.cast(),
        input_length: usize_from(parameters.InputBufferLength),
        output_length: usize_from(parameters.OutputBufferLength),
        mdl,
    }
}
