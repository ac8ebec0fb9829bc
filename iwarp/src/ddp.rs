//! Headers of the Direct Data Placement protocol (DDP, RFC 5041 section 4).
//!
//! ```text
//! tagged    | T L res DV | ULP | STag (4) | tagged offset, TO (8)                              |
//! untagged  | T L res DV | ULP (5) | queue, QN (4) | message, MSN (4) | message offset, MO (4) |
//! ```
//!
//! Numbers are big-endian. The bytes for the upper layer protocol (ULP) belong to RDMAP.

use crate::bytes::Bytes;

/// The length of a tagged header.
pub const TAGGED: usize = 14;
/// The length of an untagged header.
pub const UNTAGGED: usize = 18;

const IS_TAGGED: u8 = 0x80;
const IS_LAST: u8 = 0x40;
const VERSION_BITS: u8 = 0x03;
const VERSION: u8 = 1;

/// A steering tag (STag): names memory of the side that receives it. The number of an NDK token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stag(pub u32);

/// A message sequence number (MSN) of an untagged queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msn(pub u32);

impl Msn {
    /// The number of the first message of a queue.
    pub const FIRST: Self = Self(1);

    /// The number of the message behind this one.
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The number (QN) of an untagged queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue(pub u32);

impl Queue {
    /// Sends.
    pub const SEND: Self = Self(0);
    /// Read Requests.
    pub const READ_REQUEST: Self = Self(1);
    /// Terminates.
    pub const TERMINATE: Self = Self(2);
}

/// A header as bytes; the accessors are total once the length has been checked.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// The tagged buffer model.
    Tagged(&'a [u8; TAGGED]),
    /// The untagged buffer model.
    Untagged(&'a [u8; UNTAGGED]),
}

impl<'a> Packet<'a> {
    /// The length of the header that begins with this byte.
    pub const fn length(control: u8) -> usize {
        if control & IS_TAGGED == 0 { UNTAGGED } else { TAGGED }
    }

    /// The header at the start of `bytes`; `None` if they are too few.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first()? & IS_TAGGED == 0 {
            bytes.first_chunk().map(Self::Untagged)
        } else {
            bytes.first_chunk().map(Self::Tagged)
        }
    }

    /// The first byte: model, last, version.
    const fn control(self) -> u8 {
        match self {
            Self::Tagged([control, ..]) | Self::Untagged([control, ..]) => *control,
        }
    }

    /// Returns whether the version is the one of RFC 5041.
    pub const fn is_version_known(self) -> bool {
        self.control() & VERSION_BITS == VERSION
    }

    /// Returns whether the segment is the last of its message.
    pub const fn is_last(self) -> bool {
        self.control() & IS_LAST != 0
    }

    /// The bytes.
    pub const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Tagged(bytes) => bytes,
            Self::Untagged(bytes) => bytes,
        }
    }
}

/// A header of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The tagged buffer model.
    Tagged(Tagged),
    /// The untagged buffer model.
    Untagged(Untagged),
}

/// A tagged header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// Ends its message.
    pub last: bool,
    /// RDMAP's control byte.
    pub control: u8,
    /// The memory.
    pub stag: Stag,
    /// The place of the segment's first byte in it.
    pub offset: u64,
}

/// An untagged header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untagged {
    /// Ends its message.
    pub last: bool,
    /// RDMAP's control byte.
    pub control: u8,
    /// RDMAP's word: a STag to invalidate, or zero.
    pub invalidate: Stag,
    /// The queue.
    pub queue: Queue,
    /// The message.
    pub msn: Msn,
    /// The place of the segment's first byte in it.
    pub offset: u32,
}

/// The header's version is not that of RFC 5041.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionError;

impl Header {
    /// The meaning of a header. Reserved bits are ignored.
    pub fn parse(packet: Packet<'_>) -> Result<Self, VersionError> {
        if !packet.is_version_known() {
            return Err(VersionError);
        }
        let last = packet.is_last();
        Ok(match packet {
            Packet::Tagged([_, control, s0, s1, s2, s3, o0, o1, o2, o3, o4, o5, o6, o7]) => {
                Self::Tagged(Tagged {
                    last,
                    control: *control,
                    stag: Stag(u32::from_be_bytes([*s0, *s1, *s2, *s3])),
                    offset: u64::from_be_bytes([*o0, *o1, *o2, *o3, *o4, *o5, *o6, *o7]),
                })
            }
            Packet::Untagged(
                [_, control, i0, i1, i2, i3, q0, q1, q2, q3, m0, m1, m2, m3, o0, o1, o2, o3],
            ) => Self::Untagged(Untagged {
                last,
                control: *control,
                invalidate: Stag(u32::from_be_bytes([*i0, *i1, *i2, *i3])),
                queue: Queue(u32::from_be_bytes([*q0, *q1, *q2, *q3])),
                msn: Msn(u32::from_be_bytes([*m0, *m1, *m2, *m3])),
                offset: u32::from_be_bytes([*o0, *o1, *o2, *o3]),
            }),
        })
    }

