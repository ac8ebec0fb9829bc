//! Fast-register memory regions (FRMR): a region over a list of logical pages, by a work request.
//!
//! NdkInitializeFastRegisterMr allocates for a number of pages ([`Object::initialize_fast_register`]); a posted NdkFastRegister takes
//! from that and makes the registration ([`Object::fast_register`]), which is valid when the work request executes.
//! The remote token (STag) of a fast-register region stays the same over all its registrations: its key belongs to
//! the region, see [`registration_state`](super::registration_state).

use alloc::vec::Vec;

use sys::wdm::PAGE_SIZE;

use super::mapping::{Mappings, within_page};
use super::owner::{PendingRegistration, RegionOrWindow};
use super::slot::{Generation, Memory, Registration, Segment};
use super::{Key, Mr, ProtectionDomain, RegisterError, Rights};
use crate::heap::{self, Within as _};
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::object::Object;

/// The most pages of one fast registration: a mebibyte wherever in its page it begins. The interface asks for 16
/// at least (WR-8).
pub(crate) const MAX_PAGES: usize = 257;

/// SGLs of a fast-register region: one for the registration that is valid, one for the next that is posted.
const LISTS: usize = 2;

/// Resources that NdkInitializeFastRegisterMr allocated, so that a post need not allocate.
pub(super) struct Prepared<K: Kernel> {
    pages: usize,
    remote: bool,
    /// Empty ones, with room for a segment per page.
    lists: Vec<Memory<K>>,
}

impl<K: Kernel> Default for Prepared<K> {
    fn default() -> Self {
        Self { pages: 0, remote: false, lists: Vec::new() }
    }
}

/// Parameters of one fast registration (NDK_FN_FAST_REGISTER).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Offset of the memory in the first page.
    pub(crate) offset: usize,
    /// In bytes.
    pub(crate) length: usize,
    /// The virtual address by which the memory is to be known.
    pub(crate) base: usize,
}

impl Layout {
    /// The base is congruent to the offset, so there is no zero-based region, but for one that begins with
    /// its page, where zero is an address like any other (WR-8).
    fn is_valid(self, pages: usize) -> bool {
        let room = pages.saturating_mul(PAGE_SIZE).saturating_sub(self.offset);
        self.offset < PAGE_SIZE
            && (1..=room).contains(&self.length)
            && within_page(self.base) == self.offset
            && self.base.checked_add(self.length).is_some()
    }

