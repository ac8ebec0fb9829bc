//! Cancelling requests.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql};
use sys::wdm::{IRP, KIRQL, PDRIVER_CANCEL, signature};

use super::irp::violation;
use super::statistics::counters;
use crate::ke::spin_lock;

/// The cancel spin lock of one machine.
#[derive(Default)]
struct CancelLock(AtomicUsize);

static CANCEL_LOCK: PerMachine<CancelLock> = PerMachine::new();

impl CancelLock {
    fn acquire(&self) -> Irql {
        let old = sched::raise(Irql::DISPATCH);
        spin_lock::acquire(&self.0, Some(old));
        old
    }

    fn release(&self, to: Irql) {
        spin_lock::release(&self.0);
        sched::lower(to);
    }

    /// Returns whether the calling thread has it.
    fn is_held(&self) -> bool {
        let address = Va::of(ptr::from_ref(&self.0));
        sched::current().is_some_and(|thread| thread.held.contains(address))
    }
}

fn cancel_lock() -> &'static CancelLock {
    CANCEL_LOCK.get()
}

exports! {
    "ntoskrnl.exe", signature;

    /// Takes the cancel spin lock.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoAcquireCancelSpinLock(irql: *mut KIRQL) {
        // SAFETY: the driver passes room for the level.
        unsafe { irql.write(cancel_lock().acquire().0) };
    }

    /// Frees the cancel spin lock.
    #[irql(DISPATCH..=DISPATCH)]
    fn IoReleaseCancelSpinLock(irql: KIRQL) {
        cancel_lock().release(Irql(irql));
    }

    /// Cancels a request; says whether it had a cancel routine.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCancelIrp(irp: *mut IRP) -> u8 {
        // SAFETY: as the driver promises.
        u8::from(cancel(|| unsafe { mark(irp) }))
    }
}

/// Cancels a request: under the cancel spin lock, `take` marks it and takes its cancel routine, which is
/// then called; `false` if it has none.
///
/// The request must not go while `take` runs; once the routine was taken, the driver has to wait for it.
pub(super) fn cancel(take: impl FnOnce() -> Option<(*mut IRP, PDRIVER_CANCEL)>) -> bool {
    counters().cancelled();
    let lock = cancel_lock();
    let before = lock.acquire();
    let Some((irp, routine)) = take() else {
        lock.release(before);
        return false;
    };
    // SAFETY: a driver that has the request and gave it a cancel routine keeps it until that has run.
    let request = unsafe { &mut *irp };
    request.CancelIrql = before.0;
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let location = unsafe { request.Tail.Overlay.CurrentStackLocation };
    // SAFETY: the location is one of the packet's own.
    let device = unsafe { (*location).DeviceObject };
    // SAFETY: the routine is the driver's for this request, and gets its own device.
    unsafe { routine(device, irp) };
    if lock.is_held() {
        violation(
            "CancelSpinLock",
            0,
            irp,
            "a cancel routine returned without freeing the cancel spin lock".into(),
        );
        lock.release(before);
    } else if sched::irql() != before {
        let text =
            format!("a cancel routine freed the cancel spin lock to {} instead of {before}", sched::irql());
        violation("CancelSpinLockRelease", 0, irp, text);
        sched::lower(before);
    }
    true
}

/// Marks a request as cancelled and takes its cancel routine, if it has one.
///
/// # Safety
/// The request is there until this returns.
pub(super) unsafe fn mark(irp: *mut IRP) -> Option<(*mut IRP, PDRIVER_CANCEL)> {
    // SAFETY: the caller's contract.
    let cancelled = unsafe { &raw mut (*irp).Cancel };
    // SAFETY: the byte is there, and other processors only read it.
    unsafe { AtomicU8::from_ptr(cancelled) }.store(1, Ordering::SeqCst);
    // SAFETY: the caller's contract.
    let routine = unsafe { &raw mut (*irp).CancelRoutine };
    // SAFETY: drivers access the member in just this way: IoSetCancelRoutine is an atomic exchange.
    let slot = unsafe { AtomicPtr::from_ptr(routine.cast::<*mut ()>()) };
    let routine = slot.swap(ptr::null_mut(), Ordering::SeqCst);
    // SAFETY: what is not null was put there by the driver as a routine of this type.
    let routine: Option<PDRIVER_CANCEL> = unsafe { core::mem::transmute(routine) };
    Some((irp, routine?))
}
