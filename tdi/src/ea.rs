//! The extended attributes of a create: what kind of object a client opens.
//!
//! A list of `FILE_FULL_EA_INFORMATION`, each entry with a name, a zero byte, and a value:
//!
//! ```text
//! 0           4       5             6              8           8 + name     9 + name
//! next entry  flags   name length   value length   name ...    0            value ...
//! ```
//!
//! The I/O manager checks the list of a native create (`IoCheckEaBufferValidity`), but a request that
//! another driver built never passes there, so nothing is taken for granted here. The value follows an odd
//! number of bytes, so it is read byte by byte.

#![forbid(unsafe_code)]

use provider::number::usize_from;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NONEXISTENT_EA_ENTRY};
use sys::tdi::{TdiConnectionContext, TdiTransportAddress};

/// The kind of file that a client opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening<'a> {
    /// An address object; the bytes of a `TRANSPORT_ADDRESS`.
    Address(&'a [u8]),
    /// A connection endpoint; what the client calls it.
    Endpoint(ConnectionContext),
    /// A control channel.
    ControlChannel,
}

/// A client's `CONNECTION_CONTEXT`: a number to the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionContext(pub usize);

/// Errors of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EaError {
    /// Both kinds of object are named, or the list is no list.
    Malformed,
    /// A name is none of TDI's, or lacks its value.
    NoValue,
}

impl EaError {
    /// The status for the create.
    #[must_use]
    pub const fn status(self) -> NTSTATUS {
        match self {
            Self::Malformed => STATUS_INVALID_PARAMETER,
            Self::NoValue => STATUS_NONEXISTENT_EA_ENTRY,
        }
    }
}

/// Bytes before the name.
const HEAD: usize = 8;

/// One attribute.
struct Attribute<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

/// Reads the attribute at the head of `list`, and what follows it.
fn split(list: &[u8]) -> Result<(Attribute<'_>, Option<&[u8]>), EaError> {
    let (head, body) = list.split_first_chunk::<HEAD>().ok_or(EaError::Malformed)?;
    let [n0, n1, n2, n3, _flags, name_length, v0, v1] = *head;
    let next = usize_from(u32::from_le_bytes([n0, n1, n2, n3]));
    let value_length = usize::from(u16::from_le_bytes([v0, v1]));
    let (name, rest) = body.split_at_checked(usize::from(name_length)).ok_or(EaError::Malformed)?;
    let (terminator, rest) = rest.split_first().ok_or(EaError::NoValue)?;
    if *terminator != 0 {
        return Err(EaError::Malformed);
    }
    let value = rest.get(..value_length).ok_or(EaError::NoValue)?;
    let attribute = Attribute { name, value };
    if next == 0 {
        return Ok((attribute, None));
    }
    // Forwards only, and past the entry itself: so a list has an end, and entries don't overlap.
    let length = list.len().saturating_sub(rest.len()).saturating_add(value_length);
    if next < length || !next.is_multiple_of(size_of::<u32>()) {
        return Err(EaError::Malformed);
    }
    let following = list.get(next..).ok_or(EaError::Malformed)?;
    Ok((attribute, Some(following)))
}

impl<'a> Opening<'a> {
    /// Reads the list of a create; an empty one opens a control channel.
    ///
    /// # Errors
    ///
    /// See [`EaError`].
    pub fn parse(list: &'a [u8]) -> Result<Self, EaError> {
        if list.is_empty() {
            return Ok(Self::ControlChannel);
        }
        let mut found = None;
        let mut rest = Some(list);
        while let Some(entry) = rest {
            let (attribute, following) = split(entry)?;
            rest = following;
            let opening = Self::of(&attribute)?;
            if found.replace(opening).is_some() {
                return Err(EaError::Malformed);
            }
        }
        found.ok_or(EaError::Malformed)
    }

    fn of(attribute: &Attribute<'a>) -> Result<Self, EaError> {
        if attribute.name == TdiTransportAddress {
            return Ok(Self::Address(attribute.value));
        }
        if attribute.name == TdiConnectionContext {
            let context = attribute.value.try_into().map_err(|_| EaError::NoValue)?;
            return Ok(Self::Endpoint(ConnectionContext(usize::from_le_bytes(context))));
        }
        Err(EaError::NoValue)
    }
}

