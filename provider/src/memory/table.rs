//! The token table of an open adapter: from a token to what it admits.
//!
//! Looking up takes no lock: slots stay where they are while the adapter is open, in chunks that are
//! allocated as regions are created.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::AtomicPtr;

use super::owner::RegionOrWindow;
use super::slot::{Generation, Registration, Slot};
use super::{AccessError, Domain, ProtectionDomain, Rights, Token};
use crate::heap::{NoMemory, Slice};
use crate::kernel::{Kernel, Lock};
use crate::number::usize_from;
use crate::rundown::{Pin, Shard};
use crate::sync::Ordering;

const CHUNK: u32 = 256;
const CHUNKS: u32 = 1024;
/// Ends the list of free slots. Slot 0 is never given out: its index marks the privileged token.
const NONE: u32 = 0;

type Chunk<K, P> = [Slot<K, P>; usize_from(CHUNK)];

/// A queue of free slots: the one that was freed first is given out first, so that a slot, and with it a range
/// of tokens, comes back as late as it can.
struct Free {
    first: u32,
    /// Of no meaning while there is no first.
    last: u32,
    chunks: u32,
}

/// See the module's head.
pub(crate) struct Table<K: Kernel, P: ProtectionDomain<K>> {
    pub(super) chunks: Slice<AtomicPtr<Chunk<K, P>>>,
    free: Lock<K, Free>,
}

impl<K: Kernel, P: ProtectionDomain<K>> Table<K, P> {
    /// Slots in a chunk, for a debugger.
    pub(super) const SLOTS_IN_CHUNK: usize = usize_from(CHUNK);

    /// An empty table.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new() -> Result<Self, NoMemory> {
        let chunks = Slice::new(usize_from(CHUNKS), |_| AtomicPtr::new(core::ptr::null_mut()))?;
        Ok(Self { chunks, free: Lock::<K, _>::new(Free { first: NONE, last: NONE, chunks: 0 }) })
    }

    /// A slot for a new region, or `None` at the limit of regions.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn allocate(&self) -> Result<Option<u32>, NoMemory> {
        loop {
            let full = {
                let mut free = self.free.lock();
                if free.first != NONE {
                    let index = free.first;
                    let next = self.slot(index).map_or(NONE, |slot| slot.next_free.load(Ordering::Relaxed));
                    free.first = next;
                    return Ok(Some(index));
                }
                free.chunks
            };
            if full == CHUNKS {
                return Ok(None);
            }
            self.grow(full)?;
        }
    }

    /// Adds chunk number `expected`, unless another thread was faster.
    fn grow(&self, expected: u32) -> Result<(), NoMemory> {
        let base = expected.saturating_mul(CHUNK);
        // Made slot by slot in its place: a chunk is larger than a kernel stack should ever hold.
        let slots = Slice::new(usize_from(CHUNK), |_| Slot::<K, P>::new())?;
        let chunk: NonNull<Chunk<K, P>> = slots.leak().cast();
        // SAFETY: placed just now, and not published yet.
        for (slot, index) in unsafe { chunk.as_ref() }.iter().zip(base..) {
            let last = index.wrapping_add(1) == base.saturating_add(CHUNK);
            let next = if last { NONE } else { index.wrapping_add(1) };
            slot.next_free.store(next, Ordering::Relaxed);
        }
        {
            let mut free = self.free.lock();
            if free.chunks == expected
                && free.first == NONE
                && let Some(place) = self.chunks.get(usize_from(expected))
            {
                place.store(chunk.as_ptr(), core::sync::atomic::Ordering::Release);
                free.chunks = expected.wrapping_add(1);
                free.first = base.max(1);
                free.last = base.saturating_add(CHUNK).wrapping_sub(1);
                return Ok(());
            }
        }
        // SAFETY: it was not published, so it is ours alone.
        unsafe { release(chunk) };
        Ok(())
    }

    /// Takes a slot back. Its registration has drained; its next owner's tokens are new ones.
    pub(crate) fn give_back(&self, index: u32) {
        let Some(slot) = self.slot(index) else { return };
        slot.advance();
        slot.next_free.store(NONE, Ordering::Relaxed);
        let mut free = self.free.lock();
        if free.first == NONE {
            free.first = index;
        } else if let Some(last) = self.slot(free.last) {
            last.next_free.store(index, Ordering::Relaxed);
        }
        free.last = index;
    }

    /// The slot with this index, which may come from a peer.
    pub(super) fn slot(&self, index: u32) -> Option<&Slot<K, P>> {
        let chunk = self.chunks.get(usize_from(index / CHUNK))?.load(core::sync::atomic::Ordering::Acquire);
        // SAFETY: null, or a chunk that was published whole and stays as long as the table.
        let chunk = unsafe { chunk.as_ref() }?;
        chunk.get(usize_from(index % CHUNK))
    }

    /// Decides whether an access may happen: token, protection domain, rights, bounds, in this order; for a
    /// window, of its region too. What it admits stays registered until the result is dropped. In constant
    /// time and space, whatever `token`, `address` and `length` a peer sends.
    ///
    /// # Errors
    ///
    /// An [`AccessError`] that says which check failed.
    pub(crate) fn admit(
        &self,
        token: Token,
        domain: Domain,
        (needed, by): (Rights, Shard),
        address: usize,
        length: usize,
    ) -> Result<Admitted<'_, K, P>, AccessError> {
        let named = self.named(token, domain, by)?;
        named.covers(needed, address, length)?;
        let Some((parent, generation)) =
            named.parent.as_ref().map(|parent| (parent.token, parent.generation))
        else {
            return Ok(Admitted { memory: named, window: None });
        };
        let memory = self.named(parent, domain, by)?;
        if memory.generation != generation {
            return Err(AccessError::Token);
        }
        memory.covers(needed.behind_window(), address, length)?;
        Ok(Admitted { memory, window: Some(named) })
    }

    /// As [`Table::admit`], with the same checks in the same order, for an access to a single run of system memory: also
    /// returns its first byte. `None` if it is refused, by a window, or in several segments.
    #[inline(always)]
    pub(super) fn admit_run(
        &self,
        token: Token,
        domain: Domain,
        (needed, by): (Rights, Shard),
        address: usize,
        length: usize,
    ) -> Option<(Pin<'_, Registration<K, P>>, *mut u8)> {
        let named = self.named(token, domain, by).ok()?;
        named.covers(needed, address, length).ok()?;
        let ([segment], None) = (named.memory.segments.as_slice(), &named.parent) else { return None };
        let within = address.checked_sub(named.base)?.checked_sub(segment.offset)?;
        let (start, fits) =
            (segment.system.wrapping_add(within), within.checked_add(length)? <= segment.length);
        fits.then_some((named, start))
    }

    /// Looks up the registration that a work request invalidates by its token: returns its region or window,
    /// and its generation. An invalidation by the peer requires a remote right.
    ///
    /// # Errors
    ///
    /// [`AccessError::Token`], [`AccessError::Domain`] or [`AccessError::Rights`].
    pub(crate) fn invalidatable(
        &self,
        token: Token,
        domain: Domain,
        by_peer: bool,
    ) -> Result<(RegionOrWindow<K, P>, Generation), AccessError> {
        let named = self.named(token, domain, Shard::Initiator)?;
        if !named.owner.can_be_invalidated() || (by_peer && !named.rights.is_remote()) {
            return Err(AccessError::Rights);
        }
        let owner = named.owner.acquire().map_err(|_| AccessError::Token)?;
        Ok((owner, named.generation))
    }

    fn named(
        &self,
        token: Token,
        domain: Domain,
        by: Shard,
    ) -> Result<Pin<'_, Registration<K, P>>, AccessError> {
        let slot = self.slot(token.index()).ok_or(AccessError::Token)?;
        let registration = slot.pin(token.key(), by).ok_or(AccessError::Token)?;
        if registration.domain == domain { Ok(registration) } else { Err(AccessError::Domain) }
    }
}

