//! Messages, as they go over the queue pair: a byte that says what follows, and the bytes of a stream.
//!
//! ```text
//! 0x00        normal data        0x02              expedited data
//! 0x01        the end            0x80 to 0xFF      credits: 1 E N N N N N N
//! ```
//!
//! Flow control is by credits, as SMB Direct has it (MS-SMBD): a message of data takes a credit, which the peer gives
//! back by a credit update when its client has read the message. The bits of a credit update are how many messages more of expedited (E) and of normal data (N) the sender grants.

use crate::network::{Credits, Kind, Urgency};

/// The most bytes of a stream in one message.
pub(crate) const PIECE: usize = 16 << 10;
/// A buffer has room for a message.
pub(super) const BUFFER: usize = PIECE + 1;

/// The messages of data that may be unread by a client. A client reads normal data in bulk, and expedited data at once.
pub(crate) const CREDITS: Credits = Credits { normal: 4, expedited: 1 };
/// Messages of normal data that may be unread, for tests.
#[cfg(test)]
pub(crate) const WINDOW: usize = count(CREDITS.normal);
/// Messages of data.
pub(super) const DATA: usize = count(CREDITS.normal) + count(CREDITS.expedited);
/// Buffers that are posted: for all data that may be unread, and one for the other kinds, which are read as
/// soon as they come.
pub(super) const BUFFERS: usize = DATA + 1;
/// Sends that may be under way: all data, an end and a credit update.
pub(super) const SENDS: usize = DATA + 2;

/// A number of messages.
#[expect(clippy::as_conversions, reason = "From is not const")]
const fn count(credits: u8) -> usize {
    credits as usize
}

const NORMAL: u8 = 0;
const END: u8 = 1;
const EXPEDITED: u8 = 2;
const IS_CREDITS: u8 = 0x80;
const EXPEDITED_CREDIT: u8 = 0x40;
const NORMAL_CREDITS: u8 = 0x3F;

const _: () =
    assert!(CREDITS.normal <= NORMAL_CREDITS && CREDITS.expedited <= 1, "a credit update fits into its byte");

/// Every byte, at an address that a queue pair can send from.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        byte = byte.wrapping_add(1);
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            bytes[count(byte)] = byte;
        }
    }
    bytes
};

/// The address of the first byte of a message.
pub(super) fn first_byte(kind: Kind) -> *const u8 {
    let byte = match kind {
        Kind::Data(Urgency::Normal) => NORMAL,
        Kind::Data(Urgency::Expedited) => EXPEDITED,
        Kind::End => END,
        Kind::Credits(Credits { normal, expedited }) => {
            IS_CREDITS | (normal & NORMAL_CREDITS) | if expedited > 0 { EXPEDITED_CREDIT } else { 0 }
        }
    };
    (&raw const BYTES).cast::<u8>().wrapping_add(usize::from(byte))
}

/// Parses the kind of a message; `None` if it is none. `length` counts what follows the first byte.
pub(super) fn kind(byte: u8, length: usize) -> Option<Kind> {
    match byte {
        NORMAL if length > 0 => Some(Kind::Data(Urgency::Normal)),
        EXPEDITED if length > 0 => Some(Kind::Data(Urgency::Expedited)),
        END if length == 0 => Some(Kind::End),
        credits if credits & IS_CREDITS != 0 && length == 0 => {
            let expedited = u8::from(credits & EXPEDITED_CREDIT != 0);
            Some(Kind::Credits(Credits { normal: credits & NORMAL_CREDITS, expedited }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_back_and_other_bytes_are_none() {
        let mut known = 0;
        for byte in 0..=u8::MAX {
            for length in [0, 1] {
                let Some(kind) = kind(byte, length) else { continue };
                // SAFETY: the byte lies in a static.
                assert_eq!(unsafe { first_byte(kind).read() }, byte);
                known += 1;
            }
        }
        assert_eq!(known, 3 + 128);
    }
}
