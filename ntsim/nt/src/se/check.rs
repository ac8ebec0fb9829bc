//! The access check (MS-DTYP 2.5.3.2, without objects that have parts and without privileges).

#![forbid(unsafe_code)]

use sys::status::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD};
use sys::wdm::{
    ACCESS_SYSTEM_SECURITY, FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE,
    GENERIC_ALL, GENERIC_EXECUTE, GENERIC_MAPPING, GENERIC_READ, GENERIC_WRITE, MAXIMUM_ALLOWED,
    READ_CONTROL, WRITE_DAC,
};

use super::descriptor::{AceType, Entry, List};
use super::{Descriptor, Sid, Subject};

/// The generic mapping of files.
pub(crate) static FILES: GENERIC_MAPPING = GENERIC_MAPPING {
    GenericRead: FILE_GENERIC_READ,
    GenericWrite: FILE_GENERIC_WRITE,
    GenericExecute: FILE_GENERIC_EXECUTE,
    GenericAll: FILE_ALL_ACCESS,
};

/// Replaces generic rights by what they stand for.
pub(crate) fn map(mask: u32, mapping: &GENERIC_MAPPING) -> u32 {
    [
        (GENERIC_READ, mapping.GenericRead),
        (GENERIC_WRITE, mapping.GenericWrite),
        (GENERIC_EXECUTE, mapping.GenericExecute),
        (GENERIC_ALL, mapping.GenericAll),
    ]
    .into_iter()
    .filter(|(generic, _)| mask & generic != 0)
    .fold(mask, |mask, (generic, meaning)| mask & !generic | meaning)
}

/// Returns the rights that a subject has to an object when it asks for `desired` and was granted `before`:
/// these and those that it asks for, or with [`MAXIMUM_ALLOWED`] all that it can have.
///
/// Rights granted before are not asked for again. A subject that asks for nothing and has nothing gets
/// nothing: so does `SeAccessCheck` of ReactOS (`ntoskrnl/se/accesschk.c`); the page of Windows' own does not
/// say.
///
/// # Errors
/// STATUS_ACCESS_DENIED if the descriptor refuses a right or none is left to be granted, and
/// STATUS_PRIVILEGE_NOT_HELD for the right to the system's list: no subject has privileges here.
pub(crate) fn check(
    descriptor: &Descriptor,
    subject: &Subject,
    desired: u32,
    before: u32,
    mapping: &GENERIC_MAPPING,
) -> Result<u32, NTSTATUS> {
    let desired = map(desired, mapping) & !before;
    if desired & ACCESS_SYSTEM_SECURITY != 0 {
        return Err(STATUS_PRIVILEGE_NOT_HELD);
    }
    let maximum = desired & MAXIMUM_ALLOWED != 0;
    let desired = desired & !MAXIMUM_ALLOWED;
    let allowed = match &descriptor.list {
        List::Absent | List::Null if maximum => mapping.GenericAll | desired,
        List::Absent | List::Null => desired,
        List::Entries(entries) => allowed(entries, descriptor.owner, subject, mapping),
    };
    let granted = before | if maximum { allowed } else { desired };
    if desired & !allowed != 0 || granted == 0 {
        return Err(STATUS_ACCESS_DENIED);
    }
    Ok(granted)
}

/// All rights that a list grants. The first entry that speaks of a right decides on it.
fn allowed(entries: &[Entry], owner: Option<Sid>, subject: &Subject, mapping: &GENERIC_MAPPING) -> u32 {
    let owns = owner.is_some_and(|owner| subject.is(&owner));
    let about_owner = |entry: &Entry| entry.applies() && entry.sid == Sid::OWNER_RIGHTS;
    // An owner can always get at the list, unless the list itself says what the owner may do.
    let implied = owns && !entries.iter().any(about_owner);
    let (mut granted, mut refused) = (if implied { READ_CONTROL | WRITE_DAC } else { 0 }, 0);
    for entry in entries.iter().filter(|entry| entry.applies()) {
        if subject.is(&entry.sid) || (owns && about_owner(entry)) {
            let mask = map(entry.mask, mapping);
            match entry.ace_type {
                AceType::Allow => granted |= mask & !refused,
                AceType::Deny => refused |= mask & !granted,
            }
        }
    }
    granted
}
