//! Conversions of integers that lose nothing on the machines that the harness is built for, so that each `as` stands
//! here, with its reason.

#![forbid(unsafe_code)]

/// Returns a number of 32 bits as a length or an index.
#[expect(clippy::as_conversions, reason = "From is not const, and usize has no From<u32>")]
pub(crate) const fn usize_from(number: u32) -> usize {
    const { assert!(usize::BITS >= u32::BITS, "a length has at least 32 bits") };
    number as usize
}

/// Returns a length or an address as a number of 64 bits.
#[expect(clippy::as_conversions, reason = "From is not const, and u64 has no From<usize>")]
pub(crate) const fn u64_from(length: usize) -> u64 {
    const { assert!(usize::BITS <= u64::BITS, "a length has at most 64 bits") };
    length as u64
}
