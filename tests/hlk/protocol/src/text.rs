//! A short text of fixed size, for reports that cross from the kernel.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Up to `N` bytes of UTF-8, ended by the first zero byte or by the end.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// `text`, cut to what fits.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text.as_bytes()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The text, up to the first byte that is no UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        used.utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }
}

impl<const N: usize> core::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_fits_comes_back() {
        assert_eq!(Text::<8>::new("listen").as_str(), "listen");
    }

    #[test]
    fn text_that_is_too_long_is_cut_before_the_character_that_does_not_fit() {
        assert_eq!(Text::<4>::new("abcdef").as_str(), "abcd");
        assert_eq!(Text::<4>::new("abcä").as_str(), "abc");
    }
}
