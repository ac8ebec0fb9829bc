//! Requests that one driver sends to another: to be built, and the device to send them to.

use core::ffi::c_void;
use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{
    ACCESS_MASK, DEVICE_OBJECT, FILE_OBJECT, IO_STATUS_BLOCK, IRP, IRP_MJ_DEVICE_CONTROL,
    IRP_MJ_INTERNAL_DEVICE_CONTROL, KEVENT, UNICODE_STRING, signature,
};

use super::control::Control;
use super::file;
use super::irp::{self, Owner};
use super::opener::Opener;
use super::request::{Buffers, Job};
use crate::fault;
use crate::ke::object_exports::KeSetEvent;
use crate::mm::Range;
use crate::se::Subject;
use crate::{ob, rtl};

/// The completion of a request that a driver built: its buffers, and the places for its result.
struct Built {
    buffers: Mutex<Buffers>,
    status: *mut IO_STATUS_BLOCK,
    event: *mut KEVENT,
}

// SAFETY: the pointers are the driver's, which keeps what they point to until the event is signalled.
unsafe impl Send for Built {}
// SAFETY: as above.
unsafe impl Sync for Built {}

impl Job for Built {
    fn complete(&self, irp: &mut IRP) {
        self.buffers.lock().finish(irp);
        if !self.status.is_null() {
            // SAFETY: the driver passed room for the status.
            unsafe { self.status.write(irp.IoStatus) };
        }
    }

    fn delivered(&self) {
        if !self.event.is_null() {
            // SAFETY: the driver passed an initialised event.
            unsafe { KeSetEvent(self.event, 0, 0) };
        }
    }

    fn file(&self) -> *mut FILE_OBJECT {
        ptr::null_mut()
    }
}

exports! {
    "ntoskrnl.exe", signature;

    /// Builds a device control; when it is complete, the status is written and the event signalled.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoBuildDeviceIoControlRequest(
        code: u32,
        device: *mut DEVICE_OBJECT,
        input: *mut c_void,
        input_length: u32,
        output: *mut c_void,
        output_length: u32,
        internal: u8,
        event: *mut KEVENT,
        status: *mut IO_STATUS_BLOCK,
    ) -> *mut IRP {
        let control = Control {
            major: if internal == 0 { IRP_MJ_DEVICE_CONTROL } else { IRP_MJ_INTERNAL_DEVICE_CONTROL },
            code,
            input: Range { start: Va::of(input), length: input_length.to_usize() },
            output: Range { start: Va::of(output), length: output_length.to_usize() },
        };
        if fault::strikes() {
            return ptr::null_mut();
        }
        let Ok(buffers) = control.buffers() else { return ptr::null_mut() };
        // SAFETY: the driver passes a device that exists.
        let stack = unsafe { (*device).StackSize };
        let built = Arc::new(Built { buffers: Mutex::new(buffers), status, event });
        let Some(irp) = irp::allocate(stack, Owner::Manager(Arc::clone(&built) as _)) else {
            return ptr::null_mut();
        };
        // SAFETY: the packet is new, and no other code has it yet.
        let packet = unsafe { &mut *irp };
        packet.UserIosb = status;
        packet.UserEvent = event;
        // SAFETY: as above; a device needs at least one location.
        let location = unsafe { irp::next_location(packet) };
        control.fill(packet, location, &built.buffers.lock());
        irp
    }

    /// Opens a device by name: its file object, with a reference, and the top device of its stack.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoGetDeviceObjectPointer(
        name: *const UNICODE_STRING,
        access: ACCESS_MASK,
        file: *mut *mut FILE_OBJECT,
        device: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        let name = unsafe { rtl::from_counted(name) };
        let opener = Opener::new(Subject::system()).kernel().share(0).access(access);
        let opened = match file::open(&name, &[], &opener) {
            Ok(opened) => opened,
            Err(status) => return status,
        };
        let object = opened.object();
        // The reference is the driver's; the handle is closed, so the device sees a cleanup at once.
        ob::reference(object.cast());
        drop(opened);
        // SAFETY: the driver holds a reference to the file.
        let target = unsafe { (*object).DeviceObject };
        // SAFETY: the driver passes room for the pointer.
        unsafe { file.write(object) };
        // SAFETY: the driver passes room for the pointer.
        unsafe { device.write(target) };
        STATUS_SUCCESS
    }
}
