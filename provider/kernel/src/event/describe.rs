//! Descriptions of events in the form of TraceLogging, made by the compiler.

#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, for which an index or a sum out of range is an error"
)]

use super::encode::{FieldType, ROOM};

/// The description of an event.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// Its category, of [`keyword`](super::keyword).
    pub keyword: u64,
    /// Its severity, of [`level`](super::level).
    pub level: u8,
    /// The names and types of its fields.
    pub fields: &'static [(&'static str, FieldType)],
    /// The description as a session gets it.
    pub metadata: &'static [u8],
}

/// The length of an event's description.
pub(super) const fn length(name: &str, fields: &[(&str, FieldType)]) -> usize {
    // The length itself and no tag; a name ends with a zero.
    let mut sum = 3 + name.len() + 1;
    let mut index = 0;
    while index < fields.len() {
        let (name, kind) = fields[index];
        sum += name.len() + 1 + if kind.codes().1 == 0 { 1 } else { 2 };
        index += 1;
    }
    sum
}

/// The description of an event, which has `N` bytes.
pub(super) const fn metadata<const N: usize>(name: &str, fields: &[(&str, FieldType)]) -> [u8; N] {
    assert!(N < 0x100, "the length has one byte that is not zero");
    let mut bytes = [0; N];
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it is below 0x100")]
    let low = N as u8;
    bytes[0] = low;
    let mut at = put(&mut bytes, 3, name);
    let (mut index, mut room) = (0, 0);
    while index < fields.len() {
        let (name, kind) = fields[index];
        at = put(&mut bytes, at, name);
        let (form, shown) = kind.codes();
        if shown == 0 {
            bytes[at] = form;
            at += 1;
        } else {
            // The highest bit says that another byte follows.
            bytes[at] = form | 0x80;
            bytes[at + 1] = shown;
            at += 2;
        }
        room += kind.longest();
        index += 1;
    }
    assert!(at == N, "the description has its length");
    assert!(room <= ROOM, "the values have room");
    bytes
}

/// Writes a name, whose zero is there; returns the place behind it.
const fn put<const N: usize>(bytes: &mut [u8; N], at: usize, name: &str) -> usize {
    let mut index = 0;
    while index < name.len() {
        bytes[at + index] = name.as_bytes()[index];
        index += 1;
    }
    at + name.len() + 1
}
