//! Logical address mappings: by which addresses the adapter knows a consumer's pages.
//!
//! A software provider chooses its own logical addresses. They are the addresses of the mapping's own, so that
//! neither the privileged token nor a fast registration needs a translation. An RNIC knows its mappings by their
//! addresses: a fast registration keeps those whose pages it covers, also when they are released before it ends.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use alloc::vec::Vec;
use core::ops::Range;
use core::ptr::NonNull;

use sys::wdm::{MDL, PAGE_SIZE};

use super::{RegisterError, chain};
use crate::heap::{NoMemory, Shared, Within as _};
use crate::kernel::{Kernel, Lock, Mapping as _};

/// Offset of an address in its page.
pub(crate) fn within_page(address: usize) -> usize {
    address & PAGE_SIZE.wrapping_sub(1)
}

/// The offset of a chain's memory in its first page, and the number of pages that its first `length` bytes touch.
///
/// # Safety
///
/// `mdl` points to a list that stays as it is during the call.
pub(crate) unsafe fn extent(mdl: NonNull<MDL>, length: usize) -> (usize, usize) {
    // SAFETY: as the caller promises.
    let offset = within_page(unsafe { chain::base(mdl) });
    (offset, offset.saturating_add(length).div_ceil(PAGE_SIZE))
}

/// A mapping by NdkBuildLAM.
pub(crate) struct Mapped<K: Kernel> {
    memory: Shared<K::Mapping>,
    /// Whole pages.
    addresses: Range<usize>,
}

impl<K: Kernel> Mapped<K> {
    /// The addresses of the pages, in order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = usize> + use<K> {
        self.addresses.clone().step_by(PAGE_SIZE)
    }
}

/// Mappings that need no further room.
const ROOM: usize = 64;

/// The addresses of a mapping's pages, and its memory.
type Entry<K> = (Range<usize>, Shared<<K as Kernel>::Mapping>);

/// The mappings of an RNIC that were not released yet.
pub(crate) struct Mappings<K: Kernel> {
    /// By their first address. Those over nonpaged pool may overlap; they need not be found.
    all: Lock<K, Vec<Entry<K>>>,
}

impl<K: Kernel> Mappings<K> {
    /// No mapping yet.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new() -> Result<Self, NoMemory> {
        let mut all = Vec::new();
        all.try_reserve_exact(ROOM).map_err(|_| NoMemory)?;
        Ok(Self { all: Lock::<K, _>::new(all) })
    }

    /// Maps the first `length` bytes of a chain.
    ///
    /// # Errors
    ///
    /// As [`chain::map`]; nothing is left then.
    ///
    /// # Safety
    ///
    /// As for [`chain::map`]; the pages stay locked until the mapping is released.
    pub(crate) unsafe fn build(&self, mdl: NonNull<MDL>, length: usize) -> Result<Mapped<K>, RegisterError> {
        // SAFETY: as the caller promises.
        let memory = Shared::new(unsafe { chain::map::<K>(mdl, length) }?)?;
        let start = memory.start().addr().get();
        let first = start.wrapping_sub(within_page(start));
        let addresses = first..start.saturating_add(length).next_multiple_of(PAGE_SIZE);
        let mut entry = (addresses.clone(), memory.clone());
        // Room is made outside the lock: the list may grow meanwhile.
        loop {
            let wanted = {
                let all = self.all.lock();
                if all.len() < all.capacity() { 0 } else { all.len().saturating_mul(2) }
            };
            let mut larger = Vec::new();
            larger.try_reserve_exact(wanted).map_err(|_| NoMemory)?;
            match self.insert(entry, larger) {
                Ok(()) => return Ok(Mapped { memory, addresses }),
                Err(back) => entry = back,
            }
        }
    }

    /// Inserts an entry. Where the list is full, it moves to `larger`; the entry comes back if that is too small.
    fn insert(&self, entry: Entry<K>, mut larger: Vec<Entry<K>>) -> Result<(), Entry<K>> {
        // Dropped outside the lock, as is what is left of `larger`.
        let mut spent = Vec::new().into_iter();
        let mut all = self.all.lock();
        if all.len() == all.capacity() {
            if larger.capacity() <= all.len() {
                return Err(entry);
            }
            spent = core::mem::replace(&mut *all, core::mem::take(&mut larger)).into_iter();
            for moved in spent.by_ref() {
                all.push_within(moved)?;
            }
        }
        let at = all.partition_point(|(addresses, _)| addresses.start <= entry.0.start);
        all.push_within(entry)?;
        if let Some((last, before)) = all.get_mut(at..).and_then(<[_]>::split_last_mut) {
            before.iter_mut().for_each(|slot| core::mem::swap(slot, last));
        }
        drop(all);
        drop(spent);
        Ok(())
    }

    /// Releases a mapping. The memory stays mapped for as long as a registration holds it.
    pub(crate) fn release(&self, mapped: &Mapped<K>) {
        let removed = {
            let mut all = self.all.lock();
            let first = all.partition_point(|(addresses, _)| addresses.start < mapped.addresses.start);
            let at = all.iter().skip(first).position(|(_, memory)| core::ptr::eq(&**memory, &*mapped.memory));
            let from = at.and_then(|at| all.get_mut(first.saturating_add(at)..));
            match from.and_then(<[_]>::split_first_mut) {
                Some((removed, behind)) => {
                    behind.iter_mut().rev().for_each(|slot| core::mem::swap(slot, removed));
                    all.pop()
                }
                None => None,
            }
        };
        // Outside the lock, as it may be the last to hold the memory.
        drop(removed);
    }

    /// The mapping that has the page at `page`, and the addresses of all of its pages.
    pub(super) fn at(&self, page: usize) -> Option<Entry<K>> {
        let all = self.all.lock();
        let after = all.partition_point(|(addresses, _)| addresses.start <= page);
        all.get(after.checked_sub(1)?).filter(|(addresses, _)| addresses.contains(&page)).cloned()
    }
}
