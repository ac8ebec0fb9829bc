//! Addresses in the simulated machine.
//!
//! The machine has the address space of the process that it runs in: a driver's pointers are pointers of the host. An
//! address that the simulator keeps, compares or reports is a [`Va`] nevertheless, so that it isn't taken for a length,
//! a handle's index or a count. The edges at which one becomes the other are few and have names:
//!
//! | from | to | by |
//! |---|---|---|
//! | pointer, reference | address | [`Va::of`], which exposes the pointer's provenance |
//! | function | address | [`Va::of`] of the function as `*const ()` |
//! | address | pointer | [`Va::ptr`], with a provenance that was exposed |
//! | register, parameter of a bug check | address | [`Va::from_bits`] |
//! | address | register, parameter of a bug check | [`Va::bits`] |
//!
//! # Example
//!
//! ```
//! use softndk_ntsim_core::address::Va;
//!
//! let object = [0_u32; 4];
//! let start = Va::of(&raw const object);
//! let last = start + 12;
//! assert_eq!(last - start, 12);
//! assert_eq!(Va::of(&object[3]), last);
//! assert_eq!(Va::new(0xFFFF_8000).to_string(), "0xffff8000");
//! ```

use core::fmt;
use core::ops::{Add, AddAssign, Range, Sub};
use core::ptr;

use crate::number;

/// A virtual address in the simulated machine.
///
/// Its arithmetic is checked: a sum or a difference that is no address stops the simulator, unless a method is asked
/// that says otherwise.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Va(usize);

impl Va {
    /// The null pointer.
    pub const NULL: Self = Self(0);

    /// The last address.
    pub const MAX: Self = Self(usize::MAX);

    /// The address with this number.
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    /// The address that a pointer holds.
    #[inline]
    pub fn of<T: ?Sized>(pointer: *const T) -> Self {
        Self(pointer.expose_provenance())
    }

    /// The address that a register or a field of 64 bits holds.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(number::usize_of(bits))
    }

    /// The address as a number.
    #[inline]
    pub const fn get(self) -> usize {
        self.0
    }

    /// The address as a register or a field of 64 bits holds it.
    #[inline]
    pub const fn bits(self) -> u64 {
        number::u64_of(self.0)
    }

    /// A pointer to what is at the address. To use it is up to the caller: the address may be a driver's word for it.
    #[inline]
    pub const fn ptr<T>(self) -> *mut T {
        ptr::with_exposed_provenance_mut(self.0)
    }

    /// Returns whether it is the null pointer.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the address is a multiple of `alignment`.
    pub const fn is_multiple_of(self, alignment: usize) -> bool {
        self.0.is_multiple_of(alignment)
    }

    /// The address `bytes` further up, unless there is none.
    pub const fn checked_add(self, bytes: usize) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The address `bytes` further up; the last one where there is none.
    pub const fn saturating_add(self, bytes: usize) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    /// The bytes from `base` up to here, unless this is below it.
    pub const fn checked_offset_from(self, base: Self) -> Option<usize> {
        self.0.checked_sub(base.0)
    }

    /// The bytes from `base` up to here modulo the size of the address space, for a comparison with a length.
    pub const fn wrapping_offset_from(self, base: Self) -> usize {
        self.0.wrapping_sub(base.0)
    }

    /// The highest multiple of `alignment`, a power of two, that is not above the address.
    #[must_use]
    pub const fn align_down(self, alignment: usize) -> Self {
        assert!(alignment.is_power_of_two(), "an alignment is a power of two");
        Self(self.0 & !(alignment.wrapping_sub(1)))
    }

    /// The bytes from [`Self::align_down`] up to here.
    pub const fn offset_in(self, alignment: usize) -> usize {
        self.0.wrapping_sub(self.align_down(alignment).0)
    }

    /// The `length` addresses from this one on.
    pub fn to(self, length: usize) -> Range<Self> {
        self..self + length
    }
}

impl<T: ?Sized> From<*const T> for Va {
    fn from(pointer: *const T) -> Self {
        Self::of(pointer)
    }
}

impl<T: ?Sized> From<*mut T> for Va {
    fn from(pointer: *mut T) -> Self {
        Self::of(pointer)
    }
}

impl From<Va> for u64 {
    fn from(address: Va) -> Self {
        address.bits()
    }
}

impl Add<usize> for Va {
    type Output = Self;

    #[inline]
    fn add(self, bytes: usize) -> Self {
        self.checked_add(bytes).expect("a sum that is an address")
    }
}

impl AddAssign<usize> for Va {
    fn add_assign(&mut self, bytes: usize) {
        *self = *self + bytes;
    }
}

impl Sub<usize> for Va {
    type Output = Self;

    #[inline]
    fn sub(self, bytes: usize) -> Self {
        Self(self.0.checked_sub(bytes).expect("a difference that is an address"))
    }
}

impl Sub for Va {
    type Output = usize;

    #[inline]
    fn sub(self, base: Self) -> usize {
        self.checked_offset_from(base).expect("an address that is not below the other")
    }
}

impl fmt::Display for Va {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Va {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::LowerHex for Va {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the test reads memory at an address")]
mod tests {
    use std::panic;

    use super::*;

    #[test]
    fn address_of_a_pointer_gives_the_pointer_back() {
        let mut number = 5_u32;
        let address = Va::of(&raw mut number);
        unsafe { *address.ptr::<u32>() += 1 };
        assert_eq!((number, Va::from_bits(address.bits())), (6, address));
    }

    #[test]
    fn sum_beyond_the_last_address_stops() {
        assert_eq!((Va::MAX - 1) + 1, Va::MAX);
        assert!(panic::catch_unwind(|| Va::MAX + 1).is_err());
        assert!(panic::catch_unwind(|| Va::NULL - 1).is_err());
        assert!(panic::catch_unwind(|| Va::new(1) - Va::new(2)).is_err());
    }

    #[test]
    fn address_is_written_in_hexadecimal() {
        let address = Va::new(0x10_20F0);
        assert_eq!(
            format!("{address} {address:?} {address:x} {address:#012x}"),
            "0x1020f0 0x1020f0 1020f0 0x00001020f0"
        );
    }

    #[test]
    fn offset_in_a_page_and_its_start_add_up() {
        let address = Va::new(0x1_2345);
        assert_eq!((address.align_down(0x1000), address.offset_in(0x1000)), (Va::new(0x1_2000), 0x345));
        assert!(address.align_down(0x1000).is_multiple_of(0x1000));
    }
}
