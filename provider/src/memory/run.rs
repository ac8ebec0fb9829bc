//! The copy of one run of memory to another.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

/// Copies `length` bytes, which may overlap. A short copy is made in registers, as on Windows too the other one is a call
/// into the kernel.
///
/// # Safety
///
/// `from` can be read and `to` written for so many bytes; other processors may do both meanwhile.
#[inline(always)]
pub(super) unsafe fn copy_run(from: *const u8, to: *mut u8, length: usize) {
    if let PIECE..=SHORT = length {
        // SAFETY: as the caller promises, of a length in this range.
        unsafe { copy_short(from, to, length) };
    } else {
        // SAFETY: as the caller promises. `copy` permits overlap.
        unsafe { core::ptr::copy(from, to, length) };
    }
}

/// Bytes of a register.
const PIECE: usize = 16;
/// The most bytes that four registers hold.
const SHORT: usize = 4 * PIECE;

/// Copies by four pieces, of which those in the middle overlap if there are less than [`SHORT`] bytes. All of them are read
/// before the first is written, so that an overlap of the ranges does not matter either.
///
/// # Safety
///
/// As for [`copy_run`]; `length` is at least [`PIECE`] and at most [`SHORT`].
#[inline(always)]
unsafe fn copy_short(from: *const u8, to: *mut u8, length: usize) {
    let last = length.saturating_sub(PIECE);
    let places = [0, last.min(PIECE), last.saturating_sub(PIECE), last];
    let pieces = places.map(|place| {
        let piece = from.wrapping_add(place).cast::<[u8; PIECE]>();
        // SAFETY: it ends at most where the source does, and an array of bytes needs no alignment.
        unsafe { piece.read() }
    });
    for (place, piece) in places.into_iter().zip(pieces) {
        // SAFETY: it ends at most where the sink does.
        unsafe { to.wrapping_add(place).cast::<[u8; PIECE]>().write(piece) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn copy_of_any_length_and_overlap_moves_the_bytes_and_no_others() {
        for length in 0..=2 * SHORT {
            for distance in 0..=SHORT {
                for (from, to) in [(0, distance), (distance, 0)] {
                    let mut bytes: Vec<u8> = (0..=255).collect();
                    let mut expected = bytes.clone();
                    expected.copy_within(from..from + length, to);
                    let start = bytes.as_mut_ptr();
                    // SAFETY: both ranges end within the 256 bytes.
                    unsafe { copy_run(start.add(from), start.add(to), length) };
                    assert_eq!(bytes, expected, "{length} bytes from {from} to {to}");
                }
            }
        }
    }
}