    /// Fills an empty list with the memory on `pages`, and holds the mappings in which they lie; neighbours become
    /// one segment.
    fn fill<K: Kernel>(
        self,
        memory: &mut Memory<K>,
        mappings: &Mappings<K>,
        pages: impl Iterator<Item = usize>,
    ) -> Result<(), RegisterError> {
        let (mut skip, mut offset, mut held) = (self.offset, 0_usize, 0..0);
        for page in pages {
            let left = self.length.saturating_sub(offset);
            if left == 0 {
                break;
            }
            if page == 0 || within_page(page) != 0 {
                return Err(RegisterError::Memory);
            }
            if !held.contains(&page)
                && let Some((addresses, mapping)) = mappings.at(page)
            {
                held = addresses;
                memory.held.push_within(mapping).map_err(|_| RegisterError::Memory)?;
            }
            let length = PAGE_SIZE.saturating_sub(skip).min(left);
            let system = core::ptr::with_exposed_provenance_mut::<u8>(page.wrapping_add(skip));
            match memory.segments.last_mut() {
                Some(last) if last.system.wrapping_add(last.length) == system => {
                    last.length = last.length.saturating_add(length);
                }
                Some(_) | None => {
                    let segment = Segment { offset, length, system };
                    memory.segments.push_within(segment).map_err(|_| RegisterError::Memory)?;
                }
            }
            (skip, offset) = (0, offset.saturating_add(length));
        }
        if offset == self.length { Ok(()) } else { Err(RegisterError::Memory) }
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Object<K, Mr<K, P>> {
    /// NdkInitializeFastRegisterMr: prepares a fast-register region for registrations of up to `pages` pages.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Limit`] over [`MAX_PAGES`]; [`RegisterError::State`] if the region is not for fast
    /// registration, or one is posted or valid; [`RegisterError::Memory`] for no pages;
    /// [`RegisterError::Resources`].
    pub(crate) fn initialize_fast_register(&self, pages: usize, remote: bool) -> Result<(), RegisterError> {
        let prepared = self.prepared().ok_or(RegisterError::State)?;
        if pages > MAX_PAGES {
            return Err(RegisterError::Limit);
        }
        if pages == 0 {
            return Err(RegisterError::Memory);
        }
        let mut lists = heap::vector(LISTS, |_| Memory::new())?;
        for list in &mut lists {
            *list = Memory::with_room(pages)?;
        }
        let mut fresh = Prepared { pages, remote, lists };
        {
            let mut prepared = prepared.lock();
            if prepared.pages == 0 || prepared.lists.len() == LISTS {
                core::mem::swap(&mut *prepared, &mut fresh);
                return Ok(());
            }
        }
        Err(RegisterError::State)
    }

    /// Makes the registration that an NdkFastRegister posts.
    ///
    /// # Errors
    ///
    /// [`RegisterError::State`] if the region is not prepared or is being closed;
    /// [`RegisterError::Rights`] for remote access without preparation for it; [`RegisterError::Memory`]
    /// if the pages or the layout are not as documented; [`RegisterError::Resources`] if one registration
    /// is valid and another posted already.
    pub(crate) fn fast_register(
        &self,
        layout: Layout,
        rights: Rights,
        pages: impl ExactSizeIterator<Item = usize>,
    ) -> Result<PendingRegistration<K, P>, RegisterError> {
        let prepared = self.prepared().ok_or(RegisterError::State)?;
        let mut memory = {
            let mut prepared = prepared.lock();
            if prepared.pages == 0 {
                return Err(RegisterError::State);
            }
            if rights.is_remote() && !prepared.remote {
                return Err(RegisterError::Rights);
            }
            if pages.len() > prepared.pages || !layout.is_valid(pages.len()) {
                return Err(RegisterError::Memory);
            }
            prepared.lists.pop().ok_or(RegisterError::Resources)?
        };
        let owners = || {
            let owner = self.try_acquire(Kind::Request)?;
            Ok((RegionOrWindow::Region(owner.acquire(Kind::Request)?), RegionOrWindow::Region(owner)))
        };
        let mappings = self.registration_state().pd().mappings();
        let filled = layout.fill(&mut memory, mappings, pages);
        let owners =
            filled.and_then(|()| owners().map_err(|_: crate::lifetime::AcquireError| RegisterError::State));
        match owners {
            Ok((owner, own)) => {
                let registration = Registration {
                    key: Key::FIRST,
                    generation: Generation::NONE,
                    domain: self.registration_state().domain(),
                    base: layout.base,
                    length: layout.length,
                    rights,
                    memory,
                    parent: None,
                    owner: own,
                };
                Ok(PendingRegistration::new(owner, registration))
            }
            Err(error) => {
                self.recycle(memory);
                Err(error)
            }
        }
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Mr<K, P> {
    /// Takes back what a registration was made of.
    pub(super) fn recycle(&self, mut memory: Memory<K>) {
        memory.clear();
        let Some(prepared) = self.prepared() else { return };
        let mut prepared = prepared.lock();
        let returned = prepared.lists.push_within(memory);
        debug_assert!(returned.is_ok(), "it is one of the lists that were taken out");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_kernel::Manual;

    fn layout(offset: usize, length: usize, base: usize) -> Layout {
        Layout { offset, length, base }
    }

    #[test]
    fn base_is_congruent_to_the_offset() {
        assert!(layout(0, 1, 0).is_valid(1));
        assert!(layout(8, 4088, 0x7008).is_valid(1));
        for wrong in [layout(8, 1, 0), layout(8, 4089, 0x7008), layout(0, 0, 0), layout(4096, 1, 4096)] {
            assert!(!wrong.is_valid(1), "{wrong:?}");
        }
        assert!(!layout(0, 8192, usize::MAX - 4095).is_valid(2), "the end is an address");
    }

    #[test]
    fn page_that_is_not_aligned_or_missing_is_refused() {
        let fill = |pages: &[usize]| {
            let mut list = Memory::<Manual>::with_room(4).unwrap();
            let filled = layout(0, 8192, 0).fill(&mut list, &Mappings::new().unwrap(), pages.iter().copied());
            filled.map(|()| list.segments.len())
        };
        assert_eq!(fill(&[0x1000, 0x2000]), Ok(1));
        assert_eq!(fill(&[0x1000, 0x4000, 0x9]), Ok(2));
        assert_eq!(fill(&[0x1000]), Err(RegisterError::Memory));
        assert_eq!(fill(&[0x1000, 0x2001]), Err(RegisterError::Memory));
        assert_eq!(fill(&[0, 0x1000]), Err(RegisterError::Memory));
    }

    proptest! {
        #[test]
        fn every_byte_is_where_its_page_says(
            pages in prop::collection::vec(1_usize..8, 1..6),
            offset in 0_usize..4096,
            cut in 0_usize..4096,
        ) {
            let length = (pages.len() * PAGE_SIZE - offset).saturating_sub(cut).max(1);
            let mut list = Memory::<Manual>::with_room(pages.len()).unwrap();
            let addresses = pages.iter().map(|page| page * PAGE_SIZE);
            layout(offset, length, offset).fill(&mut list, &Mappings::new().unwrap(), addresses).unwrap();
            let mut next = 0;
            for segment in &list.segments {
                prop_assert_eq!(segment.offset, next);
                for at in (0..segment.length).step_by(97).chain([segment.length - 1]) {
                    let position = offset + segment.offset + at;
                    let expected = pages[position / PAGE_SIZE] * PAGE_SIZE + position % PAGE_SIZE;
                    prop_assert_eq!(segment.system.addr() + at, expected);
                }
                next += segment.length;
            }
            prop_assert_eq!(next, length);
        }
    }
}
