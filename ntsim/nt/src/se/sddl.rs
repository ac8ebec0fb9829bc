//! Security descriptors as text: the part of the security descriptor definition language that drivers use for
//! their devices and tests for their files (the pages "Security Descriptor String Format", "ACE Strings" and
//! "SID Strings" of the Windows SDK). Everything else is an error that says what it was.

#![forbid(unsafe_code)]

use core::str::FromStr;

use sys::wdm::{
    FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE, GENERIC_ALL,
    GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE, READ_CONTROL, WRITE_DAC,
};

use super::descriptor::{AceType, Entry, INHERIT_ONLY_ACE, List};
use super::{Descriptor, Sid, wire};

/// Errors of a text that is no security descriptor.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{wrong} ({at:?})")]
pub struct SddlError {
    wrong: &'static str,
    at: String,
}

fn error<T>(wrong: &'static str, at: &str) -> Result<T, SddlError> {
    Err(SddlError { wrong, at: at.to_owned() })
}

/// Numbers are `sddl.h`'s and `winnt.h`'s as mingw-w64 publishes them.
const RIGHTS: [(&str, u32); 12] = [
    ("GA", GENERIC_ALL),
    ("GR", GENERIC_READ),
    ("GW", GENERIC_WRITE),
    ("GX", GENERIC_EXECUTE),
    ("FA", FILE_ALL_ACCESS),
    ("FR", FILE_GENERIC_READ),
    ("FW", FILE_GENERIC_WRITE),
    ("FX", FILE_GENERIC_EXECUTE),
    ("SD", 0x0001_0000),
    ("RC", READ_CONTROL),
    ("WD", WRITE_DAC),
    ("WO", 0x0008_0000),
];

const FLAGS: [(&str, u8); 5] = [("OI", 1), ("CI", 2), ("NP", 4), ("IO", INHERIT_ONLY_ACE), ("ID", 0x10)];

const SIDS: [(&str, Sid); 7] = [
    ("SY", Sid::SYSTEM),
    ("BA", Sid::ADMINISTRATORS),
    ("BU", Sid::USERS),
    ("WD", Sid::EVERYONE),
    ("AU", Sid::AUTHENTICATED_USERS),
    ("LS", Sid::LOCAL_SERVICE),
    ("NS", Sid::NETWORK_SERVICE),
];

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

impl FromStr for Descriptor {
    type Err = SddlError;

    fn from_str(text: &str) -> Result<Self, SddlError> {
        let mut descriptor = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let Some((name, behind)) = rest.split_once(':') else {
                return error("it ends before a part begins", rest);
            };
            // A part goes on until the letter in front of the next colon.
            let next = behind.find(':').map(|colon| colon.saturating_sub(1));
            let value = behind.get(..next.unwrap_or(behind.len())).unwrap_or_default();
            rest = behind.get(value.len()..).unwrap_or_default();
            match name {
                "O" if descriptor.owner.is_none() => descriptor.owner = Some(value.parse()?),
                "G" if descriptor.group.is_none() => descriptor.group = Some(value.parse()?),
                "D" if descriptor.list == List::Absent => descriptor.read_list(value)?,
                "O" | "G" | "D" => return error("a part of it is there twice", name),
                _ => return error("a part of it is neither owner nor group nor access list", name),
            }
        }
        Ok(descriptor)
    }
}

impl Descriptor {
    fn read_list(&mut self, text: &str) -> Result<(), SddlError> {
        let entries = text.find('(').map_or("", |start| &text[start..]);
        self.list = match text.strip_suffix(entries).unwrap_or_default() {
            "NO_ACCESS_CONTROL" if entries.is_empty() => List::Null,
            flags @ ("" | "P") => {
                self.protected = flags == "P";
                List::Entries(read_entries(entries)?)
            }
            flags => return error("its list has flags other than P", flags),
        };
        Ok(())
    }
}

fn read_entries(text: &str) -> Result<Vec<Entry>, SddlError> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((entry, behind)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
            return error("an entry is not in parentheses", rest);
        };
        entries.push(read_entry(entry)?);
        rest = behind;
    }
    if wire::list_length(&entries) > usize::from(u16::MAX) {
        return error("its list is longer than a list can be", "");
    }
    Ok(entries)
}

