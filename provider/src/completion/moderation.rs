//! Interrupt moderation (completion coalescing): how long, and for how many results, a notification may be coalesced (CQ-7).
//!
//! Both are maxima (`ndkpi/nc-ndkpi-ndk_fn_control_cq_interrupt_moderation`), so a notification may come
//! earlier, and does: when a timer expires that was set for an earlier one; when the settings change; when
//! the queue overflows.

#![forbid(unsafe_code)]

use core::time::Duration;

use sys::wdm::ULONG;

use crate::sync::{AtomicU64, Ordering};

/// "No limit", for an interval or a count.
const UNLIMITED: ULONG = ULONG::MAX;

/// Interval and count say both that the other one is what limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModerationError;

/// Limits of the coalescing of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moderation {
    /// Microseconds, or [`UNLIMITED`].
    interval: u32,
    /// Entries in the queue. More than one, if it is for anything.
    count: u32,
}

impl Moderation {
    /// No notification is coalesced, as for a new queue.
    pub(crate) const OFF: Self = Self { interval: 0, count: 0 };

    /// Converts the arguments of NdkControlCqInterruptModeration, for a queue of `depth` results. As the
    /// timer may be late by `lateness`, the interval is shortened by that much, down to zero.
    ///
    /// # Errors
    ///
    /// [`ModerationError`].
    pub(crate) fn new(
        interval: ULONG,
        count: ULONG,
        depth: u32,
        lateness: Duration,
    ) -> Result<Self, ModerationError> {
        if interval == UNLIMITED && count > depth {
            return Err(ModerationError);
        }
        let lateness = u32::try_from(lateness.as_micros()).unwrap_or(UNLIMITED);
        let interval = if interval == UNLIMITED { interval } else { interval.saturating_sub(lateness) };
        if interval == 0 || count <= 1 {
            return Ok(Self::OFF);
        }
        Ok(Self { interval, count })
    }

    /// After what time the notification is due, if that limits at all.
    pub(super) fn limit(self) -> Option<Duration> {
        (self.interval != UNLIMITED).then(|| Duration::from_micros(self.interval.into()))
    }

    /// Returns true if the count limit is reached by so many results in a queue of this depth.
    pub(super) fn is_reached(self, results: u64, depth: u32) -> bool {
        results >= u64::from(self.count.min(depth))
    }
}

/// The settings of a queue.
pub(super) struct Settings(AtomicU64);

impl Settings {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn set(&self, Moderation { interval, count }: Moderation) {
        self.0.store(u64::from(interval) << 32 | u64::from(count), Ordering::SeqCst);
    }

    pub(super) fn now(&self) -> Moderation {
        let word = self.0.load(Ordering::SeqCst);
        let half = |half: u64| u32::try_from(half & u64::from(u32::MAX)).unwrap_or(UNLIMITED);
        Moderation { interval: half(word >> 32), count: half(word) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_micros(100);

    fn moderation(interval: ULONG, count: ULONG) -> Result<Moderation, ModerationError> {
        Moderation::new(interval, count, 8, TICK)
    }

    #[test]
    fn moderation_without_interval_or_with_count_one_is_off() {
        for (interval, count) in
            [(0, 4), (0, UNLIMITED), (1000, 0), (1000, 1), (UNLIMITED, 0), (UNLIMITED, 1)]
        {
            assert_eq!(moderation(interval, count), Ok(Moderation::OFF), "{interval} {count}");
        }
    }

    #[test]
    fn moderation_without_interval_and_count_is_refused() {
        assert_eq!(moderation(UNLIMITED, UNLIMITED), Err(ModerationError));
        assert_eq!(moderation(UNLIMITED, 9), Err(ModerationError));
        assert!(moderation(UNLIMITED, 8).is_ok());
        assert!(moderation(UNLIMITED - 1, UNLIMITED).is_ok());
    }

    #[test]
    fn interval_is_never_exceeded_by_a_timer_that_is_late() {
        assert_eq!(moderation(1000, 4).unwrap().limit(), Some(Duration::from_micros(900)));
        assert_eq!(moderation(100, 4), Ok(Moderation::OFF));
        assert_eq!(moderation(UNLIMITED, 4).unwrap().limit(), None);
    }

    #[test]
    fn count_over_the_depth_is_reached_by_a_full_queue() {
        let four = moderation(1000, 4).unwrap();
        assert_eq!([3, 4, 5].map(|results| four.is_reached(results, 8)), [false, true, true]);
        let unlimited = moderation(1000, UNLIMITED).unwrap();
        assert_eq!([7, 8].map(|results| unlimited.is_reached(results, 8)), [false, true]);
    }

    #[test]
    fn settings_are_read_as_they_were_set() {
        let settings = Settings::new();
        assert_eq!(settings.now(), Moderation::OFF);
        for (interval, count) in [(1000, 4), (UNLIMITED, 8), (200, UNLIMITED)] {
            let moderation = moderation(interval, count).unwrap();
            settings.set(moderation);
            assert_eq!(settings.now(), moderation);
        }
    }
}
