//! Completion routines with a device, whose driver's image stays while they run:
//! <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iosetcompletionroutineex>.
//!
//! A plain completion routine keeps nothing: once it has told another thread that the request is back, the driver may be
//! unloaded while the routine's last instructions still run. The reference is taken when the routine is called, not when
//! it is set: until then the driver has to keep its device itself.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::verifier::{self, Finding};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::{
    DEVICE_OBJECT, IRP, PIO_COMPLETION_ROUTINE, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS, signature,
};

use super::device;
use super::irp::{self, Packet};
use crate::fault;
use crate::ob;

/// A routine that waits for its request, as the driver registered it.
pub(super) struct Registration {
    device: Va,
    routine: PIO_COMPLETION_ROUTINE,
    context: Va,
    /// `SL_INVOKE_ON_…`: the outcomes that the routine is called for.
    wanted: u8,
}

/// All outcomes.
const ALL: u8 = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;

impl Registration {
    /// Returns whether the routine is called for any of these outcomes.
    pub(super) fn is_wanted(&self, outcomes: u8) -> bool {
        self.wanted & outcomes != 0
    }

    /// Returns whether the routine is called for all outcomes.
    pub(super) fn wants_all(&self) -> bool {
        self.wanted == ALL
    }

    /// Calls the routine, with its device referenced.
    ///
    /// # Safety
    /// The request comes back to the driver that registered the routine.
    pub(super) unsafe fn call(&self, device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        let held = self.device.ptr::<c_void>();
        if ob::reference(held).is_none() {
            let text = format!(
                "the device at {held:p} is gone before the completion routine of {irp:p} is called, which it was to \
                 keep in memory"
            );
            verifier::report(Finding::new("CompletionRoutineDevice").text(text));
        }
        // SAFETY: the routine is the one that the driver registered for this request, with its context.
        let status = boundary::call_driver(boundary::COMPLETION, || unsafe {
            (self.routine)(device, irp, self.context.ptr::<c_void>())
        });
        ob::dereference(held);
        status
    }
}

/// Takes the registration that a stack location names by its context; `None` if its routine is a plain one.
pub(super) fn take(packet: &Packet, context: *mut c_void) -> Option<Box<Registration>> {
    let mut progress = packet.progress.lock();
    let place = progress.registered.iter().position(|known| ptr::eq(&raw const **known, context.cast()))?;
    Some(progress.registered.swap_remove(place))
}

/// Returns what the stack location with this context has registered; `None` if its routine is a plain one.
pub(super) fn wants_all(registered: &[Box<Registration>], context: *mut c_void) -> Option<bool> {
    registered
        .iter()
        .find(|known| ptr::eq(&raw const ***known, context.cast()))
        .map(|known| known.wants_all())
}

/// Reports the registrations of a packet that is freed or initialised again: their memory is lost, as their routines
/// never run.
pub(super) fn check_none_left(irp: *mut IRP, packet: &Packet) {
    let left = core::mem::take(&mut packet.progress.lock().registered).len();
    if left > 0 {
        let text = format!(
            "{irp:p} is freed or initialised again with {left} completion routines that IoSetCompletionRoutineEx set \
             and that never ran: their memory is lost"
        );
        verifier::report(Finding::new("CompletionRoutineLeak").text(text));
    }
}

/// Reports a routine that does not lie in the image of the device's driver. That image is the one that stays.
fn check_owner(device: *mut DEVICE_OBJECT, routine: PIO_COMPLETION_ROUTINE) {
    // SAFETY: the device exists.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: a device that exists has a driver object that does.
    let Some(driver) = (unsafe { driver.as_ref() }) else { return };
    let start = Va::of(driver.DriverStart);
    let routine = Va::of(routine as *const c_void);
    if !start.is_null() && !(start..start + driver.DriverSize.to_usize()).contains(&routine) {
        let text = format!(
            "IoSetCompletionRoutineEx got the routine {routine:#x} with the device {device:p} of another driver: \
             nothing keeps the routine's image"
        );
        verifier::report(Finding::new("CompletionRoutineDevice").text(text));
    }
}

exports! {
    "ntoskrnl.exe", signature;

    /// Sets the completion routine of a request's next stack location, during which the device is referenced.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoSetCompletionRoutineEx(
        device: *mut DEVICE_OBJECT,
        irp: *mut IRP,
        routine: Option<PIO_COMPLETION_ROUTINE>,
        context: *mut c_void,
        on_success: u8,
        on_error: u8,
        on_cancel: u8,
    ) -> NTSTATUS {
        let (Some(packet), Some(routine), true) = (irp::find(irp), routine, device::is_device(device)) else {
            let text = format!("IoSetCompletionRoutineEx got {irp:p} with the device {device:p}: not both exist");
            verifier::report(Finding::new("CompletionRoutineDevice").text(text));
            return STATUS_INVALID_PARAMETER;
        };
        check_owner(device, routine);
        if fault::strikes() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        let wanted = [
            (on_success, SL_INVOKE_ON_SUCCESS),
            (on_error, SL_INVOKE_ON_ERROR),
            (on_cancel, SL_INVOKE_ON_CANCEL),
        ];
        let wanted = wanted.into_iter().filter(|(set, _)| *set != 0).fold(0, |all, (_, flag)| all | flag);
        let (device, context) = (Va::of(device), Va::of(context));
        let registration = Box::new(Registration { device, routine, context, wanted });
        // SAFETY: the packet exists, and the driver owns it.
        let request = unsafe { &*irp };
        // SAFETY: as above; its next location is the driver's to fill in.
        let location = unsafe { irp::next_location(request) };
        location.CompletionRoutine = Some(unload_safe);
        location.Context = (&raw const *registration).cast_mut().cast();
        location.Control = ALL;
        packet.progress.lock().registered.push(registration);
        STATUS_SUCCESS
    }
}

/// The routine that a stack location has: it calls the registered one. The completion of requests calls that itself; a
/// driver that calls what it finds in a location comes here.
unsafe extern "efiapi" fn unload_safe(
    device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    context: *mut c_void,
) -> NTSTATUS {
    let registration = irp::find(irp).and_then(|packet| take(&packet, context));
    // SAFETY: the caller completes the request.
    registration.map_or(STATUS_SUCCESS, |registration| unsafe { registration.call(device, irp) })
}
