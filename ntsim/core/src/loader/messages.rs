//! The texts of an image's message table, by which Event Viewer shows the entries of its event source.
//!
//! <https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-message_resource_data>. The first language serves: a
//! driver has one.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use object::LittleEndian as LE;
use object::read::pe::{PeFile64, ResourceDirectoryEntryData};

use crate::number::ToUsize;

/// RT_MESSAGETABLE.
const RT_MESSAGETABLE: u16 = 11;
/// MESSAGE_RESOURCE_UNICODE.
const UNICODE: u16 = 1;

/// The messages of an image, by code; none if it has no table, or a damaged one.
pub(super) fn of(file: &PeFile64<'_>, data: &[u8]) -> BTreeMap<u32, String> {
    table(file, data).and_then(messages).unwrap_or_default()
}

fn table<'data>(file: &PeFile64<'data>, data: &'data [u8]) -> Option<&'data [u8]> {
    let sections = file.section_table();
    let folder = file.data_directories().resource_directory(data, &sections).ok()??;
    let kinds = folder.root().ok()?;
    let kind = kinds.entries.iter().find(|entry| entry.name_or_id().id() == Some(RT_MESSAGETABLE))?;
    let mut found = kind.data(folder).ok()?;
    for _ in ["name", "language"] {
        found = found.table()?.entries.first()?.data(folder).ok()?;
    }
    let ResourceDirectoryEntryData::Data(entry) = found else { return None };
    let bytes = sections.pe_data_at(data, entry.offset_to_data.get(LE))?;
    bytes.get(..entry.size.get(LE).to_usize())
}

/// The texts of a MESSAGE_RESOURCE_DATA; `None` if it is damaged.
fn messages(table: &[u8]) -> Option<BTreeMap<u32, String>> {
    let mut texts = BTreeMap::new();
    for block in 0..number(table, 0)?.to_usize() {
        let field = |index: usize| number(table, block.checked_mul(12)?.checked_add(4 + 4 * index)?);
        let (first, last) = (field(0)?, field(1)?);
        let mut place = field(2)?.to_usize();
        for code in first..=last {
            let (length, flags) = (half(table, place)?, half(table, place + 2)?);
            // An entry has its two fields at least.
            let entry = table.get(place..place + usize::from(length.max(4)))?.get(4..)?;
            texts.insert(code, text(entry, flags));
            place += usize::from(length.max(4));
        }
    }
    Some(texts)
}

/// The text of an entry, up to its end.
fn text(bytes: &[u8], flags: u16) -> String {
    if flags & UNICODE == 0 {
        return String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    }
    let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of two blocks, the second with two messages.
    fn table() -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in [2_u32, 7, 7, 28, 0xC000_1389, 0xC000_138A, 36] {
            bytes.extend(field.to_le_bytes());
        }
        for (length, flags, text) in [(8_u16, 0_u16, &b"one\0"[..]), (8, 1, b"2\0\0\0"), (8, 1, b"3\0\0\0")] {
            bytes.extend([length.to_le_bytes(), flags.to_le_bytes()].concat());
            bytes.extend(text);
        }
        bytes
    }

    #[test]
    fn message_is_found_by_its_code_in_either_encoding() {
        let found = messages(&table()).unwrap();
        let found: Vec<(u32, &str)> = found.iter().map(|(code, text)| (*code, &**text)).collect();
        assert_eq!(found, [(7, "one"), (0xC000_1389, "2"), (0xC000_138A, "3")]);
    }

    #[test]
    fn table_that_is_cut_or_counts_too_much_has_no_messages() {
        let whole = table();
        for end in 0..whole.len() {
            assert_eq!(messages(&whole[..end]), None, "{end} bytes");
        }
        for at in [0, 8, 16, 20, 24] {
            let mut broken = whole.clone();
            broken[at..at + 4].fill(0xFF);
            assert_ne!(messages(&broken), messages(&whole), "{at}");
        }
    }
}
