//! Scatter/gather lists, on their way from the consumer to the engine.
//!
//! Most have one entry, and none has more than [`MAX_SGE`]. Requests are moved about without their lists: those
//! lie in rows beside the queue, and only as many entries are copied as there are.

use alloc::vec::Vec;
// Not those that the model checker watches: nothing is decided by them.
use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;

use crate::heap::{self, NoMemory};
use crate::memory::{MAX_SGE, Sge};
use crate::number::{u64_from, usize_from};

/// A scatter/gather list in use by the engine.
pub(crate) type Sgl = ArrayVec<Sge, MAX_SGE>;

/// Puts `entries`, as many as there is room for, in the place of what is in `list`.
pub(super) fn refill(list: &mut Sgl, entries: impl Iterator<Item = Sge>) {
    list.clear();
    for entry in entries {
        if list.try_push(entry).is_err() {
            break;
        }
    }
}

/// Bytes in all entries.
pub(super) fn length(entries: impl Iterator<Item = Sge>) -> usize {
    entries.fold(0, |sum, sge| sum.saturating_add(usize_from(sge.length)))
}

/// An entry in a row: its address, and its length and token.
type Cells = [AtomicU64; 2];

/// Table of scatter/gather lists, with one row for the request in each slot of a ring. The ring's sequence
/// numbers serialise access to a row; the cells are relaxed atomics, so a violation could read a wrong list
/// but is no data race.
pub(super) struct SglTable {
    cells: Vec<Cells>,
    /// One less than the number of rows, which is a power of two.
    mask: u64,
    width: usize,
}

impl SglTable {
    /// As many rows, a power of two, of `width` entries each.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn new(rows: usize, width: usize) -> Result<Self, NoMemory> {
        let width = width.clamp(1, MAX_SGE);
        let count = rows.checked_mul(width).ok_or(NoMemory)?;
        let cells = heap::vector(count, |_| [AtomicU64::new(0), AtomicU64::new(0)])?;
        Ok(Self { cells, mask: u64_from(rows).wrapping_sub(1), width })
    }

    fn row(&self, position: u64) -> &[Cells] {
        let row = usize::try_from(position & self.mask).unwrap_or(0);
        let start = row.saturating_mul(self.width);
        self.cells.get(start..start.saturating_add(self.width)).unwrap_or_default()
    }

    /// Writes the list of the request at `position`, as many entries as fit; says how many those are.
    pub(super) fn write(&self, position: u64, list: impl Iterator<Item = Sge>) -> usize {
        let mut count = 0_usize;
        for (place, entry) in self.row(position).iter().zip(list) {
            let [address, rest] = place;
            address.store(u64_from(entry.address), Ordering::Relaxed);
            rest.store((u64::from(entry.length) << 32) | u64::from(entry.token), Ordering::Relaxed);
            count = count.saturating_add(1);
        }
        count
    }

    /// Reads back what was written for `position`.
    pub(super) fn read(&self, position: u64, count: usize, list: &mut Sgl) {
        let entries = self.row(position).iter().take(count).map(|[address, rest]| {
            let rest = rest.load(Ordering::Relaxed);
            let address = usize::try_from(address.load(Ordering::Relaxed)).unwrap_or(0);
            let [length, token] =
                [rest >> 32, rest & 0xFFFF_FFFF].map(|half| u32::try_from(half).unwrap_or(0));
            Sge { address, length, token }
        });
        refill(list, entries);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn list_that_is_longer_than_the_row_is_cut() {
        let (rows, mut list) = (SglTable::new(2, 2).unwrap(), Sgl::new());
        let sge = |token| Sge { address: usize::MAX, length: u32::MAX, token };
        assert_eq!(rows.write(3, (1..5).map(sge)), 2);
        rows.read(3, 2, &mut list);
        assert_eq!(list[..], [sge(1), sge(2)]);
        assert_eq!(rows.write(2, [].into_iter()), 0);
    }
}
