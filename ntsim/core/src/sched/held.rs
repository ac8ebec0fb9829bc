//! The locks of one kind, spin locks or mutexes, that a thread holds.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::address::Va;

use super::Irql;

/// Most locks that a thread may hold at a time.
const LOCKS: usize = 32;

/// The locks that a thread holds: written by that thread only, read by any.
#[derive(Debug, Default)]
pub struct HeldLocks {
    count: AtomicUsize,
    addresses: [AtomicUsize; LOCKS],
    /// The level to which the release of each has to lower; [`KEPT`] where it must not.
    levels: [AtomicU8; LOCKS],
}

/// A lock that was taken at DISPATCH_LEVEL and leaves the level alone.
const KEPT: u8 = u8::MAX;

impl HeldLocks {
    /// Returns the number of locks that are held.
    #[inline]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The locks, in the order in which they were taken.
    pub fn addresses(&self) -> impl Iterator<Item = Va> {
        self.addresses[..self.count()].iter().map(|address| Va::new(address.load(Ordering::Relaxed)))
    }

    /// The lock that was taken last.
    #[inline]
    pub fn last(&self) -> Option<Va> {
        let last = self.count().checked_sub(1)?;
        Some(Va::new(self.addresses[last].load(Ordering::Relaxed)))
    }

    /// Returns whether the lock at `address` is held.
    #[inline]
    pub fn contains(&self, address: Va) -> bool {
        self.addresses().any(|held| held == address)
    }

    /// Adds a lock, with the level before it was taken if its release lowers; `false` if there is no room.
    #[inline]
    pub fn add(&self, address: Va, before: Option<Irql>) -> bool {
        let count = self.count();
        let Some(slot) = self.addresses.get(count) else { return false };
        slot.store(address.get(), Ordering::Relaxed);
        self.levels[count].store(before.map_or(KEPT, |irql| irql.0), Ordering::Relaxed);
        self.count.store(count + 1, Ordering::Relaxed);
        true
    }

    /// Removes a lock; with the level that [`HeldLocks::add`] was given. `None` if it is not held.
    #[inline]
    pub fn remove(&self, address: Va) -> Option<Option<Irql>> {
        let count = self.count();
        let at = (0..count).rev().find(|&at| self.addresses[at].load(Ordering::Relaxed) == address.get())?;
        let level = self.levels[at].load(Ordering::Relaxed);
        for later in at + 1..count {
            self.addresses[later - 1].store(self.addresses[later].load(Ordering::Relaxed), Ordering::Relaxed);
            self.levels[later - 1].store(self.levels[later].load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.count.store(count - 1, Ordering::Relaxed);
        Some((level != KEPT).then_some(Irql(level)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_come_back_with_their_level_in_any_order() {
        let held = HeldLocks::default();
        assert!(
            held.add(Va::new(1), Some(Irql::PASSIVE))
                && held.add(Va::new(2), None)
                && held.add(Va::new(3), Some(Irql::DISPATCH))
        );
        assert_eq!(held.remove(Va::new(2)), Some(None));
        assert_eq!(held.remove(Va::new(2)), None);
        assert_eq!(held.addresses().collect::<Vec<_>>(), [1, 3].map(Va::new));
        assert_eq!(held.remove(Va::new(1)), Some(Some(Irql::PASSIVE)));
        assert_eq!(held.remove(Va::new(3)), Some(Some(Irql::DISPATCH)));
        assert_eq!(held.count(), 0);
    }
}
