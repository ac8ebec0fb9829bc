//! Request and reply frames (RFC 5044 section 7.1.1, RFC 6581 section 6).
//!
//! ```text
//! | key (16) | M C R S reserved (8 bits) | revision | length of the private data (2) | private data |
//! ```

use crate::bytes::Bytes;
use crate::mpa::enhanced::{self, Enhanced};

/// The length of a frame without private data.
const HEAD: usize = 20;
/// The most private data that a frame has, the enhanced words included.
const MOST_DATA: usize = 512;
/// The length of the longest frame.
pub const LONGEST_FRAME: usize = HEAD + MOST_DATA;

const REQUEST_KEY: &[u8; 16] = b"MPA ID Req Frame";
const REPLY_KEY: &[u8; 16] = b"MPA ID Rep Frame";

const MARKERS: u8 = 0x80;
const CRC: u8 = 0x40;
const REJECTED: u8 = 0x20;
const ENHANCED: u8 = 0x10;

/// A frame as bytes.
pub type StartupFrame = Bytes<LONGEST_FRAME>;

/// A frame of a peer as bytes; the accessors are total once it is whole.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    head: &'a [u8; HEAD],
    data: &'a [u8],
}

/// The ways in which bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// They may become one when there are this many.
    Short(usize),
    /// The key is not that of the frame that was awaited.
    Key,
    /// No revision that is known.
    Revision(u8),
    /// More private data than a frame may have, or an enhanced frame without its words.
    Length,
    /// A reply of revision 2 without the enhanced words that the request had.
    NotEnhanced,
}

impl<'a> Packet<'a> {
    /// The frame at the start of `bytes`, if its head is legal. Data that is too long is not waited for.
    fn new(bytes: &'a [u8], key: &[u8; 16]) -> Result<Self, FrameError> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
            // A peer of another protocol is found out at its first wrong byte.
            let shared = bytes.len().min(key.len());
            let begins = key.get(..shared) == bytes.get(..shared);
            return Err(if begins { FrameError::Short(HEAD) } else { FrameError::Key });
        };
        if !head.starts_with(key) {
            return Err(FrameError::Key);
        }
        let [.., high, low] = head;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > MOST_DATA {
            return Err(FrameError::Length);
        }
        let whole = FrameError::Short(HEAD.saturating_add(length));
        Ok(Self { head, data: rest.get(..length).ok_or(whole)? })
    }

    const fn flags(self) -> u8 {
        let [.., flags, _, _, _] = self.head;
        *flags
    }

    const fn revision(self) -> u8 {
        let [.., revision, _, _] = self.head;
        *revision
    }

    const fn has(self, flag: u8) -> bool {
        self.flags() & flag != 0
    }
}

/// The two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the initiator.
    Request,
    /// From the responder.
    Reply {
        /// The connection does not come about.
        rejected: bool,
    },
}

/// The revisions that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// RFC 5044.
    One,
    /// RFC 6581.
    Two,
}

/// The form of a frame: enhanced ones have revision 2, plain ones either (RFC 6581 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Of RFC 5044.
    Plain(Revision),
    /// Of RFC 6581.
    Enhanced(Enhanced),
}

/// A legal frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Request or reply.
    pub kind: Kind,
    /// M: markers are demanded in what the sender of the frame receives.
    pub markers: bool,
    /// C: both directions are to have CRCs.
    pub crc: bool,
    /// The revision, with its words.
    pub form: Form,
    /// The private data of the consumer.
    pub private: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The request at the start of `bytes`, and its length.
    pub fn parse_request(bytes: &'a [u8]) -> Result<(Self, usize), FrameError> {
        let packet = Packet::new(bytes, REQUEST_KEY)?;
        Self::parse(packet, Kind::Request)
    }

    /// The reply at the start of `bytes`, and its length.
    pub fn parse_reply(bytes: &'a [u8]) -> Result<(Self, usize), FrameError> {
        let packet = Packet::new(bytes, REPLY_KEY)?;
        Self::parse(packet, Kind::Reply { rejected: packet.has(REJECTED) })
    }

    fn parse(packet: Packet<'a>, kind: Kind) -> Result<(Self, usize), FrameError> {
        // In revision 1 the bit of S is a reserved one, and not looked at.
        let (form, private) = match (packet.revision(), packet.has(ENHANCED)) {
            (1, _) => (Form::Plain(Revision::One), packet.data),
            (2, true) => {
                let (words, private) =
                    packet.data.split_first_chunk::<{ enhanced::LENGTH }>().ok_or(FrameError::Length)?;
                (Form::Enhanced(Enhanced::parse(*words)), private)
            }
            (2, false) => (Form::Plain(Revision::Two), packet.data),
            (other, _) => return Err(FrameError::Revision(other)),
        };
        let frame = Self { kind, markers: packet.has(MARKERS), crc: packet.has(CRC), form, private };
        Ok((frame, HEAD.saturating_add(packet.data.len())))
    }

    /// The revision.
    pub const fn revision(&self) -> Revision {
        match self.form {
            Form::Plain(revision) => revision,
            Form::Enhanced(_) => Revision::Two,
        }
    }

    /// The bytes of the frame; `None` if the private data is too long for one.
    pub fn emit(&self) -> Option<StartupFrame> {
        let words = match self.form {
            Form::Plain(_) => None,
            Form::Enhanced(words) => Some(words.emit()),
        };
        let bytes_of_words = words.as_ref().map_or(&[][..], |words| words);
        let length =
            bytes_of_words.len().checked_add(self.private.len()).filter(|length| *length <= MOST_DATA)?;
        let (key, rejected) = match self.kind {
            Kind::Request => (REQUEST_KEY, false),
            Kind::Reply { rejected } => (REPLY_KEY, rejected),
        };
        let flag = |set, bit| if set { bit } else { 0 };
        let revision = match self.revision() {
            Revision::One => 1,
            Revision::Two => 2,
        };
        let flags = flag(self.markers, MARKERS)
            | flag(self.crc, CRC)
            | flag(rejected, REJECTED)
            | flag(words.is_some(), ENHANCED);
        let mut bytes = StartupFrame::new();
        bytes.put(key);
        bytes.put(&[flags, revision]);
        bytes.put(&u16::try_from(length).ok()?.to_be_bytes());
        bytes.put(bytes_of_words);
        bytes.put(self.private);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests;