/// The body of the fuzz target: whatever the bytes, the list is read or refused, and what is read lies in
/// it.
pub fn fuzz(list: &[u8]) {
    if let Ok(Opening::Address(value)) = Opening::parse(list) {
        assert!(
            list.as_ptr_range().contains(&value.as_ptr()) || value.is_empty(),
            "a value lies in its list"
        );
        crate::address::fuzz(value);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One entry as a client writes it.
    pub(crate) fn entry(name: &[u8], value: &[u8]) -> Vec<u8> {
        let mut entry = vec![0; 4];
        entry.push(0);
        entry.push(u8::try_from(name.len()).unwrap());
        entry.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        entry.extend(name);
        entry.push(0);
        entry.extend(value);
        entry
    }

    fn list(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut list = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let mut entry = entry.clone();
            if index + 1 < entries.len() {
                entry.resize(entry.len().next_multiple_of(4), 0);
                let next = u32::try_from(entry.len()).unwrap();
                entry[..4].copy_from_slice(&next.to_le_bytes());
            }
            list.extend(entry);
        }
        list
    }

    const CONTEXT: [u8; 8] = 0x1122_3344_5566_7788_u64.to_le_bytes();

    #[test]
    fn create_without_a_list_opens_a_control_channel() {
        assert_eq!(Opening::parse(&[]), Ok(Opening::ControlChannel));
    }

    #[test]
    fn each_name_opens_its_kind_of_object() {
        let address = entry(TdiTransportAddress, b"value");
        assert_eq!(Opening::parse(&address), Ok(Opening::Address(b"value")));
        let endpoint = entry(TdiConnectionContext, &CONTEXT);
        let context = ConnectionContext(0x1122_3344_5566_7788);
        assert_eq!(Opening::parse(&endpoint), Ok(Opening::Endpoint(context)));
    }

    #[test]
    fn both_names_are_refused_in_either_order() {
        let (a, c) = (entry(TdiTransportAddress, b"v"), entry(TdiConnectionContext, &CONTEXT));
        for entries in [[a.clone(), c.clone()], [c.clone(), a.clone()], [a.clone(), a], [c.clone(), c]] {
            assert_eq!(Opening::parse(&list(&entries)), Err(EaError::Malformed));
        }
    }

    #[test]
    fn unknown_name_opens_nothing() {
        for name in [&b""[..], b"x", b"TransportAddres", b"TransportAddressX", &[b'A'; 255]] {
            assert_eq!(Opening::parse(&entry(name, &CONTEXT)), Err(EaError::NoValue));
        }
    }

    #[test]
    fn name_without_its_zero_is_refused() {
        let mut endpoint = entry(TdiConnectionContext, &CONTEXT);
        endpoint[8 + TdiConnectionContext.len()] = b'!';
        assert_eq!(Opening::parse(&endpoint), Err(EaError::Malformed));
    }

    #[test]
    fn list_truncated_at_any_byte_is_refused() {
        for whole in [entry(TdiConnectionContext, &CONTEXT), entry(TdiTransportAddress, b"some value")] {
            for length in 1..whole.len() {
                assert!(Opening::parse(&whole[..length]).is_err(), "{length} bytes");
            }
        }
    }

    #[test]
    fn value_of_another_length_than_stated_is_refused() {
        for stated in [0_u16, 7, 9, 0x100, u16::MAX] {
            let mut endpoint = entry(TdiConnectionContext, &CONTEXT);
            endpoint[6..8].copy_from_slice(&stated.to_le_bytes());
            assert_eq!(Opening::parse(&endpoint), Err(EaError::NoValue), "{stated}");
        }
    }

    #[test]
    fn next_entries_lie_ahead_aligned_and_in_the_list() {
        let length = u32::try_from(entry(TdiConnectionContext, &CONTEXT).len()).unwrap();
        for next in [1, 4, 8, 33, length, length + 1, 36, 0x7FFF_FFFC, u32::MAX] {
            let mut endpoint = entry(TdiConnectionContext, &CONTEXT);
            endpoint[..4].copy_from_slice(&next.to_le_bytes());
            assert!(Opening::parse(&endpoint).is_err(), "{next}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            fuzz(&bytes);
        }

        #[test]
        fn damaged_list_is_read_or_refused(at in 0_usize..34, byte: u8) {
            let mut damaged = entry(TdiConnectionContext, &CONTEXT);
            damaged[at.min(33)] = byte;
            fuzz(&damaged);
        }

        #[test]
        fn context_is_read_at_any_alignment(shift in 0_usize..8, context: usize) {
            let mut bytes = vec![0; shift];
            bytes.extend(entry(TdiConnectionContext, &context.to_le_bytes()));
            prop_assert_eq!(Opening::parse(&bytes[shift..]), Ok(Opening::Endpoint(ConnectionContext(context))));
        }
    }
}
