//! A value in a block of its own.

#![expect(unsafe_code, reason = "memory is owned by its address")]

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::{NoMemory, block, free};

/// A value in a block of its own, which it never leaves: for one that is too large for a kernel's stack.
pub(crate) struct Owned<T>(NonNull<T>);

// SAFETY: it owns its value, as a `Box` does.
unsafe impl<T: Send> Send for Owned<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Owned<T> {}

/// A constant that [`Owned`] values begin as: it goes to its block without a copy on the stack.
pub(crate) trait Initial: Sized {
    /// The value.
    const INITIAL: Self;
}

impl<T: Initial> Owned<T> {
    /// A block with the constant.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn initial() -> Result<Self, NoMemory> {
        const { assert!(size_of::<T>() != 0, "a pool block has a size") };
        // SAFETY: the layout's size is not zero, as asserted above.
        let block = unsafe { block::allocate(core::alloc::Layout::new::<T>()) }?.cast::<T>();
        // SAFETY: the block is fresh, ours alone, and large and aligned enough for a `T`.
        unsafe { block.write(T::INITIAL) };
        Ok(Self(block))
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the block is this value's until it is dropped.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for Owned<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the block is this value's until it is dropped, and this is the only reference to it.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: this was the owner, so no reference to the value remains.
        unsafe { self.0.drop_in_place() };
        // SAFETY: the value was dropped in place just now.
        unsafe { free(self.0) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Large([u8; 9000]);

    impl Initial for Large {
        const INITIAL: Self = Self([7; 9000]);
    }

    #[test]
    fn value_begins_as_its_constant_and_is_freed() {
        let before = test_kernel::allocations::live();
        let mut owned = Owned::<Large>::initial().unwrap();
        (*owned).0[8999] = 1;
        assert_eq!(((*owned).0[0], (*owned).0[8999]), (7, 1));
        assert!(test_kernel::allocations::live() > before);
        drop(owned);
        assert_eq!(test_kernel::allocations::live(), before);
    }
}
