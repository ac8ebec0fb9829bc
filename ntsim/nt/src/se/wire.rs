//! The self-relative form of a security descriptor: what a driver gets and gives (MS-DTYP 2.4.6, with the
//! list of 2.4.5, its entries of 2.4.4.2 and 2.4.4.4, and the identifiers of 2.4.2). Numbers are little-endian.
//!
//! Lists for audits are neither read nor written: nothing is audited here.

#![forbid(unsafe_code)]

use super::descriptor::{AceType, Entry, List};
use super::{Descriptor, Sid};
use ntsim_core::number::{ToUsize, narrow};

/// Length of a descriptor's head.
const HEAD: usize = 20;
/// Length of a list's head.
const LIST_HEAD: usize = 8;
/// Length of an entry in front of its identifier.
const ENTRY_HEAD: usize = 8;

/// `SECURITY_DESCRIPTOR_REVISION` and `SID_REVISION`.
const REVISION: u8 = 1;
/// `ACL_REVISION`.
const LIST_REVISION: u8 = 2;
/// `ACL_REVISION_DS`: the list may hold entries for parts of an object.
const LIST_REVISION_DS: u8 = 4;

// From `winnt.h` as mingw-w64 publishes it.
const SE_DACL_PRESENT: u16 = 0x0004;
const SE_DACL_PROTECTED: u16 = 0x1000;
const SE_SELF_RELATIVE: u16 = 0x8000;
const ACCESS_ALLOWED_ACE_TYPE: u8 = 0;
const ACCESS_DENIED_ACE_TYPE: u8 = 1;

/// Errors of bytes that are no security descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct DescriptorError(&'static str);

/// Bytes of a list that is written.
pub(super) fn list_length(entries: &[Entry]) -> usize {
    LIST_HEAD + entries.iter().map(entry_length).sum::<usize>()
}

fn entry_length(entry: &Entry) -> usize {
    ENTRY_HEAD + sid_length(entry.sid.parts().len())
}

fn sid_length(parts: usize) -> usize {
    8 + 4 * parts
}

/// Writes a descriptor, whose list is no longer than one can be.
pub(super) fn write(descriptor: &Descriptor) -> Vec<u8> {
    let mut bytes = vec![0; HEAD];
    let owner = descriptor.owner.map_or(0, |sid| append(&mut bytes, |bytes| write_sid(bytes, &sid)));
    let group = descriptor.group.map_or(0, |sid| append(&mut bytes, |bytes| write_sid(bytes, &sid)));
    let (list, present) = match &descriptor.list {
        List::Absent => (0, 0),
        List::Null => (0, SE_DACL_PRESENT),
        List::Entries(entries) => (append(&mut bytes, |bytes| write_list(bytes, entries)), SE_DACL_PRESENT),
    };
    let control = SE_SELF_RELATIVE | present | if descriptor.protected { SE_DACL_PROTECTED } else { 0 };
    bytes[0] = REVISION;
    bytes[2..4].copy_from_slice(&control.to_le_bytes());
    for (at, offset) in [(4, owner), (8, group), (16, list)] {
        bytes[at..at + 4].copy_from_slice(&narrow::<u32, _>(offset).to_le_bytes());
    }
    bytes
}

/// Lets a part be appended, and returns where it begins.
fn append(bytes: &mut Vec<u8>, part: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = bytes.len();
    part(bytes);
    start
}

fn write_sid(bytes: &mut Vec<u8>, sid: &Sid) {
    bytes.extend([REVISION, narrow(sid.parts().len())]);
    bytes.extend(&sid.authority().to_be_bytes()[2..]);
    sid.parts().iter().for_each(|part| bytes.extend(part.to_le_bytes()));
}

fn write_list(bytes: &mut Vec<u8>, entries: &[Entry]) {
    bytes.extend([LIST_REVISION, 0]);
    bytes.extend(narrow::<u16, _>(list_length(entries)).to_le_bytes());
    bytes.extend(narrow::<u16, _>(entries.len()).to_le_bytes());
    bytes.extend([0, 0]);
    for entry in entries {
        let kind = match entry.ace_type {
            AceType::Allow => ACCESS_ALLOWED_ACE_TYPE,
            AceType::Deny => ACCESS_DENIED_ACE_TYPE,
        };
        bytes.extend([kind, entry.flags]);
        bytes.extend(narrow::<u16, _>(entry_length(entry)).to_le_bytes());
        bytes.extend(entry.mask.to_le_bytes());
        write_sid(bytes, &entry.sid);
    }
}

