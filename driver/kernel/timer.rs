//! Timers, embedded in the objects that they are for.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::time::Duration;

use provider::kernel::{Dpc as _, Routine};
use sys::wdm::{self, KDPC, KTIMER};

use super::Dpc;

/// A kernel timer, and the DPC that it queues.
#[repr(C)]
pub(crate) struct Timer {
    timer: UnsafeCell<MaybeUninit<KTIMER>>,
    dpc: Dpc,
}

// SAFETY: the kernel synchronises the use of timers.
unsafe impl Sync for Timer {}
// SAFETY: before it is initialised the object is plain memory; afterwards it does not move.
unsafe impl Send for Timer {}

// SAFETY: a timer that is due leaves the kernel's table and queues its call, under the lock under which
// `KeCancelTimer` looks for it there: that answers true only for a timer that has not queued its call. The
// kernel unlinks the call before its routine begins.
unsafe impl provider::kernel::Timer for Timer {
    fn new() -> Self {
        Self { timer: UnsafeCell::new(MaybeUninit::uninit()), dpc: Dpc::new() }
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the object is not in use before it is initialised.
        let timer = unsafe { this.as_ref() };
        // SAFETY: the timer has its place, as the caller promises.
        unsafe { wdm::KeInitializeTimerEx(timer.timer.get().cast(), wdm::TIMER_TYPE::NotificationTimer) };
        // SAFETY: the member has its place too, and is initialised here only.
        unsafe { Dpc::initialise(NonNull::from(&timer.dpc), routine, context) };
    }

    unsafe fn set(this: NonNull<Self>, after: Duration) {
        let units = i64::try_from(after.as_nanos() / 100).unwrap_or(i64::MAX);
        // SAFETY: both members lie within the object; no reference is made, which would outlive an object that
        // the routine frees at once.
        let dpc = unsafe { this.byte_add(core::mem::offset_of!(Self, dpc)) };
        // SAFETY: the timer is the first member and not set, its call not queued, as the caller promises; a
        // DPC begins with the kernel's object. Negative: from now on.
        unsafe { wdm::KeSetTimer(this.as_ptr().cast(), units.saturating_neg(), dpc.as_ptr().cast::<KDPC>()) };
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        // SAFETY: the timer is the first member, and initialised.
        unsafe { wdm::KeCancelTimer(this.as_ptr().cast()) != wdm::FALSE }
    }

    /// A timer is due a while after the last tick of the clock, and expires in the first tick that finds it due.
    fn lateness() -> Duration {
        // SAFETY: callable at any level.
        let tick = unsafe { wdm::KeQueryTimeIncrement() };
        Duration::from_nanos(u64::from(tick).saturating_mul(100))
    }
}