fn read_entry(text: &str) -> Result<Entry, SddlError> {
    let [ace_type, flags, rights, "", "", account] = text.split(';').collect::<Vec<_>>()[..] else {
        return error("an entry does not have six fields, of which the fourth and fifth are empty", text);
    };
    let ace_type = match ace_type {
        "A" => AceType::Allow,
        "D" => AceType::Deny,
        other => return error("an entry neither allows nor denies", other),
    };
    let flags = pairs(flags, &FLAGS)?.into_iter().fold(0, |all, flag| all | flag);
    let mask = match rights.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).or_else(|_| error("this is no number", rights))?,
        None => pairs(rights, &RIGHTS)?.into_iter().fold(0, |all, right| all | right),
    };
    Ok(Entry { ace_type, flags, mask, sid: account.parse()? })
}

/// Returns the values of the pairs of letters in `text`.
fn pairs<T: Copy>(text: &str, table: &[(&str, T)]) -> Result<Vec<T>, SddlError> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let name = str::from_utf8(pair).unwrap_or(text);
            find(table, name).map_or_else(|| error("this stands for nothing", name), Ok)
        })
        .collect()
}

impl FromStr for Sid {
    type Err = SddlError;

    fn from_str(text: &str) -> Result<Self, SddlError> {
        find(&SIDS, text)
            .or_else(|| Self::from_numbers(text))
            .map_or_else(|| error("this is no security identifier", text), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_text_is_read() {
        let text = "O:BAG:SYD:P(A;;GA;;;SY)(D;OIIO;GWRC;;;S-1-5-21-1-2-3-1001)(A;;0x120089;;;WD)";
        let user = Sid::account(1001);
        let descriptor = Descriptor {
            owner: Some(Sid::ADMINISTRATORS),
            group: Some(Sid::SYSTEM),
            protected: true,
            list: List::Entries(vec![
                Entry::allow(0x1000_0000, Sid::SYSTEM),
                Entry { ace_type: AceType::Deny, flags: 9, mask: 0x4002_0000, sid: user },
                Entry::allow(0x0012_0089, Sid::EVERYONE),
            ]),
        };
        assert_eq!(text.parse(), Ok(descriptor));
    }

    #[test]
    fn absent_empty_and_null_lists_differ() {
        let list = |text: &str| text.parse::<Descriptor>().unwrap().list;
        assert_eq!(list("O:SY"), List::Absent);
        assert_eq!(list("D:"), List::Entries(vec![]));
        assert_eq!(list("D:NO_ACCESS_CONTROL"), List::Null);
    }

    #[test]
    fn error_says_what_is_wrong_and_where() {
        for (text, at) in [
            ("D", "D"),
            ("O:SYO:BA", "O"),
            ("S:(AU;SA;GA;;;WD)", "S"),
            ("O:XX", "XX"),
            ("O:", ""),
            ("D:AI(A;;GA;;;WD)", "AI"),
            ("D:(A;;GA;;;WD", "(A;;GA;;;WD"),
            ("D:(A;;GA;;;WD)x", "x"),
            ("D:(A;;GA;;WD)", "A;;GA;;WD"),
            ("D:(OA;;GA;;;WD)", "OA"),
            ("D:(A;;GA;f;;WD)", "A;;GA;f;;WD"),
            ("D:(A;XX;GA;;;WD)", "XX"),
            ("D:(A;;ZZ;;;WD)", "ZZ"),
            ("D:(A;;GAG;;;WD)", "G"),
            ("D:(A;;0xG;;;WD)", "0xG"),
            ("D:(A;;ä;;;WD)", "ä"),
            ("D:(A;;aä;;;WD)", "aä"),
        ] {
            let error = text.parse::<Descriptor>().unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
        }
        let error = "D:(A;;ZZ;;;WD)".parse::<Descriptor>().unwrap_err();
        assert_eq!(error.to_string(), "this stands for nothing (\"ZZ\")");
    }

    #[test]
    fn list_that_is_too_long_is_refused() {
        let list = |entries| format!("D:{}", "(A;;GA;;;SY)".repeat(entries)).parse::<Descriptor>();
        assert!(list(3276).is_ok());
        assert!(list(3277).is_err());
    }
}