/// An access that was admitted; the memory stays registered until this is dropped.
pub(crate) struct Admitted<'t, K: Kernel, P: ProtectionDomain<K>> {
    memory: Pin<'t, Registration<K, P>>,
    /// The window through which it was.
    #[expect(dead_code, reason = "it is kept for its pin alone")]
    window: Option<Pin<'t, Registration<K, P>>>,
}

impl<K: Kernel, P: ProtectionDomain<K>> Deref for Admitted<'_, K, P> {
    type Target = Registration<K, P>;

    /// The registration of the memory: a window's is that of its region.
    fn deref(&self) -> &Registration<K, P> {
        &self.memory
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Registration<K, P> {
    fn covers(&self, needed: Rights, address: usize, length: usize) -> Result<(), AccessError> {
        if !self.rights.contains(needed) {
            return Err(AccessError::Rights);
        }
        let offset = address.checked_sub(self.base).ok_or(AccessError::Bounds)?;
        let end = offset.checked_add(length).ok_or(AccessError::Bounds)?;
        if end > self.length { Err(AccessError::Bounds) } else { Ok(()) }
    }
}

/// # Safety
///
/// `chunk` was made by [`Table::grow`] and is the caller's alone.
unsafe fn release<K: Kernel, P: ProtectionDomain<K>>(chunk: NonNull<Chunk<K, P>>) {
    let slots = NonNull::slice_from_raw_parts(chunk.cast::<Slot<K, P>>(), usize_from(CHUNK));
    // SAFETY: that many slots were leaked to make the chunk; the rest is as the caller promises.
    drop(unsafe { Slice::reclaim(slots) });
}

impl<K: Kernel, P: ProtectionDomain<K>> Drop for Table<K, P> {
    fn drop(&mut self) {
        for chunk in self.chunks.iter() {
            if let Some(chunk) = NonNull::new(chunk.load(core::sync::atomic::Ordering::Acquire)) {
                // SAFETY: published chunks came from `grow`; the table has no user left.
                unsafe { release(chunk) };
            }
        }
    }
}
