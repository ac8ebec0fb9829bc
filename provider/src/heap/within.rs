//! Pushes to collections without growing them.
//!
//! `alloc`'s own collections grow when they are full, and panic when memory runs out. The compiler keeps that
//! path in the image, although the capacity was reserved before, unless it can prove it unreachable.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A collection that can be added to without growing.
pub trait Within<T> {
    /// Adds `value` at the end.
    ///
    /// # Errors
    ///
    /// Gives it back if there is no room.
    fn push_within(&mut self, value: T) -> Result<(), T>;
}

impl<T> Within<T> for Vec<T> {
    fn push_within(&mut self, value: T) -> Result<(), T> {
        if self.len() == self.capacity() {
            return Err(value);
        }
        self.push(value);
        Ok(())
    }
}

impl<T> Within<T> for VecDeque<T> {
    fn push_within(&mut self, value: T) -> Result<(), T> {
        if self.len() == self.capacity() {
            return Err(value);
        }
        self.push_back(value);
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn fills<C: Within<usize>>(mut all: C, capacity: usize, length: impl Fn(&C) -> usize) {
        for value in 0..capacity {
            assert_eq!(all.push_within(value), Ok(()));
        }
        assert_eq!((all.push_within(9), length(&all)), (Err(9), capacity));
    }

    #[test]
    fn collection_is_filled_and_not_outgrown() {
        let (vector, queue) = (Vec::with_capacity(3), VecDeque::with_capacity(3));
        let (most, longest) = (vector.capacity(), queue.capacity());
        fills(vector, most, Vec::len);
        fills(queue, longest, VecDeque::len);
        fills(Vec::new(), 0, Vec::len);
    }
}
