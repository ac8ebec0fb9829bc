//! Checks of a driver image's headers, which come before anything else is done with it.
//!
//! The rules are those of Microsoft's page "PE Format"
//! (<https://learn.microsoft.com/windows/win32/debug/pe-format>). That a checksum of zero is not compared, and
//! that the sections have to follow each other without a gap, is what `LdrVerifyImageMatchesChecksum` and
//! `MmCheckSystemImage` are known to do.
//!
//! `IMAGE_FILE_DLL` says nothing here: drivers in Rust are linked with it, and Windows loads them.

#![forbid(unsafe_code)]

use crate::number::{Low, ToU64, ToUsize, narrow};
use object::LittleEndian as LE;
use object::pe::{self, ImageSectionHeader};
use object::read::pe::PeFile64;

use super::mapping::PAGE;

/// The largest size of an image: "PE32+ images allow for a 64-bit address space while limiting the image
/// size to 2 gigabytes".
const LARGEST: u64 = 1 << 31;

/// "The Windows loader limits the number of sections to 96."
const SECTIONS: usize = 96;

/// The number that the base address must be a multiple of.
const BASE_ALIGNMENT: u64 = 0x1_0000;

/// Checks the headers; the error is a sentence without its subject.
pub(super) fn check(file: &PeFile64<'_>, data: &[u8]) -> Result<(), String> {
    let header = &file.nt_headers().file_header;
    let optional = &file.nt_headers().optional_header;
    let machine = header.machine.get(LE);
    if machine != pe::IMAGE_FILE_MACHINE_AMD64 {
        return Err(format!("it is for machine {:#x}", machine.0));
    }
    if !header.characteristics.get(LE).contains(pe::IMAGE_FILE_EXECUTABLE_IMAGE) {
        return Err("its linker did not mark it as executable".into());
    }
    let subsystem = optional.subsystem.get(LE);
    if subsystem != pe::IMAGE_SUBSYSTEM_NATIVE {
        return Err(format!("its subsystem is {}, and that of a driver is native, 1", subsystem.0));
    }
    if !optional.image_base.get(LE).is_multiple_of(BASE_ALIGNMENT) {
        return Err("its base address is not a multiple of 64 KiB".into());
    }
    let alignment = optional.section_alignment.get(LE);
    if !alignment.is_power_of_two() || !(alignment.to_usize()).is_multiple_of(PAGE) {
        return Err("its sections are not page aligned".into());
    }
    let file_alignment = optional.file_alignment.get(LE);
    if !file_alignment.is_power_of_two() || !(0x200..=0x1_0000.min(alignment)).contains(&file_alignment) {
        return Err(format!("its parts are aligned to {file_alignment:#x} bytes in the file"));
    }
    let headers = optional.size_of_headers.get(LE);
    if headers == 0 || headers.to_usize() > data.len() {
        return Err(format!("its headers take {headers:#x} of {:#x} bytes", data.len()));
    }
    let end = sections(file, data)?;
    let size = u64::from(optional.size_of_image.get(LE)).next_multiple_of(u64::from(alignment));
    if size != end {
        return Err(format!("it says that it takes {size:#x} bytes, and its sections end at {end:#x}"));
    }
    let entry = optional.address_of_entry_point.get(LE);
    let code =
        |section: &&ImageSectionHeader| section.characteristics.get(LE).contains(pe::IMAGE_SCN_MEM_EXECUTE);
    if !file.section_table().iter().filter(code).any(|section| extent(section).contains(&u64::from(entry))) {
        return Err(format!("its entry point, {entry:#x}, lies in no executable section"));
    }
    checksum(file, data)
}

/// The place of a section, relative to the base.
fn extent(section: &ImageSectionHeader) -> core::ops::Range<u64> {
    let start = u64::from(section.virtual_address.get(LE));
    start..start + u64::from(size(section))
}

/// Returns the number of bytes that a section takes in the image.
pub(super) fn size(section: &ImageSectionHeader) -> u32 {
    match section.virtual_size.get(LE) {
        0 => section.size_of_raw_data.get(LE),
        size => size,
    }
}

/// Checks that the sections follow each other, and returns where the last ends.
fn sections(file: &PeFile64<'_>, data: &[u8]) -> Result<u64, String> {
    let optional = &file.nt_headers().optional_header;
    let alignment = u64::from(optional.section_alignment.get(LE));
    let table = file.section_table();
    if table.is_empty() || table.len() > SECTIONS {
        return Err(format!("it has {} sections", table.len()));
    }
    let mut next = u64::from(optional.size_of_headers.get(LE)).next_multiple_of(alignment);
    for section in table.iter() {
        let name = String::from_utf8_lossy(section.raw_name()).escape_default().to_string();
        let (place, start) = (extent(section), section.pointer_to_raw_data.get(LE));
        if place.start != next || place.is_empty() {
            let text = format!("section {name} takes {place:#x?}, and the one before ends at {next:#x}");
            return Err(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        next = place.end.next_multiple_of(alignment);
        if next > LARGEST {
            return Err(format!("section {name} ends at {:#x}, beyond two gigabytes", place.end));
        }
        let length = section.size_of_raw_data.get(LE);
        if length == 0 {
            continue;
        }
        let end = u64::from(start) + u64::from(length);
        if !start.is_multiple_of(optional.file_alignment.get(LE)) || end > data.len().to_u64() {
            let text =
                format!("section {name} is at {start:#x}..{end:#x} of a file of {:#x} bytes", data.len());
            return Err(text);
        }
    }
    Ok(next)
}

/// "The following are checked for validation at load time: all drivers [...]"
fn checksum(file: &PeFile64<'_>, data: &[u8]) -> Result<(), String> {
    let said = file.nt_headers().optional_header.check_sum.get(LE);
    let found = sum(data, file.dos_header().nt_headers_offset().to_usize() + CHECKSUM);
    if said != 0 && said != found {
        return Err(format!("its checksum is {said:#x}, and that of its bytes {found:#x}"));
    }
    Ok(())
}

/// Offset of the checksum from the beginning of the NT headers.
pub(super) const CHECKSUM: usize = 4 + 20 + 64;

/// The sum of the 16-bit words with the carry added back, without the checksum at `field`, plus the length.
pub fn sum(data: &[u8], field: usize) -> u32 {
    let mut sum: u64 = 0;
    for (index, pair) in data.chunks(2).enumerate() {
        if !(field..field + 4).contains(&(2 * index)) {
            sum += u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 8;
        }
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum.low_u32() + narrow::<u32, _>(data.len())
}
