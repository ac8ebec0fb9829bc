//! Sending a request to a device, and what its dispatch routine says when it returns.

use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_PENDING};
use sys::wdm::{DEVICE_OBJECT, IO_STACK_LOCATION, IRP, SL_PENDING_RETURNED, signature};

use super::device::is_device;
use super::irp::{self, Completed, Packet, Sent, violation};
use crate::export::exports;
use crate::verifier::Bugcheck;
use crate::{loader, sched};

exports! {
    "ntoskrnl.exe", signature;

    /// Sends a request to a device.
    #[irql(PASSIVE..=DISPATCH)]
    fn IofCallDriver(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: the driver passes a request that it owns.
        unsafe { send(device, irp) }
    }
}

/// Sends a request to a device, and returns what its dispatch routine returned.
///
/// # Safety
/// The caller owns the request and has filled in its next stack location.
pub(super) unsafe fn send(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    let Some(packet) = irp::find(irp) else {
        violation("IofCallDriver", 0x3, irp, format!("IofCallDriver got {irp:p}, which is no request"));
        return STATUS_INVALID_PARAMETER;
    };
    if !is_device(device) {
        violation("IofCallDriver", 0x4, irp, format!("IofCallDriver got {device:p}, which is no device"));
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller's contract.
    let (location, index) = unsafe { advance(device, irp) };
    let major = usize::from(location.MajorFunction);
    // SAFETY: the device exists.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: a device that exists has a driver object that does.
    let own = || unsafe { &(*driver).MajorFunction }.get(major).copied().flatten();
    let routine = crate::ndis::dispatch_routine(device, major).unwrap_or_else(own);
    let Some(routine) = routine else {
        // Windows fills every empty slot with a routine that does this.
        // SAFETY: the request is at this device now, so it is its to complete.
        unsafe { super::complete::fail(irp, STATUS_INVALID_DEVICE_REQUEST) };
        return STATUS_INVALID_DEVICE_REQUEST;
    };
    let location = ptr::from_mut(location);
    let sent = begin(&packet, index);
    let name = major_name(major);
    // SAFETY: the routine is the driver's for this major function, and gets its own device.
    let status = sched::call_driver(name, || unsafe { routine(device, irp) });
    end(&packet, &sent, Returned { status, name, irp, location });
    status
}

/// Makes the next stack location the current one.
///
/// # Safety
/// The caller owns the request.
unsafe fn advance<'a>(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> (&'a mut IO_STACK_LOCATION, i8) {
    // SAFETY: the caller's contract.
    let request = unsafe { &mut *irp };
    if let Some(routine) = request.CancelRoutine {
        let text = format!("{irp:p} is sent on while its cancel routine {:p} is set", routine as *const ());
        violation("IrpCancelField", 0x203, irp, text);
    }
    request.CurrentLocation -= 1;
    if request.CurrentLocation <= 0 {
        let bugcheck = Bugcheck { code: 0x35, parameters: [irp as u64, 0, 0, 0] };
        loader::stop(bugcheck, "a request was sent on without a stack location left");
    }
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let current = unsafe { &mut request.Tail.Overlay.CurrentStackLocation };
    *current = current.wrapping_sub(1);
    // SAFETY: the location is one of the packet's own, as its number was just checked.
    let location = unsafe { &mut **current };
    location.DeviceObject = device;
    (location, request.CurrentLocation)
}

/// Notes that a dispatch routine is about to be called.
fn begin(packet: &Packet, location: i8) -> Arc<Sent> {
    let sent = Arc::new(Sent { location, completed: Mutex::new(None), forwarded: AtomicBool::new(false) });
    let mut progress = packet.progress.lock();
    if let Some(above) = progress.sent.last() {
        above.forwarded.store(true, Ordering::Relaxed);
    }
    progress.sent.push(Arc::clone(&sent));
    sent
}

/// A dispatch routine's return.
struct Returned {
    status: NTSTATUS,
    name: &'static str,
    irp: *const IRP,
    location: *const IO_STACK_LOCATION,
}

/// Compares what a dispatch routine returned with what became of the request.
fn end(packet: &Packet, sent: &Sent, returned: Returned) {
    let mut progress = packet.progress.lock();
    let completed = *sent.completed.lock();
    let marked = match completed {
        Some(completed) => completed.marked_pending,
        None => {
            // SAFETY: the request was not completed, and can't be while its progress is locked, so its
            // memory is there.
            let control = unsafe { (*returned.location).Control };
            control & SL_PENDING_RETURNED != 0
        }
    };
    if completed.is_some() {
        progress.sent.retain(|other| !ptr::eq(&raw const **other, sent));
    }
    drop(progress);
    check(&returned, completed, marked, sent.forwarded.load(Ordering::Relaxed));
}

fn check(returned: &Returned, completed: Option<Completed>, marked: bool, forwarded: bool) {
    let &Returned { status, name, irp, .. } = returned;
    let pending = status == STATUS_PENDING;
    let (code, what) = match completed {
        _ if status == -1 => (0x225, "returned 0xFFFFFFFF".into()),
        _ if pending && !marked && !forwarded => {
            (0x23D, "returned STATUS_PENDING without marking the request pending".into())
        }
        _ if marked && !pending => (0x23E, format!("marked the request pending and returned {status:#010X}")),
        Some(completed) if !pending && completed.status != status => (
            0x224,
            format!("completed the request with {:#010X} and returned {status:#010X}", completed.status),
        ),
        None if !pending && !forwarded => {
            (0x226, format!("returned {status:#010X} without completing the request"))
        }
        _ => return,
    };
    let rule = if marked || pending { "MarkIrpPending" } else { "CompleteRequest" };
    violation(rule, code, irp, format!("{name} {what}"));
}

/// The documented name of the dispatch routine of a major function.
fn major_name(major: usize) -> &'static str {
    match major {
        0x00 => "DispatchCreate",
        0x02 => "DispatchClose",
        0x03 => "DispatchRead",
        0x04 => "DispatchWrite",
        0x0E => "DispatchDeviceControl",
        0x0F => "DispatchInternalDeviceControl",
        0x12 => "DispatchCleanup",
        0x16 => "DispatchPower",
        0x17 => "DispatchSystemControl",
        0x1B => "DispatchPnP",
        _ => "Dispatch",
    }
}
