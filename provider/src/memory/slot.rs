//! One entry of the token table, and what a valid token stands for.

use alloc::vec::Vec;

use super::region::Mr;
use super::{Domain, Rights};
use crate::kernel::Kernel;
use crate::object::Hold;
use crate::rundown::{Pin, Rundown};
use crate::sync::{AtomicU32, Ordering};

/// A part of a region that is contiguous in system memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Where in the region it begins.
    pub(crate) offset: usize,
    /// In bytes.
    pub(crate) length: usize,
    /// Its first byte.
    pub(crate) system: *mut u8,
}

// SAFETY: the pointer is to locked system memory, which every processor and process context shares.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

/// What a valid token stands for.
pub(crate) struct Registration<K: Kernel> {
    /// Set when the registration gets its slot.
    pub(crate) key: u8,
    /// The protection domain.
    pub(crate) domain: Domain,
    /// The virtual address by which the consumer and its peer name the first byte (WR-8).
    pub(crate) base: usize,
    /// In bytes.
    pub(crate) length: usize,
    /// What may be done here.
    pub(crate) rights: Rights,
    /// The memory, in order.
    pub(crate) segments: Vec<Segment>,
    /// The region, which stays until no transfer uses it.
    pub(crate) region: Hold<K, Mr<K>>,
}

/// See the module's head. It belongs to one region while that lives.
pub(crate) struct Slot<K: Kernel> {
    registration: Rundown<Registration<K>>,
    /// The key of the latest registration.
    key: AtomicU32,
    /// Index of the next free slot, while this one is free.
    pub(super) next_free: AtomicU32,
}

impl<K: Kernel> Slot<K> {
    pub(super) fn new() -> Self {
        Self { registration: Rundown::new(), key: AtomicU32::new(0), next_free: AtomicU32::new(0) }
    }

    /// Makes a registration valid and returns its key.
    ///
    /// # Safety
    ///
    /// The caller is the region that owns the slot, and no earlier registration is valid or draining.
    pub(super) unsafe fn validate(&self, mut registration: Registration<K>) -> u8 {
        let key = self.key.fetch_add(1, Ordering::Relaxed).wrapping_add(1).to_le_bytes()[0];
        registration.key = key;
        // SAFETY: as the caller promises.
        unsafe { self.registration.open(registration) };
        key
    }

    /// Refuses new transfers from now on; see [`Rundown::close`].
    #[must_use]
    pub(super) fn invalidate(&self) -> Option<Registration<K>> {
        self.registration.close()
    }

    /// Keeps the registration with this key for a transfer.
    pub(super) fn pin(&self, key: u8) -> Option<Pin<'_, Registration<K>>> {
        self.registration.pin().filter(|registration| registration.key == key)
    }
}
