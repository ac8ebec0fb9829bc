//! The clock of the transport's time limits: a DPC, four times a second, while there is a device.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use sys::irql::PassiveLevel;
use sys::wdm::{self, KDPC, KTIMER, PVOID};

use crate::kernel::flush_dpcs;

/// In milliseconds.
const PERIOD: i32 = 250;

/// The timer and its call.
struct TickTimer {
    timer: UnsafeCell<MaybeUninit<KTIMER>>,
    dpc: UnsafeCell<MaybeUninit<KDPC>>,
}

// SAFETY: the kernel synchronises the use of timers and DPCs; `start` and `stop` alternate.
unsafe impl Sync for TickTimer {}

static TICK_TIMER: TickTimer =
    TickTimer { timer: UnsafeCell::new(MaybeUninit::uninit()), dpc: UnsafeCell::new(MaybeUninit::uninit()) };

/// Starts.
pub(super) fn start(_: PassiveLevel) {
    let (timer, dpc) = (TICK_TIMER.timer.get().cast::<KTIMER>(), TICK_TIMER.dpc.get().cast::<KDPC>());
    // SAFETY: the timer is not set: this is the first start, or `stop` came before it.
    unsafe { wdm::KeInitializeTimerEx(timer, wdm::TIMER_TYPE::NotificationTimer) };
    // SAFETY: the call is not queued, for the same reason.
    unsafe { wdm::KeInitializeDpc(dpc, Some(tick), core::ptr::null_mut()) };
    // Relative, in units of 100 ns.
    let due = i64::from(PERIOD).wrapping_mul(-10_000);
    // SAFETY: both are initialised, in a static, and `stop` ends this before the driver goes.
    unsafe { wdm::KeSetTimerEx(timer, due, PERIOD, dpc) };
}

/// Stops, and waits for a call that runs.
pub(super) fn stop(level: PassiveLevel) {
    // SAFETY: `start` came before this.
    unsafe { wdm::KeCancelTimer(TICK_TIMER.timer.get().cast()) };
    flush_dpcs(level);
}

unsafe extern "efiapi" fn tick(_: *mut KDPC, _: PVOID, _: PVOID, _: PVOID) {
    if let Some(transport) = super::transport() {
        transport.tick();
    }
}
