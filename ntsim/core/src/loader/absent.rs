//! Imports that the simulator does not have, of images that are loaded all the same: each has an address that nothing
//! may use, so that its first use stops there and can be named.

#![forbid(unsafe_code)]

use super::mapping::Mapping;
use crate::address::Va;

/// Bytes of address space for each import: a variable may be larger than a function's address.
const STRIDE: usize = 0x1000;

/// The missing imports of an image, in the order of its import table.
pub(super) struct Absent {
    place: Mapping,
    names: Vec<String>,
}

impl Absent {
    /// Reserves an address for each of `names`; `None` if there are none.
    pub(super) fn reserve(names: Vec<String>) -> std::io::Result<Option<Self>> {
        if names.is_empty() {
            return Ok(None);
        }
        let place = Mapping::inaccessible(names.len() * STRIDE)?;
        Ok(Some(Self { place, names }))
    }

    /// The address of the import with this number.
    pub(super) fn address(&self, number: usize) -> Va {
        self.place.base + number * STRIDE
    }

    /// The import that `address` stands for.
    pub(super) fn name(&self, address: Va) -> Option<&str> {
        let offset = address.checked_offset_from(self.place.base)?;
        self.names.get(offset / STRIDE).map(String::as_str)
    }

    /// All of them, as `module!function`.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}
