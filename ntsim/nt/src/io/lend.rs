//! Requests that a driver gives not to a device but to a function that takes one, as those of Winsock Kernel do:
//! <https://learn.microsoft.com/windows-hardware/drivers/network/using-irps-with-winsock-kernel-functions>.

use core::sync::atomic::AtomicBool;
use std::sync::Arc;

use parking_lot::Mutex;
use sys::status::NTSTATUS;
use sys::wdm::{IRP, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS, SL_PENDING_RETURNED};

use super::complete;
use super::irp::{self, Owner, Sent};
use super::unload_safe;

/// A mistake in giving a request away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LendError {
    /// There is no request at that address.
    NoRequest,
    /// It is under way, or was not initialised again since it came back.
    InUse,
    /// It has no stack location left.
    NoLocation,
    /// It is the driver's own, and has no completion routine for every outcome. It is taken all the same.
    NoRoutine,
}

/// Takes a driver's request: its next stack location becomes the current one, of the function that has it now.
///
/// # Errors
/// See [`LendError`]; with all but [`LendError::NoRoutine`] the request stays the driver's.
///
/// # Safety
/// `irp` is null, or points to memory that a driver uses as a request.
pub unsafe fn lend(irp: *mut IRP) -> Result<(), LendError> {
    let packet = irp::find(irp).ok_or(LendError::NoRequest)?;
    let is_own = !matches!(packet.owner, Owner::Manager(_));
    let mut progress = packet.progress.lock();
    if is_own && (progress.spent || progress.sent.iter().any(|sent| sent.completed.lock().is_none())) {
        return Err(LendError::InUse);
    }
    // SAFETY: the packet exists, and the driver owns it.
    let request = unsafe { &mut *irp };
    if request.CurrentLocation <= 1 {
        return Err(LendError::NoLocation);
    }
    // SAFETY: the packet has a location left.
    let location = unsafe { irp::next_location(request) };
    let all = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
    let told = unload_safe::wants_all(&progress.registered, location.Context)
        .unwrap_or(location.CompletionRoutine.is_some() && location.Control & all == all);
    request.CurrentLocation -= 1;
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let current = unsafe { &mut request.Tail.Overlay.CurrentStackLocation };
    *current = current.wrapping_sub(1);
    progress.spent = is_own;
    progress.sent.push(Arc::new(Sent {
        location: request.CurrentLocation,
        completed: Mutex::new(None),
        forwarded: AtomicBool::new(false),
        returned: AtomicBool::new(true),
    }));
    if is_own && !told { Err(LendError::NoRoutine) } else { Ok(()) }
}

/// Marks a request that was [lent](lend) as pending.
///
/// # Safety
/// The request was lent and has not been given back.
pub unsafe fn mark_lent_pending(irp: *mut IRP) {
    // SAFETY: the caller's contract.
    let request = unsafe { &*irp };
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let current = unsafe { request.Tail.Overlay.CurrentStackLocation };
    // SAFETY: the location is one of the packet's own.
    unsafe { (*current).Control |= SL_PENDING_RETURNED };
}

/// Gives back a request that was [lent](lend): completes it.
///
/// # Safety
/// The request was lent and has not been given back.
pub unsafe fn give_back(irp: *mut IRP, status: NTSTATUS, information: usize) {
    // SAFETY: the caller's contract.
    unsafe { (*irp).IoStatus.Information = information };
    // SAFETY: the caller's contract.
    unsafe { complete::fail(irp, status) };
}
