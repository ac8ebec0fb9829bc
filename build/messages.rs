//! The image's message table, from a source of the message compiler's form.
//!
//! Formats: <https://learn.microsoft.com/windows/win32/eventlog/message-text-files> and
//! <https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-message_resource_data>.

use core::num::TryFromIntError;
use std::collections::BTreeMap;

/// RT_MESSAGETABLE.
pub(crate) const RT_MESSAGETABLE: u16 = 11;
/// The bytes in front of the blocks, and of each block: three numbers.
const BLOCK: usize = 12;
/// MESSAGE_RESOURCE_UNICODE.
const UNICODE: u16 = 1;

/// The messages of a source, each by its code. Of the form it takes what one language and one facility need: an identifier, a
/// severity and a symbolic name in front of each text, with nothing left out.
///
/// # Errors
///
/// The number of the line that is none of that, with the reason.
pub(crate) fn parse(source: &str) -> Result<BTreeMap<u32, Message>, String> {
    let mut messages = BTreeMap::new();
    let (mut severities, mut code, mut name) = (BTreeMap::new(), None, None);
    let mut lines = (1..).zip(source.lines());
    while let Some((at, line)) = lines.next() {
        let wrong = |why: &str| format!("line {at}: {why}: {line}");
        if line.trim().is_empty() || line.starts_with(';') {
            continue;
        }
        let (keyword, value) = line.split_once('=').ok_or_else(|| wrong("no keyword"))?;
        match keyword.trim() {
            "MessageIdTypedef" | "FacilityNames" | "LanguageNames" => {}
            "SeverityNames" => {
                let list = value.trim().trim_matches(['(', ')']);
                for pair in list.split_whitespace() {
                    let (severity, bits) = pair.split_once('=').ok_or_else(|| wrong("no severity"))?;
                    severities.insert(severity, number(bits).ok_or_else(|| wrong("no number"))?);
                }
            }
            "MessageId" => code = Some(number(value).ok_or_else(|| wrong("no number"))?),
            "Severity" => {
                let bits = severities.get(value.trim()).ok_or_else(|| wrong("an unknown severity"))?;
                code = code.map(|code| code | bits << 30);
            }
            "Facility" if value.trim() == "System" => {}
            "SymbolicName" => name = Some(value.trim().to_owned()),
            "Language" => {
                let mut text = String::new();
                for (_, line) in lines.by_ref().take_while(|(_, line)| *line != ".") {
                    text.push_str(line);
                    text.push_str("\r\n");
                }
                let missing = || wrong("a text without an identifier, severity and name of its own");
                let (code, name) = code.take().zip(name.take()).ok_or_else(missing)?;
                if messages.insert(code, Message { name, text }).is_some() {
                    return Err(wrong("another text for a code"));
                }
            }
            _ => return Err(wrong("an unknown keyword")),
        }
    }
    Ok(messages)
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The name of its code.
    pub(crate) name: String,
    /// Its text, with `%1` and so on for insertion strings; each line has its end.
    pub(crate) text: String,
}

/// A number in hexadecimal digits after `0x`, or in decimal ones.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The MESSAGE_RESOURCE_DATA: how many blocks there are, a block for each run of codes, and the texts.
///
/// # Errors
///
/// The table is too long for the fields that have the lengths.
pub(crate) fn table(messages: &BTreeMap<u32, Message>) -> Result<Vec<u8>, TryFromIntError> {
    let mut runs: Vec<(u32, u32, Vec<u8>)> = Vec::new();
    for (code, message) in messages {
        let entry = entry(&message.text)?;
        match runs.last_mut() {
            Some((_, last, entries)) if last.checked_add(1) == Some(*code) => {
                *last = *code;
                entries.extend(entry);
            }
            _ => runs.push((*code, *code, entry)),
        }
    }
    let mut bytes = u32::try_from(runs.len())?.to_le_bytes().to_vec();
    let mut offset = bytes.len() + runs.len() * BLOCK;
    for (first, last, entries) in &runs {
        for field in [*first, *last, offset.try_into()?] {
            bytes.extend(field.to_le_bytes());
        }
        offset += entries.len();
    }
    bytes.extend(runs.into_iter().flat_map(|(_, _, entries)| entries));
    Ok(bytes)
}

/// A MESSAGE_RESOURCE_ENTRY: its length, its flags, and the text with its end, up to a multiple of four bytes.
fn entry(text: &str) -> Result<Vec<u8>, TryFromIntError> {
    let units = text.encode_utf16().chain([0]);
    let mut bytes: Vec<u8> = [0, UNICODE].into_iter().chain(units).flat_map(u16::to_le_bytes).collect();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = u16::try_from(bytes.len())?.to_le_bytes();
    bytes.splice(..2, length);
    Ok(bytes)
}
