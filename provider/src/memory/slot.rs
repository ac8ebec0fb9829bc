//! One entry of the token table, and what a valid token stands for.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use alloc::vec::Vec;

use super::owner::RegionOrWindow;
use super::{Domain, Key, Mr, ProtectionDomain, Rights, Token};
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::object::{Id, ObjectRef};
use crate::rundown::{Pin, Rundown, Shard};
use crate::sync::{AtomicU32, Ordering};

/// A part of a region that is contiguous in system memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Its offset in the region.
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

/// The memory of a registration.
pub(crate) struct Memory<K: Kernel> {
    /// In order.
    pub(crate) segments: Vec<Segment>,
    /// The mappings in which the segments lie, undone when the last registration of them has ended. Nonpaged pool
    /// that was never given a mapping may be outside.
    pub(crate) held: Vec<Shared<K::Mapping>>,
}

impl<K: Kernel> Memory<K> {
    /// None, with room for nothing.
    pub(crate) const fn new() -> Self {
        Self { segments: Vec::new(), held: Vec::new() }
    }

    /// None, with room for so many segments, each in a mapping of its own.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn with_room(segments: usize) -> Result<Self, NoMemory> {
        let mut memory = Self::new();
        memory.segments.try_reserve_exact(segments).map_err(|_| NoMemory)?;
        memory.held.try_reserve_exact(segments).map_err(|_| NoMemory)?;
        Ok(memory)
    }

    /// Releases the memory, and keeps the capacity.
    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.held.clear();
    }
}

/// Generation of a slot: differs between registrations of one slot, also those with the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    /// That of no registration that has been valid.
    pub(crate) const NONE: Self = Self(0);
}

/// The region that a window is bound to.
pub(crate) struct Parent<K: Kernel, P: ProtectionDomain<K>> {
    /// Of the region.
    pub(crate) token: Token,
    /// Of the region's registration, known once the bind is done: when that ends, the window admits nothing.
    pub(crate) generation: Generation,
    /// The region, whose close waits for the window (OBJ-2).
    pub(crate) region: ObjectRef<K, Mr<K, P>>,
}

/// Registration behind a valid token.
pub(crate) struct Registration<K: Kernel, P: ProtectionDomain<K>> {
    /// The slot's key while it is valid; set when it becomes so.
    pub(crate) key: Key,
    /// Set when it becomes valid.
    pub(crate) generation: Generation,
    /// The protection domain.
    pub(crate) domain: Domain,
    /// The virtual address by which the consumer and its peer name the first byte (WR-8).
    pub(crate) base: usize,
    /// In bytes.
    pub(crate) length: usize,
    /// The access rights.
    pub(crate) rights: Rights,
    /// Of a window none: that of its region serves.
    pub(crate) memory: Memory<K>,
    /// Of a window.
    pub(crate) parent: Option<Parent<K, P>>,
    /// The region or window, which stays until no transfer uses the registration.
    pub(crate) owner: RegionOrWindow<K, P>,
}

/// See the module's head. It belongs to one region or window while that lives.
pub(crate) struct Slot<K: Kernel, P: ProtectionDomain<K>> {
    pub(super) registration: Rundown<Registration<K, P>>,
    /// The key of the latest registration, or of the next; its owner decides which.
    key: AtomicU32,
    /// The latest generation.
    generation: AtomicU32,
    /// Index of the next free slot, while this one is free.
    pub(super) next_free: AtomicU32,
}

impl<K: Kernel, P: ProtectionDomain<K>> Slot<K, P> {
    pub(super) fn new() -> Self {
        let [key, generation, next_free] = [0, 0, 0].map(AtomicU32::new);
        Self { registration: Rundown::new(), key, generation, next_free }
    }

    /// The present key.
    pub(super) fn key(&self) -> Key {
        Key::of(self.key.load(Ordering::Relaxed))
    }

    /// Goes on to the next key.
    pub(super) fn advance(&self) {
        self.key.fetch_add(1, Ordering::Relaxed);
    }

    /// A generation that no registration of the slot has, but for one that is long over.
    pub(super) fn next_generation(&self) -> Generation {
        let before = self.generation.fetch_add(1, Ordering::Relaxed);
        Generation(before.wrapping_add(1).max(1))
    }

    /// Makes a registration valid under its key.
    ///
    /// # Safety
    ///
    /// The caller is the owner of the slot, and no earlier registration is valid or draining.
    pub(super) unsafe fn validate(&self, registration: Registration<K, P>) {
        // SAFETY: as the caller promises.
        unsafe { self.registration.open(registration) };
    }

    /// Refuses new transfers from now on; see [`Rundown::close`].
    #[must_use]
    pub(super) fn invalidate(&self) -> Option<Registration<K, P>> {
        self.registration.close()
    }

    /// The region that a window is bound to.
    pub(super) fn parent(&self) -> Option<Id> {
        let registration = self.registration.pin(Shard::Initiator)?;
        registration.parent.as_ref().map(|parent| Id::of(&parent.region))
    }

    /// Keeps the registration with this key for a transfer: a near one of its side's own queue pairs, a far one
    /// of their peers.
    pub(super) fn pin(&self, key: Key, by: Shard) -> Option<Pin<'_, Registration<K, P>>> {
        self.registration.pin(by).filter(|registration| registration.key == key)
    }
}
