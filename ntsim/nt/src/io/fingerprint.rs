//! Detects changes to a buffer that a driver was only to read.

use sys::wdm::PAGE_SIZE;

use crate::mm::Range;

/// Buffers up to this length are looked at as a whole; of a longer one, the start of each page, which costs
/// little beside copying it.
const WHOLE: usize = PAGE_SIZE;

/// Bytes that are looked at of each page of a long buffer.
const SAMPLE: usize = 16;

/// The contents of a buffer at one time, as a hash.
#[derive(Clone, Copy)]
pub(super) struct Fingerprint {
    range: Range,
    hash: u64,
}

impl Fingerprint {
    /// Takes the present contents of `range`, which must be readable for as long as this lives.
    pub(super) fn of(range: Range) -> Self {
        Self { range, hash: hash(range) }
    }

    /// Returns whether it holds something else by now.
    pub(super) fn has_changed(&self) -> bool {
        hash(self.range) != self.hash
    }
}

fn hash(range: Range) -> u64 {
    let (stride, length) =
        if range.length <= WHOLE { (range.length.max(1), range.length) } else { (PAGE_SIZE, SAMPLE) };
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    for offset in (0..range.length).step_by(stride) {
        let length = length.min(range.length - offset);
        let start = (range.start + offset).ptr::<u8>();
        for at in 0..length {
            // SAFETY: the byte lies in the range, which is readable. Others may write it at any time, so it
            // is read by itself and not through a slice.
            let byte = unsafe { start.wrapping_add(at).read_volatile() };
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim_core::address::Va;

    #[test]
    fn change_in_a_short_buffer_or_at_the_start_of_a_page_is_noticed() {
        for length in [1, 100, WHOLE, WHOLE + 1, 100 * PAGE_SIZE] {
            let mut buffer = vec![7u8; length];
            let before = Fingerprint::of(Range { start: Va::of(buffer.as_ptr()), length });
            assert!(!before.has_changed());
            let at = (length - 1) / PAGE_SIZE * PAGE_SIZE;
            buffer[at] = 8;
            assert!(before.has_changed(), "length {length}");
        }
    }
}