    /// The bytes of the header.
    pub fn emit(self) -> Bytes<UNTAGGED> {
        let mut bytes = Bytes::new();
        match self {
            Self::Tagged(Tagged { last, control, stag, offset }) => {
                bytes.put(&[IS_TAGGED | end(last) | VERSION, control]);
                bytes.put(&stag.0.to_be_bytes());
                bytes.put(&offset.to_be_bytes());
            }
            Self::Untagged(Untagged { last, control, invalidate, queue, msn, offset }) => {
                bytes.put(&[end(last) | VERSION, control]);
                bytes.put(&invalidate.0.to_be_bytes());
                bytes.put(&queue.0.to_be_bytes());
                bytes.put(&msn.0.to_be_bytes());
                bytes.put(&offset.to_be_bytes());
            }
        }
        bytes
    }

    /// Returns whether the header is tagged.
    pub const fn is_tagged(self) -> bool {
        matches!(self, Self::Tagged(_))
    }
}

const fn end(last: bool) -> u8 {
    if last { IS_LAST } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(bytes: &[u8]) -> Result<Header, VersionError> {
        Header::parse(Packet::new(bytes).unwrap())
    }

    const WRITE: [u8; TAGGED] = [0xC1, 0x40, 0, 0, 0x12, 0x34, 0, 0, 0, 0, 0, 0, 0xAB, 0xCD];
    const SEND: [u8; UNTAGGED] = [0x41, 0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 1, 2];

    /// RD-6 (RFC 5041 section 4.2): a tag is the number of a token, highest byte first.
    #[test]
    fn header_is_read_as_the_bytes_say() {
        let expected = Tagged { last: true, control: 0x40, stag: Stag(0x1234), offset: 0xABCD };
        assert_eq!(parsed(&WRITE), Ok(Header::Tagged(expected)));
        let Ok(Header::Untagged(send)) = parsed(&SEND) else { panic!("untagged") };
        assert_eq!((send.queue, send.msn, send.offset, send.last), (Queue::SEND, Msn(7), 0x102, true));
    }

    /// DDP-1 (RFC 5041 section 4.1): any version but 1 is refused, and reserved bits are not looked at.
    #[test]
    fn version_but_one_is_refused_and_reserved_bits_are_ignored() {
        for version in [0, 2, 3] {
            assert_eq!(parsed(&[&[0xC0 | version], &WRITE[1..]].concat()), Err(VersionError));
            assert_eq!(parsed(&[&[0x40 | version], &SEND[1..]].concat()), Err(VersionError));
        }
        assert_eq!(parsed(&[&[0xFD], &WRITE[1..]].concat()), parsed(&WRITE));
    }

    #[test]
    fn header_that_is_cut_short_is_none() {
        assert!((0..TAGGED).all(|end| Packet::new(&WRITE[..end]).is_none()));
        assert!((0..UNTAGGED).all(|end| Packet::new(&SEND[..end]).is_none()));
    }

    #[test]
    fn message_number_wraps() {
        assert_eq!(Msn(u32::MAX).next(), Msn(0));
    }

    proptest! {
        #[test]
        fn header_that_is_emitted_parses_to_itself(
            tagged: bool, last: bool, control: u8, stag: u32, offset: u64, queue: u32, msn: u32, mo: u32,
        ) {
            let stag = Stag(stag);
            let header = if tagged {
                Header::Tagged(Tagged { last, control, stag, offset })
            } else {
                let (queue, msn) = (Queue(queue), Msn(msn));
                Header::Untagged(Untagged { last, control, invalidate: stag, queue, msn, offset: mo })
            };
            let bytes = header.emit();
            prop_assert_eq!(bytes.len(), Packet::length(bytes[0]));
            prop_assert_eq!(parsed(&bytes), Ok(header));
        }

        #[test]
        fn legal_bytes_are_those_that_are_emitted(bytes in proptest::array::uniform18(any::<u8>())) {
            if let Ok(header) = parsed(&bytes) {
                let mut expected = bytes[..Packet::length(bytes[0])].to_vec();
                expected[0] &= IS_TAGGED | IS_LAST | VERSION_BITS;
                prop_assert_eq!(header.emit().to_vec(), expected);
            }
        }
    }
}