/// Reads the descriptor at the beginning of `bytes`; what is behind it does not matter.
pub(super) fn read(bytes: &[u8]) -> Result<Descriptor, DescriptorError> {
    let [revision, _] = array(bytes, 0)?;
    if revision != REVISION {
        return Err(DescriptorError("its revision is not 1"));
    }
    let control = u16::from_le_bytes(array(bytes, 2)?);
    if control & SE_SELF_RELATIVE == 0 {
        return Err(DescriptorError("it is not self-relative"));
    }
    let offset = |at| -> Result<_, DescriptorError> { Ok(u32::from_le_bytes(array(bytes, at)?).to_usize()) };
    let part = |offset: usize| match offset {
        0 => Ok(None),
        1..HEAD => Err(DescriptorError("a part of it lies in its head")),
        _ => bytes.get(offset..).map(Some).ok_or(DescriptorError("a part of it lies behind its end")),
    };
    let list = part(offset(16)?)?;
    Ok(Descriptor {
        owner: part(offset(4)?)?.map(read_sid).transpose()?,
        group: part(offset(8)?)?.map(read_sid).transpose()?,
        protected: control & SE_DACL_PROTECTED != 0,
        list: match list {
            _ if control & SE_DACL_PRESENT == 0 => List::Absent,
            None => List::Null,
            Some(list) => List::Entries(read_list(list)?),
        },
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], DescriptorError> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(DescriptorError("it is cut short"))
}

/// Reads the identifier at the beginning of `bytes`.
fn read_sid(bytes: &[u8]) -> Result<Sid, DescriptorError> {
    let [revision, count] = array(bytes, 0)?;
    if revision != REVISION {
        return Err(DescriptorError("the revision of an identifier is not 1"));
    }
    let mut authority = [0; 8];
    authority[2..].copy_from_slice(&array::<6>(bytes, 2)?);
    let parts = (0..usize::from(count)).map(|n| array(bytes, sid_length(n)).map(u32::from_le_bytes));
    Sid::with(u64::from_be_bytes(authority), &parts.collect::<Result<Vec<_>, _>>()?)
        .ok_or(DescriptorError("an identifier has more than 15 subauthorities"))
}

fn read_list(bytes: &[u8]) -> Result<Vec<Entry>, DescriptorError> {
    let [revision, _] = array(bytes, 0)?;
    if !(LIST_REVISION..=LIST_REVISION_DS).contains(&revision) {
        return Err(DescriptorError("the revision of its list is neither 2 nor 4"));
    }
    let size = usize::from(u16::from_le_bytes(array(bytes, 2)?));
    let count = u16::from_le_bytes(array(bytes, 4)?);
    let bytes = bytes.get(..size).ok_or(DescriptorError("its list is cut short"))?;
    let mut rest =
        bytes.get(LIST_HEAD..).ok_or(DescriptorError("its list is shorter than the head of one"))?;
    (0..count)
        .map(|_| {
            let size = usize::from(u16::from_le_bytes(array(rest, 2)?));
            let (entry, behind) =
                rest.split_at_checked(size).ok_or(DescriptorError("an entry goes beyond its list"))?;
            rest = behind;
            read_entry(entry)
        })
        .collect()
}

fn read_entry(bytes: &[u8]) -> Result<Entry, DescriptorError> {
    let [kind, flags] = array(bytes, 0)?;
    let ace_type = match kind {
        ACCESS_ALLOWED_ACE_TYPE => AceType::Allow,
        ACCESS_DENIED_ACE_TYPE => AceType::Deny,
        _ => return Err(DescriptorError("an entry neither allows nor denies")),
    };
    let mask = u32::from_le_bytes(array(bytes, 4)?);
    let sid = read_sid(bytes.get(ENTRY_HEAD..).ok_or(DescriptorError("an entry is cut short"))?)?;
    Ok(Entry { ace_type, flags, mask, sid })
}
