//! The hash of a run: the calls of each thread and their statuses, in the order in which they came.
//!
//! It serves to compare two states of a driver: a change of structure that changes nothing else leaves the
//! digest of every seed as it is. So it depends on no address, no time, no handle and no pointer, and not on
//! the processor that a thread happens to run on; and it is made without the points of atomics, or seeds lead
//! to other schedules whenever the compiler places an atomic elsewhere.

#![forbid(unsafe_code)]

use core::any::Any;
use core::fmt;

use crate::sched::Thread;

/// Hash of the calls of a run: FNV-1a of 64 bits, which is the same on every host and in every release.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest(pub u64);

/// Tells the beginning of a call from its end.
const WITHOUT_STATUS: u8 = 0;
const WITH_STATUS: u8 = 1;

impl Digest {
    /// The digest of a run in which nothing was called.
    pub(super) const EMPTY: Self = Self(0xCBF2_9CE4_8422_2325);

    fn add(&mut self, bytes: &[u8]) {
        const PRIME: u64 = 0x0100_0000_01B3;
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }

    /// Adds that `thread` began the call named `call`.
    pub(super) fn begins(&mut self, thread: &Thread, call: &str) {
        self.event(thread, call);
        self.add(&[WITHOUT_STATUS]);
    }

    /// Adds that the call named `call` ended with `status`.
    pub(super) fn ends(&mut self, thread: &Thread, call: &str, status: u32) {
        self.event(thread, call);
        self.add(&[WITH_STATUS]);
        self.add(&status.to_le_bytes());
    }

    fn event(&mut self, thread: &Thread, call: &str) {
        self.add(&thread.id.to_le_bytes());
        // A byte that is in no name ends each, so that no two events run into each other.
        for name in [&thread.name, call] {
            self.add(name.as_bytes());
            self.add(&[0xFF]);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The status in a call's result: a number of up to 32 bits. Wider ones and pointers are addresses, handles and
/// times.
pub(crate) fn status(result: &dyn Any) -> Option<u32> {
    let signed = result.downcast_ref::<i32>().map(|status| status.cast_unsigned());
    let unsigned = || result.downcast_ref::<u32>().copied();
    let byte = || result.downcast_ref::<u8>().copied().map(u32::from);
    signed.or_else(unsigned).or_else(byte)
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use sys::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

    use super::super::{Schedule, Strategy};
    use super::status;
    use crate::boundary;
    use crate::sched::{self, Digest};

    /// The digest of a run in which a callback returns `result` to two threads.
    fn digest(seed: u64, result: i32) -> Digest {
        let machine = crate::testing::builder().schedule(Schedule::seeded(seed, Strategy::Random)).boot();
        let body = move || {
            for _ in 0..5 {
                boundary::call_driver("Callback", || result);
            }
        };
        let threads: Vec<_> = (0..2).map(|_| sched::spawn("caller", body).unwrap()).collect();
        for thread in threads {
            assert!(thread.ends_within(core::time::Duration::from_secs(1)));
        }
        machine.shutdown().schedule.unwrap().digest
    }

    #[test]
    fn digest_of_a_seed_is_the_same_again() {
        for seed in 0..20 {
            assert_eq!(digest(seed, STATUS_SUCCESS), digest(seed, STATUS_SUCCESS));
        }
    }

    #[test]
    fn digest_differs_where_a_status_or_the_order_of_threads_does() {
        for seed in 0..20 {
            assert_ne!(digest(seed, STATUS_SUCCESS), digest(seed, STATUS_INSUFFICIENT_RESOURCES));
        }
        let different: std::collections::HashSet<_> =
            (0..100).map(|seed| digest(seed, STATUS_SUCCESS).0).collect();
        assert!(different.len() > 5, "{}", different.len());
    }

    #[test]
    fn status_is_a_number_of_up_to_32_bits_and_never_an_address() {
        assert_eq!(status(&STATUS_INSUFFICIENT_RESOURCES), Some(0xC000_009A));
        assert_eq!((status(&7_u32), status(&1_u8)), (Some(7), Some(1)));
        assert_eq!((status(&7_u64), status(&ptr::null_mut::<u8>()), status(&())), (None, None, None));
    }
}
