//! The locks of one kind, spin locks or mutexes, that a thread holds.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

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
    pub fn addresses(&self) -> impl Iterator<Item = usize> {
        self.addresses[..self.count()].iter().map(|address| address.load(Ordering::Relaxed))
    }

    /// The lock that was taken last.
    #[inline]
    pub fn last(&self) -> Option<usize> {
        let last = self.count().checked_sub(1)?;
        Some(self.addresses[last].load(Ordering::Relaxed))
    }

    /// Returns whether the lock at `address` is held.
    #[inline]
    pub fn contains(&self, address: usize) -> bool {
        self.addresses().any(|held| held == address)
    }

    /// Adds a lock, with the level before it was taken if its release lowers; `false` if there is no room.
    #[inline]
    pub fn add(&self, address: usize, before: Option<Irql>) -> bool {
        let count = self.count();
        let Some(slot) = self.addresses.get(count) else { return false };
        slot.store(address, Ordering::Relaxed);
        self.levels[count].store(before.map_or(KEPT, |irql| irql.0), Ordering::Relaxed);
        self.count.store(count + 1, Ordering::Relaxed);
        true
    }

    /// Removes a lock; with the level that [`HeldLocks::add`] was given. `None` if it is not held.
    #[inline]
    pub fn remove(&self, address: usize) -> Option<Option<Irql>> {
        let count = self.count();
        let at = (0..count).rev().find(|&at| self.addresses[at].load(Ordering::Relaxed) == address)?;
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
        assert!(held.add(1, Some(Irql::PASSIVE)) && held.add(2, None) && held.add(3, Some(Irql::DISPATCH)));
        assert_eq!(held.remove(2), Some(None));
        assert_eq!(held.remove(2), None);
        assert_eq!(held.addresses().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(held.remove(1), Some(Some(Irql::PASSIVE)));
        assert_eq!(held.remove(3), Some(Some(Irql::DISPATCH)));
        assert_eq!(held.count(), 0);
    }
}
