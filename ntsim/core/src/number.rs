//! Conversions between integers whose reason is the machine: it has words of 64 bits, and its instructions use the
//! low parts of them.
//!
//! Everything else is `From` and `TryFrom`; an integer that becomes narrower goes through [`narrow`].

#![forbid(unsafe_code)]

use core::fmt::Debug;

/// The simulated machine and the one that it runs on are x86-64.
const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "a word has 64 bits");

/// A length or an index as 64 bits.
#[inline]
pub const fn u64_of(value: usize) -> u64 {
    value as u64
}

/// A word of 64 bits as a length or an index.
#[inline]
pub const fn usize_of(value: u64) -> usize {
    value as usize
}

/// An integer that a length or an index can hold.
pub trait ToUsize: Copy {
    /// The same number.
    fn to_usize(self) -> usize;
}

impl ToUsize for u64 {
    #[inline]
    fn to_usize(self) -> usize {
        usize_of(self)
    }
}

impl ToUsize for u32 {
    #[inline]
    fn to_usize(self) -> usize {
        usize_of(u64::from(self))
    }
}

/// An integer that 64 bits can hold, and for which `u64` has no `From`.
pub trait ToU64: Copy {
    /// The same number.
    fn to_u64(self) -> u64;
}

impl ToU64 for usize {
    #[inline]
    fn to_u64(self) -> u64 {
        u64_of(self)
    }
}

/// The low parts of a word, as an instruction that uses a part of a register takes them. The rest is dropped.
pub trait Low: Copy {
    /// The low 32 bits.
    fn low_u32(self) -> u32;

    /// The low 16 bits.
    fn low_u16(self) -> u16;

    /// The low 8 bits.
    fn low_u8(self) -> u8;
}

impl Low for u64 {
    #[inline]
    fn low_u32(self) -> u32 {
        self as u32
    }

    #[inline]
    fn low_u16(self) -> u16 {
        self as u16
    }

    #[inline]
    fn low_u8(self) -> u8 {
        self as u8
    }
}

impl Low for usize {
    #[inline]
    fn low_u32(self) -> u32 {
        u64_of(self).low_u32()
    }

    #[inline]
    fn low_u16(self) -> u16 {
        u64_of(self).low_u16()
    }

    #[inline]
    fn low_u8(self) -> u8 {
        u64_of(self).low_u8()
    }
}

impl Low for u32 {
    #[inline]
    fn low_u32(self) -> u32 {
        self
    }

    #[inline]
    fn low_u16(self) -> u16 {
        u64::from(self).low_u16()
    }

    #[inline]
    fn low_u8(self) -> u8 {
        u64::from(self).low_u8()
    }
}

/// A number in a narrower integer, which the interface of Windows has for it. One that doesn't fit is a mistake of the
/// simulator's, and stops it.
#[inline]
#[track_caller]
pub fn narrow<T: TryFrom<U, Error: Debug>, U>(value: U) -> T {
    T::try_from(value).expect("a number that the field holds")
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    #[test]
    fn word_keeps_its_value_either_way() {
        assert_eq!(usize_of(u64_of(usize::MAX)), usize::MAX);
        assert_eq!((7_u32.to_usize(), u64::MAX.to_usize(), usize::MAX.to_u64()), (7, usize::MAX, u64::MAX));
    }

    #[test]
    fn low_part_drops_the_rest() {
        let word = 0x1234_5678_9ABC_DEF0_u64;
        assert_eq!((word.low_u32(), word.low_u16(), word.low_u8()), (0x9ABC_DEF0, 0xDEF0, 0xF0));
    }

    #[test]
    fn number_that_does_not_fit_stops() {
        assert_eq!(narrow::<u16, usize>(0xFFFF), 0xFFFF);
        assert!(panic::catch_unwind(|| narrow::<u16, usize>(0x1_0000)).is_err());
    }
}
