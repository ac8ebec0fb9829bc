//! Values of fields as TraceLogging has them.

use core::net::SocketAddr;

use sys::sockaddr::{AF_INET, AF_INET6};

/// The type of a field. Its codes are those of TraceLoggingProvider.h
/// (<https://github.com/microsoft/tracelogging/blob/main/etw/rust/tracelogging/src/enums.rs>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// An unsigned number of 32 bits.
    U32,
    /// A signed number of 64 bits.
    I64,
    /// A number of 32 bits that is shown in hexadecimal digits.
    Hex32,
    /// A number of 64 bits that is shown in hexadecimal digits.
    Hex64,
    /// An NTSTATUS.
    Status,
    /// A name: text of one byte a character, and a zero.
    Name,
    /// A socket address, or none.
    Address,
}

impl FieldType {
    /// `TlgIn...` and `TlgOut...`, 0 for none.
    #[must_use]
    pub const fn codes(self) -> (u8, u8) {
        match self {
            Self::U32 => (8, 0),
            Self::I64 => (9, 0),
            Self::Hex32 => (20, 0),
            Self::Hex64 => (21, 0),
            Self::Status => (20, 14),
            Self::Name => (2, 0),
            Self::Address => (14, 10),
        }
    }

    /// The most bytes of a value.
    pub(super) const fn longest(self) -> usize {
        match self {
            Self::U32 | Self::Hex32 | Self::Status => 4,
            Self::I64 | Self::Hex64 => 8,
            Self::Name => LONGEST_NAME,
            Self::Address => 30,
        }
    }
}

/// The longest name, with its zero; what is longer is cut.
const LONGEST_NAME: usize = 32;

/// The most bytes of an event's values.
pub(super) const ROOM: usize = 128;

/// The values of an event's fields, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    bytes: [u8; ROOM],
    length: usize,
}

impl Payload {
    /// Without values.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Appends bytes. There is room: the list checks the sum of the longest values of each event.
    fn append(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
            self.length = end;
        }
    }
}

/// A value of a field.
pub trait Encode: Copy {
    /// The type of the field.
    const TYPE: FieldType;

    /// Appends the value.
    fn encode(self, payload: &mut Payload);
}

impl Encode for u32 {
    const TYPE: FieldType = FieldType::U32;

    fn encode(self, payload: &mut Payload) {
        payload.append(&self.to_le_bytes());
    }
}

impl Encode for Option<SocketAddr> {
    const TYPE: FieldType = FieldType::Address;

    /// The length in front, and a SOCKADDR_IN or SOCKADDR_IN6.
    fn encode(self, payload: &mut Payload) {
        match self {
            None => payload.append(&[0, 0]),
            Some(SocketAddr::V4(address)) => {
                payload.append(&16_u16.to_le_bytes());
                payload.append(&AF_INET.to_le_bytes());
                payload.append(&address.port().to_be_bytes());
                payload.append(&address.ip().octets());
                payload.append(&[0; 8]);
            }
            Some(SocketAddr::V6(address)) => {
                payload.append(&28_u16.to_le_bytes());
                payload.append(&AF_INET6.to_le_bytes());
                payload.append(&address.port().to_be_bytes());
                payload.append(&address.flowinfo().to_le_bytes());
                payload.append(&address.ip().octets());
                payload.append(&address.scope_id().to_le_bytes());
            }
        }
    }
}

/// Appends numbers of other types than their fields'.
pub(super) fn bytes(payload: &mut Payload, bytes: &[u8]) {
    payload.append(bytes);
}

/// Appends a name.
pub(super) fn name(payload: &mut Payload, name: &str) {
    let kept = name.as_bytes().get(..LONGEST_NAME.saturating_sub(1)).unwrap_or(name.as_bytes());
    payload.append(kept);
    payload.append(&[0]);
}
