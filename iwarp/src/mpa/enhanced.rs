//! The words in which enhanced frames say how many reads may be outstanding, and how the connection begins
//! (RFC 6581 section 9).
//!
//! ```text
//! | A B IRD (14 bits) | C D ORD (14 bits) |
//! ```

/// The length of the words, which stand before the private data and count as a part of it.
pub(super) const LENGTH: usize = 4;

/// A number of outstanding reads, of 14 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth(u16);

impl Depth {
    /// The sender does not negotiate: each side keeps to its own limits (RFC 6581 section 9.1).
    pub const UNNEGOTIATED: Self = Self(0x3FFF);

    /// The largest number that is one.
    const LARGEST: u16 = 0x3FFE;

    /// The number, or the largest below it that is one.
    pub const fn at_most(number: u16) -> Self {
        Self(if number > Self::LARGEST { Self::LARGEST } else { number })
    }

    /// The number; `None` if the sender does not negotiate.
    pub const fn number(self) -> Option<u16> {
        if self.0 == Self::UNNEGOTIATED.0 { None } else { Some(self.0) }
    }

    /// The number of the reply to this one: none if the sender does not negotiate.
    pub(super) const fn answer(self, number: u16) -> Self {
        match self.number() {
            Some(_) => Self::at_most(number),
            None => Self::UNNEGOTIATED,
        }
    }

    /// The smaller of this number and a limit of one's own.
    pub fn within(self, own: u16) -> u16 {
        self.number().map_or(own, |number| number.min(own))
    }
}

/// The words of an enhanced frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    /// A: either side may send first; the initiator owes a ready-to-receive (RTR) indication.
    pub peer_to_peer: bool,
    /// B: the RTR may be an FPDU of no length.
    pub rtr_empty: bool,
    /// C: the RTR may be a Write of no length.
    pub rtr_write: bool,
    /// D: the RTR may be a Read of no length.
    pub rtr_read: bool,
    /// The reads that the sender of the frame answers at a time (IRD).
    pub ird: Depth,
    /// The reads that it has outstanding at a time (ORD).
    pub ord: Depth,
}

impl Enhanced {
    /// The meaning of the words. Any bytes are some.
    pub const fn parse([i0, i1, o0, o1]: [u8; LENGTH]) -> Self {
        Self {
            peer_to_peer: i0 & 0x80 != 0,
            rtr_empty: i0 & 0x40 != 0,
            rtr_write: o0 & 0x80 != 0,
            rtr_read: o0 & 0x40 != 0,
            ird: Depth(u16::from_be_bytes([i0 & 0x3F, i1])),
            ord: Depth(u16::from_be_bytes([o0 & 0x3F, o1])),
        }
    }

    /// The bytes of the words.
    pub const fn emit(self) -> [u8; LENGTH] {
        let [i0, i1] = self.ird.0.to_be_bytes();
        let [o0, o1] = self.ord.0.to_be_bytes();
        [
            i0 | bit(self.peer_to_peer, 0x80) | bit(self.rtr_empty, 0x40),
            i1,
            o0 | bit(self.rtr_write, 0x80) | bit(self.rtr_read, 0x40),
            o1,
        ]
    }
}

const fn bit(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_flags_above_their_numbers() {
        let words = Enhanced {
            peer_to_peer: true,
            rtr_empty: false,
            rtr_write: true,
            rtr_read: true,
            ird: Depth::at_most(16),
            ord: Depth::at_most(0x102),
        };
        assert_eq!(words.emit(), [0x80, 16, 0xC1, 2]);
        assert_eq!(Enhanced::parse(words.emit()), words);
    }

    #[test]
    fn number_of_all_bits_is_no_number() {
        assert_eq!(Enhanced::parse([0x3F, 0xFF, 0, 0]).ird, Depth::UNNEGOTIATED);
        assert_eq!(Depth::UNNEGOTIATED.within(7), 7);
        assert_eq!((Depth::at_most(u16::MAX).number(), Depth::at_most(5).within(7)), (Some(0x3FFE), 5));
    }

    proptest::proptest! {
        #[test]
        fn words_of_any_bytes_emit_to_them(bytes in proptest::array::uniform4(proptest::num::u8::ANY)) {
            proptest::prop_assert_eq!(Enhanced::parse(bytes).emit(), bytes);
        }
    }
}
