//! A file of compiled resources, as the linkers take it.
//!
//! Format: <https://learn.microsoft.com/windows/win32/menurc/resourceheader>.

use core::num::TryFromIntError;

/// English (United States).
const LANGUAGE: u16 = 0x0409;
/// The one name that the resources of a driver have.
const NAME: u16 = 1;

/// A resource.
pub(crate) struct Resource {
    /// `RT_...`
    pub(crate) kind: u16,
    /// Its contents.
    pub(crate) data: Vec<u8>,
}

/// The file: an empty resource, which marks the format, and the others.
///
/// # Errors
///
/// A resource is too long for the field that has its length.
pub(crate) fn file(resources: &[Resource]) -> Result<Vec<u8>, TryFromIntError> {
    let mut file = header(0, 0, 0, 0);
    for Resource { kind, data } in resources {
        file.extend(header(data.len().try_into()?, *kind, NAME, LANGUAGE));
        file.extend(data);
        file.resize(file.len().next_multiple_of(4), 0);
    }
    Ok(file)
}

/// A RESOURCEHEADER whose type and name are numbers.
fn header(data: u32, kind: u16, name: u16, language: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [data, 32] {
        bytes.extend(field.to_le_bytes());
    }
    // Two numbers, the version of the data, then flags: MOVEABLE | PURE for what is a resource.
    let flags = if kind == 0 { 0 } else { 0x30 };
    for field in [0xFFFF, kind, 0xFFFF, name, 0, 0, flags, language] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend([0; 8]);
    bytes
}
