//! Decodes events that bring their own description, as TraceLogging writes them.
//!
//! The form of descriptions, types and values is that of Microsoft's open library
//! (<https://github.com/microsoft/tracelogging/blob/main/etw/rust/tracelogging/src/enums.rs>) and of
//! TraceLoggingProvider.h in the SDK.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use thiserror::Error;

use super::record::{Field, Value};

/// The description of an event is none, or its data does not fit.
#[derive(Debug, Error, PartialEq)]
pub(super) enum DecodeError {
    /// The length in front is not that of the whole.
    #[error("its length is {actual} bytes, and it says {stated}")]
    Length { stated: usize, actual: usize },
    /// It ends within a name or a type.
    #[error("it ends within a name or a type")]
    Truncated,
    /// A name is not UTF-8.
    #[error("a name is not UTF-8")]
    Name,
    /// The data ends within a field.
    #[error("the data ends within the field {0}")]
    Data(String),
    /// The data is longer than its fields.
    #[error("{0} bytes of data belong to no field")]
    Surplus(usize),
}

/// More bytes of this kind follow.
const CHAIN: u8 = 0x80;
/// Flags of a type: a field with a number of elements, or with a form of its own.
const COUNTED: u8 = 0x60;
/// The field has no value of its own.
const STRUCT: u8 = 24;
const OUT_UTF8: u8 = 35;
const OUT_SOCKET_ADDRESS: u8 = 10;

/// Bytes that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.take(end);
        self.take(1);
        taken
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    /// Skips bytes until one does not say that more follow.
    fn chain(&mut self) -> Option<()> {
        while self.byte()? & CHAIN != 0 {}
        Some(())
    }

    fn name(&mut self) -> Result<String, DecodeError> {
        let name = self.until_nul().ok_or(DecodeError::Truncated)?;
        String::from_utf8(name.to_vec()).map_err(|_| DecodeError::Name)
    }
}

/// Bytes behind their length, which counts itself.
fn sized(bytes: &[u8]) -> Result<Reader<'_>, DecodeError> {
    let mut reader = Reader(bytes);
    let stated = reader.u16().ok_or(DecodeError::Truncated)?.into();
    if stated == bytes.len() { Ok(reader) } else { Err(DecodeError::Length { stated, actual: bytes.len() }) }
}

/// The name in the traits of a provider.
pub(super) fn provider_name(traits: &[u8]) -> Option<String> {
    sized(traits).and_then(|mut reader| reader.name()).ok()
}

/// The name and the fields of an event.
pub(super) fn event(metadata: &[u8], data: &[u8]) -> Result<(String, Vec<Field>), DecodeError> {
    let mut reader = sized(metadata)?;
    reader.chain().ok_or(DecodeError::Truncated)?;
    let name = reader.name()?;
    let mut data = Reader(data);
    let mut fields = Vec::new();
    while !reader.0.is_empty() {
        let field = reader.name()?;
        let (in_type, out_type) = types(&mut reader).ok_or(DecodeError::Truncated)?;
        if in_type & COUNTED != 0 || in_type == STRUCT {
            // What follows can't be told apart here.
            let rest = data.take(data.0.len()).unwrap_or_default();
            fields.push(Field { name: field, in_type, out_type, value: Value::Bytes(rest.to_vec()) });
            break;
        }
        let value = value(in_type, out_type, &mut data).ok_or_else(|| DecodeError::Data(field.clone()))?;
        fields.push(Field { name: field, in_type, out_type, value });
    }
    if data.0.is_empty() { Ok((name, fields)) } else { Err(DecodeError::Surplus(data.0.len())) }
}

fn types(reader: &mut Reader<'_>) -> Option<(u8, u8)> {
    let in_type = reader.byte()?;
    if in_type & CHAIN == 0 {
        return Some((in_type, 0));
    }
    let out_type = reader.byte()?;
    if out_type & CHAIN != 0 {
        reader.chain()?;
    }
    Some((in_type & !CHAIN, out_type & !CHAIN))
}

fn value(in_type: u8, out_type: u8, data: &mut Reader<'_>) -> Option<Value> {
    Some(match in_type {
        1 => Value::Text(until_wide_nul(data)?),
        2 => Value::Text(text(data.until_nul()?, out_type)),
        3 => Value::Signed(data.array().map(i8::from_le_bytes)?.into()),
        5 => Value::Signed(data.array().map(i16::from_le_bytes)?.into()),
        7 => Value::Signed(data.array().map(i32::from_le_bytes)?.into()),
        9 => Value::Signed(data.array().map(i64::from_le_bytes)?),
        4 => Value::Unsigned(data.byte()?.into()),
        6 => Value::Unsigned(data.u16()?.into()),
        8 | 13 | 20 => Value::Unsigned(data.u32()?.into()),
        10 | 16 | 17 | 21 => Value::Unsigned(data.u64()?),
        11 => Value::Float(data.array().map(f32::from_le_bytes)?.into()),
        12 => Value::Float(data.array().map(f64::from_le_bytes)?),
        14 | 25 => {
            let bytes = data.counted()?;
            let address = (out_type == OUT_SOCKET_ADDRESS).then(|| socket_address(bytes)).flatten();
            address.map_or_else(|| Value::Bytes(bytes.to_vec()), Value::Address)
        }
        15 | 18 => Value::Bytes(data.take(16)?.to_vec()),
        19 => {
            let authorities = usize::from(*data.0.get(1)?);
            Value::Bytes(data.take(8 + 4 * authorities)?.to_vec())
        }
        22 => Value::Text(wide(data.counted()?)),
        23 => Value::Text(text(data.counted()?, out_type)),
        _ => return None,
    })
}

fn text(bytes: &[u8], out_type: u8) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if out_type == OUT_UTF8 || text.is_ascii() => text.to_owned(),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}

fn wide(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

fn until_wide_nul(data: &mut Reader<'_>) -> Option<String> {
    let end = data.0.chunks_exact(2).position(|pair| pair == [0, 0])?;
    let text = wide(data.take(2 * end)?);
    data.take(2);
    Some(text)
}

/// A SOCKADDR of IPv4 (family 2) or IPv6 (family 23).
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let mut reader = Reader(bytes);
    let family = reader.u16()?;
    let port = reader.array().map(u16::from_be_bytes)?;
    match family {
        2 => Some(SocketAddr::from((reader.array::<4>().map(Ipv4Addr::from)?, port))),
        23 => {
            let flow = reader.u32()?;
            let address = reader.array::<16>().map(Ipv6Addr::from)?;
            let scope = reader.u32()?;
            Some(SocketAddrV6::new(address, port, flow, scope).into())
        }
        _ => None,
    }
}
