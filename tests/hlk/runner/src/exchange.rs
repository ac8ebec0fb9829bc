//! A file that is offered to a peer: its name, length and hash, the peer's answer, and what arrived.
//!
//! Each of these is a record of a fixed length, which crosses a session as a chunk by Send. Numbers are little-endian.
//! What a peer says is believed in nothing: a record that is malformed is an error.

use std::fmt;

use protocol::{Operation, PEER_VERSION};

use crate::transfer::Hash;
use crate::{Error, Session};

/// The beginning of each record, by kind.
const OFFER: &[u8; 8] = b"offer\r\n\0";
const ANSWER: &[u8; 8] = b"answer\r\n";
const ARRIVED: &[u8; 8] = b"arrived\n";

/// Bytes of the longest file name, as Linux has it.
const NAME: usize = 255;
/// Bytes of the longest reason.
const REASON: usize = 200;

/// A file that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The name of the file alone, without any folder.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// The digest of its contents.
    pub hash: Hash,
}

/// A file name that is no name of a file alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file name is no name of a file alone")
    }
}

/// Checks that a name says a file in the folder that it is put into, on Linux and on Windows.
///
/// # Errors
/// [`BadName`].
pub fn check_name(name: &str) -> Result<(), BadName> {
    let outside = |character: char| matches!(character, '/' | '\\' | ':') || character.is_control();
    let bad = name.is_empty() || name.len() > NAME || matches!(name, "." | "..") || name.chars().any(outside);
    if bad { Err(BadName) } else { Ok(()) }
}

/// The fields of a record, one after the other.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.array()?)).ok()
    }

    /// A text in a field of `room` bytes, behind its length. It has no zeros; what is left of the field has nothing else.
    fn text(&mut self, room: usize) -> Option<&'b str> {
        let length = self.number()?;
        let (text, rest) = self.bytes(room)?.split_at_checked(length)?;
        rest.iter().all(|byte| *byte == 0).then_some(())?;
        core::str::from_utf8(text).ok().filter(|text| !text.contains('\0'))
    }

    /// The beginning of a record.
    fn head(&mut self, magic: &[u8; 8]) -> Option<()> {
        (self.array()? == *magic).then_some(())?;
        (u32::from_le_bytes(self.array()?) == PEER_VERSION).then_some(())
    }
}

fn head(magic: &[u8; 8]) -> Vec<u8> {
    [&magic[..], &PEER_VERSION.to_le_bytes()].concat()
}

fn put_text(record: &mut Vec<u8>, text: &str, room: usize) {
    record.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    let end = record.len() + room;
    record.extend(text.as_bytes());
    record.resize(end, 0);
}

impl Offer {
    const LENGTH: usize = 12 + 8 + 32 + 4 + NAME;

    fn record(&self) -> Vec<u8> {
        let mut record = head(OFFER);
        record.extend(self.length.to_le_bytes());
        record.extend(self.hash);
        put_text(&mut record, &self.name, NAME);
        record
    }

    fn parse(record: &[u8]) -> Option<Self> {
        let mut fields = Fields(record);
        fields.head(OFFER)?;
        let length = u64::from_le_bytes(fields.array()?);
        let hash = fields.array()?;
        let name = fields.text(NAME)?.to_owned();
        fields.0.is_empty().then_some(Self { name, length, hash })
    }

    /// Offers the file, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Refused`] with the peer's reason, or what the session failed with.
    pub fn make(&self, session: &Session) -> Result<(), Error> {
        session.transmit(Operation::Send, &mut self.record())?;
        let mut record = [0; 12 + 4 + REASON];
        session.collect(Operation::Send, &mut record)?;
        match parse_answer(&record) {
            Some("") => Ok(()),
            Some(reason) => Err(Error::Refused(printable(reason))),
            None => Err(malformed("the answer")),
        }
    }

    /// Takes the file that a peer offers; its name is a file's alone.
    ///
    /// # Errors
    /// [`Error::Refused`], which the peer is told, or what the session failed with.
    pub fn take(session: &Session) -> Result<Self, Error> {
        let mut record = [0; Self::LENGTH];
        session.collect(Operation::Send, &mut record)?;
        let reason = match Self::parse(&record) {
            Some(offer) => match check_name(&offer.name) {
                Ok(()) => return Ok(offer),
                Err(bad) => bad.to_string(),
            },
            None => "the offer is malformed".to_owned(),
        };
        refuse(session, &reason)?;
        Err(Error::Refused(reason))
    }
}

/// Answers that the file may come.
///
/// # Errors
/// What the session failed with.
pub fn accept(session: &Session) -> Result<(), Error> {
    answer(session, "")
}

/// Answers that the file may not come, with the reason.
///
/// # Errors
/// What the session failed with.
pub fn refuse(session: &Session, reason: &str) -> Result<(), Error> {
    answer(session, shortened(reason))
}

