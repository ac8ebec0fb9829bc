//! A queue of bounded length, in constant time.

/// At most `N` items, first in, first out. `N` is a power of two.
#[derive(Debug)]
pub(crate) struct Ring<T, const N: usize> {
    slots: [Option<T>; N],
    /// The place of the first item, counted up without end.
    head: usize,
    length: usize,
}

impl<T: Copy, const N: usize> Ring<T, N> {
    /// The place of an item is a position without its upper bits.
    const MASK: usize = {
        assert!(N.is_power_of_two(), "a ring has a power of two of places");
        N.wrapping_sub(1)
    };

    pub(crate) const fn new() -> Self {
        Self { slots: [None; N], head: 0, length: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// Puts an item behind the others; `false`, without a change, if there is no room.
    #[must_use]
    pub(crate) fn push(&mut self, item: T) -> bool {
        let place = self.head.wrapping_add(self.length) & Self::MASK;
        match self.slots.get_mut(place) {
            Some(slot) if self.length < N => {
                *slot = Some(item);
                self.length = self.length.saturating_add(1);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.slots.get(self.head & Self::MASK)?.as_ref()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.slots.get_mut(self.head & Self::MASK)?.as_mut()
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = self.slots.get_mut(self.head & Self::MASK)?.take()?;
        self.head = self.head.wrapping_add(1);
        self.length = self.length.saturating_sub(1);
        Some(item)
    }

    /// The items, the first in first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let places = (0..self.length).map(|index| self.head.wrapping_add(index) & Self::MASK);
        places.filter_map(|place| self.slots.get(place)?.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn items_leave_in_the_order_of_their_coming() {
        let mut ring = Ring::<u32, 4>::new();
        for round in 0..3 {
            assert!((0..4).all(|item| ring.push(round * 10 + item)) && !ring.push(99));
            assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3].map(|item| round * 10 + item));
            *ring.front_mut().unwrap() += 5;
            assert_eq!((ring.front(), ring.len()), (Some(&(round * 10 + 5)), 4));
            assert_eq!(ring.pop(), Some(round * 10 + 5));
            assert!((1..4).all(|item| ring.pop() == Some(round * 10 + item)));
            assert!(ring.len() == 0 && ring.pop().is_none() && ring.front().is_none());
            assert!(ring.push(0) && ring.pop().is_some());
        }
    }
}
