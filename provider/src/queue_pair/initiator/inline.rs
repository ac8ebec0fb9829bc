//! Inline data (WR-5): what a send carries is copied when it is posted, so the consumer may reuse its
//! buffers at once, and they need not be registered.

#![expect(unsafe_code, reason = "inline data is copied from the memory of the consumer")]

use core::cell::UnsafeCell;
use core::num::NonZero;

use crate::heap::{self, NoMemory};
use crate::memory::{Sge, Token};
use crate::number::usize_from;

/// Room for the inline data of every request that a queue can hold. A request at position `p` of the queue
/// has the place `p % depth`: the request that had it before is over when this one is accepted, as
/// requests complete in their order.
pub(super) struct InlineData {
    bytes: alloc::vec::Vec<UnsafeCell<u8>>,
    depth: NonZero<u64>,
    size: usize,
}

// SAFETY: the bytes are reached by raw copies only: by the one post that owns the place (WR-1), and then by
// the one thread that does the request.
unsafe impl Sync for InlineData {}

impl InlineData {
    /// Room for `depth` requests of at most `size` bytes each.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn new(depth: u32, size: usize) -> Result<Self, NoMemory> {
        let length = usize_from(depth).checked_mul(size).ok_or(NoMemory)?;
        let depth = NonZero::new(u64::from(depth)).unwrap_or(NonZero::<u64>::MIN);
        let bytes = heap::vector(length, |_| UnsafeCell::new(0))?;
        Ok(Self { bytes, depth, size })
    }

    /// The most bytes of one request.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Copies what `entries` name, up to the size, to the place of the request at `position`, and names
    /// the copy.
    ///
    /// # Safety
    ///
    /// The entries name memory that can be read.
    pub(super) unsafe fn fill(&self, position: u64, entries: impl Iterator<Item = Sge>) -> Sge {
        let place = usize::try_from(position % self.depth).unwrap_or(0).saturating_mul(self.size);
        let room = self.bytes.get(place..place.saturating_add(self.size)).unwrap_or_default();
        let start = room.as_ptr().cast_mut().cast::<u8>();
        let mut length = 0_usize;
        for entry in entries {
            let bytes = usize_from(entry.length).min(room.len().saturating_sub(length));
            let from = core::ptr::with_exposed_provenance::<u8>(entry.address);
            // SAFETY: the caller's memory can be read, and the room has so many bytes left.
            unsafe { core::ptr::copy(from, start.wrapping_add(length), bytes) };
            length = length.saturating_add(bytes);
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        // The copy is system memory of our own, which needs no registration.
        Sge { address: start.expose_provenance(), length, token: Token::PRIVILEGED.0 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::number::u32_from;

    fn entry(bytes: &[u8]) -> Sge {
        Sge { address: bytes.as_ptr().expose_provenance(), length: u32_from(bytes.len()), token: 0 }
    }

    fn read(copy: Sge) -> Vec<u8> {
        let start = core::ptr::with_exposed_provenance::<u8>(copy.address);
        // SAFETY: `fill` named so many bytes, which stay.
        (0..usize_from(copy.length)).map(|index| unsafe { start.add(index).read() }).collect()
    }

    #[test]
    fn requests_that_are_outstanding_together_have_places_of_their_own() {
        let inline = InlineData::new(3, 4).unwrap();
        let data = [*b"abcd", *b"efgh", *b"ijkl"];
        // SAFETY: the entries name live arrays.
        let copies: Vec<_> = (7..)
            .zip(&data)
            .map(|(at, data)| unsafe { inline.fill(at, [entry(data)].into_iter()) })
            .collect();
        assert_eq!(copies.into_iter().map(read).collect::<Vec<_>>(), data);
    }

    #[test]
    fn entries_are_gathered_and_cut_at_the_size() {
        let inline = InlineData::new(1, 4).unwrap();
        // SAFETY: the entries name live arrays.
        let copy = unsafe { inline.fill(0, [entry(b"ab"), entry(b""), entry(b"cdef")].into_iter()) };
        assert_eq!(read(copy), b"abcd");
    }
}
