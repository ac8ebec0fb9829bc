//! The requirements of memory integrity on an image (Driver Verifier's code integrity checking).
//!
//! The codes are those of Microsoft's page "Code integrity checking". Its 0x2004, sections that do not lie on
//! pages of their own, does not get here: the loader refuses such an image.

#![forbid(unsafe_code)]

use std::path::Path;

use object::LittleEndian as LE;
use object::pe::{self, ImageSectionHeader};
use object::read::pe::PeFile64;

use crate::bugcheck::Bugcheck;

/// A property of an image for which memory integrity refuses it.
#[derive(Clone, Debug)]
pub struct Warning {
    /// Bug check 0xC4: the code; where Windows has pointers to names, the section's address in the image.
    pub bugcheck: Bugcheck,
    /// The section, the image and the property.
    pub text: String,
}

/// The properties of the image that was read from `path` for which memory integrity refuses it.
pub(super) fn check(file: &PeFile64<'_>, path: &Path) -> Vec<Warning> {
    let has = |section: &ImageSectionHeader, flag| section.characteristics.get(LE).contains(flag);
    let code = |section: &ImageSectionHeader| has(section, pe::IMAGE_SCN_MEM_EXECUTE);
    let sections = file.section_table();
    let writable = sections.iter().filter(|section| code(section) && has(section, pe::IMAGE_SCN_MEM_WRITE));
    let mut warnings: Vec<_> =
        writable.map(|section| warning(0x2003, path, section, "is executable and writable")).collect();
    let table = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_IAT).map(|table| table.address_range().0);
    let section = table.and_then(|start| sections.section_containing(start));
    if let Some(section) = section.filter(|section| code(section)) {
        let what = "is executable and has the table of imported addresses in it";
        warnings.push(warning(0x2005, path, section, what));
    }
    warnings
}

fn warning(code: u64, path: &Path, section: &ImageSectionHeader, what: &str) -> Warning {
    let name = String::from_utf8_lossy(section.raw_name());
    let parameters = [code, 0, u64::from(section.virtual_address.get(LE)), 0];
    Warning {
        bugcheck: Bugcheck { code: 0xC4, parameters },
        text: format!("section {name} of {} {what}", path.display()),
    }
}
