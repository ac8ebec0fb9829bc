//! The time at which a relative expiration is due.
//!
//! The page [Timer Accuracy](https://learn.microsoft.com/windows-hardware/drivers/kernel/timer-accuracy): "the timer
//! routine adds the current system clock time to the specified relative expiration time", which "is accurate only to
//! the latest tick", and the expiration is "detected during processing of the first system clock tick that occurs
//! after" that. It "can occur up to a period earlier than or a period later than the specified time".

use ntsim_core::sched;
use ntsim_core::sched::time::TICK;

/// The time from now, in units of 100 ns, after which `interval` is found to be over.
pub(super) fn by_ticks(interval: u64) -> u64 {
    let last = sched::now() / TICK;
    let due = (last * TICK).saturating_add(interval).div_ceil(TICK).max(last + 1);
    due.saturating_mul(TICK).saturating_sub(sched::now())
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::ptr;

    use ntsim_core::sched::{Schedule, Strategy};
    use sys::status::STATUS_TIMEOUT;
    use sys::wdm::{EVENT_TYPE, KEVENT, KTIMER, KWAIT_REASON, KernelMode};

    use super::*;
    use crate::ke::object_exports::KeInitializeEvent;
    use crate::ke::timer::{KeInitializeTimer, KeSetTimer};
    use crate::ke::wait_exports::{KeDelayExecutionThread, KeWaitForSingleObject};

    #[test]
    fn interval_goes_from_tick_to_tick() {
        let schedule = Schedule::seeded(1, Strategy::Bounded);
        let machine = crate::testing::builder().schedule(schedule).boot();
        let (mut event, mut timer): (KEVENT, KTIMER) = unsafe { MaybeUninit::zeroed().assume_init() };
        let reason = KWAIT_REASON::Executive;
        unsafe {
            KeInitializeEvent(&mut event, EVENT_TYPE::NotificationEvent, 0);
            KeInitializeTimer(&mut timer);
            // Two thirds of a tick after one.
            KeDelayExecutionThread(
                KernelMode,
                0,
                &-(TICK - sched::now() % TICK + TICK * 2 / 3).cast_signed(),
            );
            let begin = sched::now();
            let object = (&raw mut event).cast();
            let status = KeWaitForSingleObject(object, reason, KernelMode, 0, &-TICK.cast_signed());
            assert_eq!(status, STATUS_TIMEOUT);
            assert!((TICK / 4..TICK / 2).contains(&(sched::now() - begin)), "{}", sched::now() - begin);
            KeDelayExecutionThread(KernelMode, 0, &-(TICK * 2 / 3).cast_signed());
            let begin = sched::now();
            KeWaitForSingleObject(object, reason, KernelMode, 0, &-1);
            assert!((TICK / 4..TICK / 2).contains(&(sched::now() - begin)), "{}", sched::now() - begin);
            KeDelayExecutionThread(KernelMode, 0, &-(TICK * 2 / 3).cast_signed());
            let begin = sched::now();
            KeSetTimer(&mut timer, -TICK.cast_signed(), ptr::null_mut());
            let object = (&raw mut timer).cast();
            KeWaitForSingleObject(object, reason, KernelMode, 0, ptr::null());
            assert!((TICK / 4..TICK / 2).contains(&(sched::now() - begin)), "{}", sched::now() - begin);
        }
        assert!(machine.shutdown().is_clean());
    }
}
