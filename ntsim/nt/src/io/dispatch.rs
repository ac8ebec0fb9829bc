//! Sending a request to a device, and what its dispatch routine says when it returns.

use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::hooks;
use parking_lot::{Mutex, RwLock};
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_PENDING};
use sys::wdm::{
    DEVICE_OBJECT, IO_STACK_LOCATION, IRP, KPROCESSOR_MODE, PDRIVER_DISPATCH, SL_PENDING_RETURNED, signature,
};

use super::device::is_device;
use super::irp::{self, Completed, Owner, Packet, Sent, violation};
use super::{force_pending, previous_mode};
use crate::ex::queue_work;

/// The routine of a device for a major function, if it has one.
pub(crate) type Route = fn(device: *mut DEVICE_OBJECT, major: usize) -> Option<PDRIVER_DISPATCH>;

/// The devices, by address, whose requests go where a route says and not to the routines of their driver object.
#[derive(Default)]
struct Routes(RwLock<HashMap<Va, Route>>);

static ROUTES: PerMachine<Routes> = PerMachine::new();

/// Lets `route` choose the routine for each request to `device`. On Windows, NDIS has routines of its own in a miniport
/// driver's object, which call those of the device.
pub fn set_route(device: *mut DEVICE_OBJECT, route: Route) {
    ROUTES.get().0.write().insert(Va::of(device), route);
}

exports! {
    "ntoskrnl.exe", signature;

    /// Sends a request to a device.
    #[irql(PASSIVE..=DISPATCH)]
    fn IofCallDriver(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: the driver passes a request that it owns.
        unsafe { send_as_driver(device, irp) }
    }
}

/// Sends a request to a device as a driver does: it may pend because it may.
///
/// # Safety
/// As for [`send`].
pub(super) unsafe fn send_as_driver(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the caller's contract.
    match unsafe { prepare(device, irp) } {
        Ok(call) if force_pending::strikes() => call.later(),
        Ok(call) => call.now(),
        Err(status) => status,
    }
}

/// Sends a request to a device, and returns what its dispatch routine returned.
///
/// # Safety
/// The caller owns the request and has filled in its next stack location.
pub(super) unsafe fn send(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the caller's contract.
    unsafe { prepare(device, irp) }.map_or_else(|status| status, Call::now)
}

/// A dispatch routine that is about to be called.
struct Call {
    routine: PDRIVER_DISPATCH,
    name: &'static str,
    device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    location: *mut IO_STACK_LOCATION,
    packet: Arc<Packet>,
    sent: Arc<Sent>,
    /// Set if the request was marked pending on the driver's behalf.
    forced: bool,
}

// SAFETY: a request may be handled by any thread, and its sender leaves it alone until it is completed.
unsafe impl Send for Call {}

impl Call {
    fn now(self) -> NTSTATUS {
        let Self { routine, device, irp, .. } = self;
        // SAFETY: the routine is the driver's for this major function, and gets its own device.
        let call = || unsafe { routine(device, irp) };
        let call = || boundary::call_driver(self.name, call);
        let status = match self.mode() {
            Some(mode) => previous_mode::within(mode, call),
            None => call(),
        };
        end(&self, status);
        status
    }

    /// The mode of the request, if the I/O manager sends it.
    fn mode(&self) -> Option<KPROCESSOR_MODE> {
        // SAFETY: the request is this call's until its routine has it.
        (matches!(self.packet.owner, Owner::Manager(_)) && !self.forced)
            .then(|| unsafe { (*self.irp).RequestorMode })
    }

    /// Tells the sender of the request that it pends, and calls the routine on another thread.
    fn later(mut self) -> NTSTATUS {
        self.forced = true;
        // SAFETY: the location is the packet's current one, and the routine has not been called yet.
        unsafe { (*self.location).Control |= SL_PENDING_RETURNED };
        let packet = Arc::clone(&self.packet);
        let sending = move |begun| {
            if let Owner::Manager(job) = &packet.owner {
                job.sending(begun);
            }
        };
        sending(true);
        queue_work(move || {
            self.now();
            sending(false);
        });
        STATUS_PENDING
    }
}

/// Moves a request to a device.
///
/// # Safety
/// As for [`send`].
///
/// # Errors
/// The status for the sender, if there is no driver to call.
unsafe fn prepare(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> Result<Call, NTSTATUS> {
    let Some(packet) = irp::find(irp) else {
        violation("IofCallDriver", 0x3, irp, format!("IofCallDriver got {irp:p}, which is no request"));
        return Err(STATUS_INVALID_PARAMETER);
    };
    if !is_device(device) {
        violation("IofCallDriver", 0x4, irp, format!("IofCallDriver got {device:p}, which is no device"));
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the caller's contract.
    let (location, index) = unsafe { advance(device, irp) };
    let major = usize::from(location.MajorFunction);
    // SAFETY: the device exists.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: a device that exists has a driver object that does.
    let own = || unsafe { &(*driver).MajorFunction }.get(major).copied().flatten();
    let route = ROUTES.get().0.read().get(&Va::of(device)).copied();
    let routine = route.map_or_else(own, |route| route(device, major));
    let Some(routine) = routine else {
        // Windows fills every empty slot with a routine that does this.
        // SAFETY: the request is at this device now, so it is its to complete.
        unsafe { super::complete::fail(irp, STATUS_INVALID_DEVICE_REQUEST) };
        return Err(STATUS_INVALID_DEVICE_REQUEST);
    };
    let location = ptr::from_mut(location);
    let sent = begin(&packet, index);
    Ok(Call { routine, name: major_name(major), device, irp, location, packet, sent, forced: false })
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
        let bugcheck = Bugcheck { code: 0x35, parameters: [Va::of(irp).bits(), 0, 0, 0] };
        hooks::stop(bugcheck, "a request was sent on without a stack location left");
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
    let sent = Arc::new(Sent {
        location,
        completed: Mutex::new(None),
        forwarded: AtomicBool::new(false),
        returned: AtomicBool::new(false),
    });
    let mut progress = packet.progress.lock();
    if let Some(above) = progress.sent.last() {
        above.forwarded.store(true, Ordering::Relaxed);
    }
    progress.sent.push(Arc::clone(&sent));
    sent
}

/// Compares what a dispatch routine returned with what became of the request.
fn end(call: &Call, status: NTSTATUS) {
    let mut progress = call.packet.progress.lock();
    call.sent.returned.store(true, Ordering::Release);
    let completed = *call.sent.completed.lock();
    let marked = match completed {
        _ if call.forced => status == STATUS_PENDING,
        Some(completed) => completed.marked_pending,
        None => {
            // SAFETY: the request was not completed, and can't be while its progress is locked, so its
            // memory is there.
            let control = unsafe { (*call.location).Control };
            control & SL_PENDING_RETURNED != 0
        }
    };
    if completed.is_some() {
        progress.sent.retain(|other| !Arc::ptr_eq(other, &call.sent));
    }
    drop(progress);
    check(call, status, completed, marked);
}

fn check(call: &Call, status: NTSTATUS, completed: Option<Completed>, marked: bool) {
    let pending = status == STATUS_PENDING;
    let forwarded = call.sent.forwarded.load(Ordering::Relaxed);
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
    violation(rule, code, call.irp, format!("{} {what}", call.name));
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
