//! A short run of bytes of bounded length, for headers that are written.

use core::ops::Deref;

/// Up to `N` bytes. They are put in one after another, by callers that have shown that they fit.
#[derive(Clone, Copy)]
pub struct Bytes<const N: usize> {
    room: [u8; N],
    length: usize,
}

impl<const N: usize> Bytes<N> {
    /// No bytes.
    pub const fn new() -> Self {
        Self { room: [0; N], length: 0 }
    }

    /// Puts bytes behind those before.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        // Cut to the length of `bytes`, so that the compiler sees that the copy cannot fail.
        let room = self.room.get_mut(self.length..).and_then(|room| room.get_mut(..bytes.len()));
        debug_assert!(room.is_some(), "{} bytes more than fit into {N}", bytes.len());
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            self.length = self.length.saturating_add(bytes.len());
        }
    }

    /// The first `N` of these bytes.
    pub(crate) fn first_of(bytes: &[u8]) -> Self {
        let mut first = Self::new();
        first.put(bytes.get(..N).unwrap_or(bytes));
        first
    }
}

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for Bytes<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }
}

impl<const N: usize> PartialEq for Bytes<N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<const N: usize> Eq for Bytes<N> {}

impl<const N: usize> core::fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:02x?}", &**self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_the_order_that_they_were_put_in() {
        let mut bytes = Bytes::<4>::new();
        bytes.put(&[1, 2]);
        bytes.put(&[3]);
        assert_eq!(*bytes, [1, 2, 3]);
        assert_eq!(*Bytes::<2>::first_of(&[7, 8, 9]), [7, 8]);
        assert_eq!(*Bytes::<2>::first_of(&[7]), [7]);
    }
}