/// The beginning of a reason, as far as there is room for it.
fn shortened(reason: &str) -> &str {
    let end = reason.floor_char_boundary(REASON);
    &reason[..end]
}

/// A reason as the peer wrote it, for a terminal.
fn printable(reason: &str) -> String {
    reason.chars().filter(|character| !character.is_control()).collect()
}

fn answer(session: &Session, reason: &str) -> Result<(), Error> {
    let mut record = head(ANSWER);
    put_text(&mut record, reason, REASON);
    session.transmit(Operation::Send, &mut record)
}

fn parse_answer(record: &[u8]) -> Option<&str> {
    let mut fields = Fields(record);
    fields.head(ANSWER)?;
    fields.text(REASON)
}

/// Bytes of the record that says what has arrived.
const ARRIVED_LENGTH: usize = 12 + 32 + 4 + REASON;

/// The digest of what has arrived, or the reason for which that could not be kept.
fn arrived_record(hash: &Hash, reason: &str) -> Vec<u8> {
    let mut record = head(ARRIVED);
    record.extend(hash);
    put_text(&mut record, reason, REASON);
    record
}

fn parse_arrived(record: &[u8]) -> Option<(Hash, &str)> {
    let mut fields = Fields(record);
    fields.head(ARRIVED)?;
    Some((fields.array()?, fields.text(REASON)?))
}

/// Tells the peer the digest of what has arrived.
///
/// # Errors
/// What the session failed with.
pub fn tell_arrived(session: &Session, hash: &Hash) -> Result<(), Error> {
    session.transmit(Operation::Send, &mut arrived_record(hash, ""))
}

/// Tells the peer, in place of the digest, that what has arrived cannot be kept, with the reason.
///
/// # Errors
/// What the session failed with.
pub fn tell_lost(session: &Session, reason: &str) -> Result<(), Error> {
    session.transmit(Operation::Send, &mut arrived_record(&[0; 32], shortened(reason)))
}

/// The digest of what has arrived at the peer, as it says.
///
/// # Errors
/// [`Error::Refused`] with the peer's reason, if it cannot keep that; or what the session failed with.
pub fn hear_arrived(session: &Session) -> Result<Hash, Error> {
    let mut record = [0; ARRIVED_LENGTH];
    session.collect(Operation::Send, &mut record)?;
    match parse_arrived(&record) {
        Some((hash, "")) => Ok(hash),
        Some((_, reason)) => Err(Error::Refused(printable(reason))),
        None => Err(malformed("the digest")),
    }
}

fn malformed(what: &str) -> Error {
    Error::Refused(format!("{what} is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(name: &str) -> Offer {
        Offer { name: name.to_owned(), length: 5 << 32, hash: [7; 32] }
    }

    #[test]
    fn offer_is_read_as_it_was_written() {
        for name in ["a", "big.bin", "Grüße", &"n".repeat(NAME)] {
            let record = offer(name).record();
            assert_eq!(record.len(), Offer::LENGTH);
            assert_eq!(Offer::parse(&record), Some(offer(name)));
        }
    }

    #[test]
    fn offer_that_is_cut_or_changed_in_its_frame_is_none() {
        let record = offer("name").record();
        assert!((0..record.len()).all(|length| Offer::parse(&record[..length]).is_none()));
        for (at, byte) in
            [(0, b'O'), (8, 1), (52, 0xff), (53, 1), (56, 0xff), (60, 1), (Offer::LENGTH - 1, 1)]
        {
            let mut changed = record.clone();
            changed[at] = byte;
            assert_eq!(Offer::parse(&changed), None, "byte {at}");
        }
        assert_eq!(Offer::parse(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn name_that_leads_elsewhere_is_refused() {
        for good in ["a", "..a", "a b.bin", ".hidden"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long = "n".repeat(NAME + 1);
        for bad in ["", ".", "..", "a/b", "/etc/passwd", "../x", "a\\b", "c:x", "a\0b", "a\nb", &long] {
            assert_eq!(check_name(bad), Err(BadName), "{bad}");
        }
    }

    #[test]
    fn answer_says_the_reason_or_nothing() {
        for reason in ["", "there is no room"] {
            let mut record = head(ANSWER);
            put_text(&mut record, reason, REASON);
            assert_eq!(parse_answer(&record), Some(reason));
        }
        assert_eq!(parse_answer(&head(ARRIVED)), None);
    }

    #[test]
    fn record_of_arrival_has_a_digest_or_the_reason_for_a_loss() {
        let long = "ä".repeat(REASON);
        for (hash, reason) in [([7; 32], ""), ([0; 32], "no space"), ([0; 32], shortened(&long))] {
            let record = arrived_record(&hash, reason);
            assert_eq!(record.len(), ARRIVED_LENGTH);
            assert_eq!(parse_arrived(&record), Some((hash, reason)));
        }
        assert_eq!(parse_arrived(&head(ANSWER)), None);
    }
}
