//! The bytes of the peer: in one piece where the engine asks for that, else where the network has them.
//!
//! A header that lies across indications is kept in a stash, byte by byte as many as the engine asks for, and so is an
//! FPDU that is to be summed before anything of it is placed (RX-2, RX-3). All other bytes stay where they are.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use iwarp::crc::Digest;

use crate::heap::{self, NoMemory};
use crate::kernel::network::Runs;

/// Bytes of the longest FPDU: length, ULPDU, padding, sum.
const LONGEST: usize = 2 + 0xFFFF + 3 + SUM;

/// Bytes of the sum of an FPDU.
const SUM: usize = 4;

/// A stash with its room.
///
/// # Errors
///
/// [`NoMemory`].
pub(super) fn stash() -> Result<Vec<u8>, NoMemory> {
    heap::vector(LONGEST, |_| 0)
}

/// The part of the bytes that outlives an indication.
pub(super) struct Stash {
    room: Vec<u8>,
    /// Bytes of it that are in use.
    filled: usize,
    /// Those that were consumed.
    read: usize,
}

/// The bytes of one indication, behind those of the stash.
pub(super) struct Input<'i, 'r> {
    pub(super) stash: &'i mut Stash,
    pub(super) runs: &'r dyn Runs,
    /// Bytes of the indication that were taken.
    pub(super) taken: &'i mut usize,
}

impl Stash {
    /// An empty one, of this room.
    pub(super) const fn of(room: Vec<u8>) -> Self {
        Self { room, filled: 0, read: 0 }
    }

    fn rest(&self) -> &[u8] {
        self.room.get(self.read..self.filled).unwrap_or_default()
    }

    /// Puts bytes behind those before. Returns false if there is no room.
    fn put(&mut self, bytes: &[u8]) -> bool {
        // Cut to the length of `bytes`, so that the compiler sees that the copy cannot fail.
        let room = self.room.get_mut(self.filled..).and_then(|room| room.get_mut(..bytes.len()));
        let Some(room) = room else { return false };
        room.copy_from_slice(bytes);
        self.filled = self.filled.saturating_add(bytes.len());
        true
    }
}

impl Input<'_, '_> {
    /// The bytes that come next, as many as lie in one piece.
    pub(super) fn piece(&self) -> &[u8] {
        let rest = self.stash.rest();
        if rest.is_empty() { self.runs.at(*self.taken) } else { rest }
    }

    /// These bytes, of the piece, are consumed.
    pub(super) fn consume(&mut self, bytes: usize) {
        if self.stash.rest().is_empty() {
            *self.taken = self.taken.saturating_add(bytes);
            return;
        }
        self.stash.read = self.stash.read.saturating_add(bytes);
        if self.stash.rest().is_empty() {
            (self.stash.filled, self.stash.read) = (0, 0);
        }
    }

    /// Brings so many bytes into one piece. Returns false if they are not there yet; what is there is kept.
    pub(super) fn join(&mut self, bytes: usize) -> bool {
        if self.piece().len() >= bytes {
            return true;
        }
        while self.stash.rest().len() < bytes {
            let missing = bytes.saturating_sub(self.stash.rest().len());
            let piece = self.runs.at(*self.taken);
            let part = piece.get(..missing).unwrap_or(piece);
            // There is room for the longest FPDU, and nothing longer is asked for.
            if part.is_empty() || !self.stash.put(part) {
                return false;
            }
            *self.taken = self.taken.saturating_add(part.len());
        }
        true
    }

    /// Sums the first `length` bytes, and reads the sum that stands behind them. `None` if they are not all there yet;
    /// what is there is kept.
    pub(super) fn sum(&mut self, length: usize) -> Option<(u32, [u8; SUM])> {
        let whole = length.saturating_add(SUM);
        let left = self.runs.length().saturating_sub(*self.taken);
        if !self.stash.rest().is_empty() || left < whole {
            if !self.join(whole) {
                return None;
            }
            let (summed, field) = self.piece().get(..whole)?.split_last_chunk()?;
            let mut digest = Digest::new();
            digest.update(summed);
            return Some((digest.value(), *field));
        }
        let (mut digest, mut field) = (Digest::new(), [0; SUM]);
        let mut done = 0_usize;
        while done < whole {
            let piece = self.runs.at(self.taken.saturating_add(done));
            if piece.is_empty() {
                return None;
            }
            let summed = length.saturating_sub(done).min(piece.len());
            let (bytes, behind) = piece.split_at_checked(summed)?;
            digest.update(bytes);
            let first = done.saturating_add(summed).saturating_sub(length);
            for (place, byte) in field.iter_mut().skip(first).zip(behind) {
                *place = *byte;
            }
            done = done.saturating_add(piece.len());
        }
        Some((digest.value(), field))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Pieces(Vec<Vec<u8>>);

    impl Runs for Pieces {
        fn length(&self) -> usize {
            self.0.iter().map(Vec::len).sum()
        }

        fn at(&self, mut offset: usize) -> &[u8] {
            for piece in &self.0 {
                if offset < piece.len() {
                    return &piece[offset..];
                }
                offset -= piece.len();
            }
            &[]
        }
    }

    #[test]
    fn sum_over_any_cuts_is_that_of_the_whole() {
        let bytes: Vec<u8> = (0..40).collect();
        let mut digest = Digest::new();
        digest.update(&bytes[..36]);
        let expected = (digest.value(), [36, 37, 38, 39]);
        for first in 0..=40 {
            for second in first..=40 {
                let cut = [&bytes[..first], &bytes[first..second], &bytes[second..]].map(<[u8]>::to_vec);
                let (mut stash, mut taken) = (Stash::of(stash().unwrap()), 0);
                let runs = Pieces(cut.into());
                let mut input = Input { stash: &mut stash, runs: &runs, taken: &mut taken };
                assert_eq!(input.sum(36), Some(expected), "{first} {second}");
                assert_eq!(taken, 0, "nothing is copied that is whole");
            }
        }
    }

    #[test]
    fn bytes_that_come_one_by_one_are_kept_until_they_are_enough() {
        let (mut stash, mut all) = (Stash::of(stash().unwrap()), Vec::new());
        for byte in 0..9_u8 {
            let (runs, mut taken) = (Pieces(vec![vec![byte]]), 0);
            let mut input = Input { stash: &mut stash, runs: &runs, taken: &mut taken };
            if input.join(3) {
                all.push(input.piece().to_vec());
                input.consume(2);
            }
            assert_eq!(taken, 1);
        }
        assert_eq!(all, [vec![0, 1, 2], vec![2, 3, 4], vec![4, 5, 6], vec![6, 7, 8]]);
    }
}
