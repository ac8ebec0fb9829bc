//! Completing a request: up through its stack locations, and back to its owner.

use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::sched::{self, local};
use ntsim_core::verifier::{self, Finding};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING};
use sys::wdm::{
    IO_STACK_LOCATION, IRP, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS,
    SL_PENDING_RETURNED, signature,
};

use super::irp::{self, Completed, Owner, Packet, violation};
use super::statistics::counters;
use super::unload_safe;

exports! {
    "ntoskrnl.exe", signature;

    /// Completes a request.
    #[irql(PASSIVE..=DISPATCH)]
    fn IofCompleteRequest(irp: *mut IRP, _boost: i8) {
        // SAFETY: the driver passes a request that it owns.
        unsafe { complete(irp) };
    }
}

/// Completes a request with an error, as the I/O manager does for a driver without a routine.
///
/// # Safety
/// The caller owns the request.
pub(super) unsafe fn fail(irp: *mut IRP, status: NTSTATUS) {
    // SAFETY: the caller's contract.
    unsafe { (*irp).IoStatus.Status = status };
    // SAFETY: the caller's contract.
    unsafe { complete(irp) };
}

/// # Safety
/// The caller owns the request.
unsafe fn complete(irp: *mut IRP) {
    let Some(packet) = irp::find(irp) else {
        completed_twice(irp);
        return;
    };
    // SAFETY: the packet exists, and the caller owns it.
    let request = unsafe { &mut *irp };
    sched::answered("IoStatus", &request.IoStatus.Status);
    check(request);
    while request.CurrentLocation <= request.StackCount {
        // SAFETY: the current location is one of the packet's own.
        let left = unsafe { leave_location(request, &packet) };
        // SAFETY: the location just left is still one of the packet's own.
        if unsafe { call_routine(irp, &packet, left) } == STATUS_MORE_PROCESSING_REQUIRED {
            return;
        }
    }
    finish(irp, &packet);
}

/// Checks the rules that apply to every request that a driver completes.
fn check(request: &IRP) {
    let irp = ptr::from_ref(request);
    let status = request.IoStatus.Status;
    if status == STATUS_PENDING || status == -1 {
        violation("CompleteRequest", 0x6, irp, format!("{irp:p} is completed with {status:#010X}"));
    }
    if let Some(routine) = request.CancelRoutine {
        let text = format!("{irp:p} is completed while its cancel routine {:p} is set", routine as *const ());
        violation("IrpCancelField", 0x7, irp, text);
    }
    if request.CurrentLocation > request.StackCount {
        let text = format!("{irp:p} is completed, but was never sent to a device");
        violation("CompleteRequest", 0x239, irp, text);
    }
    if let Some(lock) = local::with(local::Local::last_held) {
        verifier::report(
            Finding::new("SpinLock")
                .text(format!("a request is completed with the spin lock at {lock:#x} held")),
        );
    }
}

/// Steps up from the current location, notes how its driver completed it, and returns it.
///
/// # Safety
/// The request has a current location.
unsafe fn leave_location(request: &mut IRP, packet: &Packet) -> *mut IO_STACK_LOCATION {
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let current = unsafe { &mut request.Tail.Overlay.CurrentStackLocation };
    let left = *current;
    *current = current.wrapping_add(1);
    // SAFETY: the caller's contract.
    let marked_pending = unsafe { (*left).Control } & SL_PENDING_RETURNED != 0;
    let completed = Completed { marked_pending, status: request.IoStatus.Status };
    let mut progress = packet.progress.lock();
    for sent in progress.sent.iter().filter(|sent| sent.location == request.CurrentLocation) {
        sent.completed.lock().get_or_insert(completed);
    }
    // A routine that has returned has nothing more to be compared with; one that runs keeps its own count.
    progress.sent.retain(|sent| sent.completed.lock().is_none());
    request.CurrentLocation += 1;
    request.PendingReturned = u8::from(marked_pending);
    left
}

/// Calls the completion routine that the driver above set in a location, if it wants to be called.
///
/// # Safety
/// `left` is the location of `irp` just below its current one.
unsafe fn call_routine(irp: *mut IRP, packet: &Packet, left: *mut IO_STACK_LOCATION) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let request = unsafe { &*irp };
    // SAFETY: the caller's contract.
    let location = unsafe { left.read() };
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let current = unsafe { request.Tail.Overlay.CurrentStackLocation };
    let above = (request.CurrentLocation <= request.StackCount).then_some(current);
    let wanted = if NT_SUCCESS(request.IoStatus.Status) { SL_INVOKE_ON_SUCCESS } else { SL_INVOKE_ON_ERROR };
    let wanted = wanted | if request.Cancel != 0 { SL_INVOKE_ON_CANCEL } else { 0 };
    let routine = location.CompletionRoutine.filter(|_| location.Control & wanted != 0);
    let registration = unload_safe::take(packet, location.Context);
    let is_called = registration.as_ref().map_or(routine.is_some(), |known| known.is_wanted(wanted));
    let Some(routine) = routine.filter(|_| is_called) else {
        if let Some(above) = above.filter(|_| request.PendingReturned != 0) {
            // SAFETY: it is a location of the packet.
            unsafe { (*above).Control |= SL_PENDING_RETURNED };
        }
        return 0;
    };
    // SAFETY: it is a location of the packet.
    let device = above.map_or(ptr::null_mut(), |above| unsafe { (*above).DeviceObject });
    if let Some(registration) = registration {
        // SAFETY: the request comes back to the driver above, which registered it.
        return unsafe { registration.call(device, irp) };
    }
    // SAFETY: the routine is the one that the driver above set, with its own device and context.
    boundary::call_driver(boundary::COMPLETION, || unsafe { routine(device, irp, location.Context) })
}

/// Gives a request that has come all the way up back to its owner.
fn finish(irp: *mut IRP, packet: &Packet) {
    match &packet.owner {
        Owner::Manager(job) => {
            // SAFETY: the packet is freed only below.
            let request = unsafe { &mut *irp };
            counters().completed(irp::function(request), request.IoStatus.Status);
            job.complete(request);
            irp::free(irp);
            job.delivered();
        }
        Owner::Driver | Owner::Caller => {
            let text = format!(
                "the driver's own request {irp:p} was completed to the end: the completion routine of \
                 the driver that made it must return STATUS_MORE_PROCESSING_REQUIRED"
            );
            violation("CompleteRequest", 0x2, irp, text);
        }
    }
}

/// Bug check 0x44: the request.
#[cold]
fn completed_twice(irp: *mut IRP) {
    verifier::report(
        Finding::new("DoubleCompletion")
            .bugcheck(Bugcheck { code: 0x44, parameters: [Va::of(irp).bits(), 0, 0, 0] })
            .text(format!("IofCompleteRequest got {irp:p}, which is no request or was completed before")),
    );
}
