//! The parts of an intact image by their places in its file.

use core::ops::Range;

use object::LittleEndian as LE;
use object::pe;
use object::read::pe::PeFile64;

use crate::failure::CommandError;

/// The parts of an intact image by their places in its file.
pub(super) struct Layout {
    /// The signature, the file header, the optional header.
    pub(super) headers: Range<usize>,
    /// The optional header without its directories.
    pub(super) optional: usize,
    /// The directories: pairs of an address and a size.
    pub(super) directories: Range<usize>,
    /// The headers of sections, 40 bytes each.
    pub(super) section_headers: Range<usize>,
    /// The contents of the section of code, and what the others contain.
    pub(super) code: Range<usize>,
    /// The target of each directory, by the directory's number.
    pub(super) tables: Vec<(usize, Range<usize>)>,
    /// The function at which the image is entered.
    pub(super) entry: usize,
    /// By how much addresses of unwind information are greater than its places in the file.
    pub(super) unwind_shift: usize,
    /// The size of the image's address space, in bytes.
    pub(super) size: u32,
}

impl Layout {
    pub(super) fn of(data: &[u8]) -> Result<Self, CommandError> {
        let broken = |error: object::Error| CommandError::work(format!("an image that was built: {error}"));
        let file = PeFile64::parse(data).map_err(broken)?;
        let start = file.dos_header().nt_headers_offset() as usize;
        let optional = start + 24;
        let length = usize::from(file.nt_headers().file_header.size_of_optional_header.get(LE));
        let sections = file.section_table();
        let in_file = |rva: u32, length: u32| {
            let place = sections.iter().find_map(|section| section.pe_file_range_at(rva));
            place.map(|(start, left)| start as usize..(start + left.min(length)) as usize)
        };
        let entry = file.nt_headers().optional_header.address_of_entry_point.get(LE);
        let code = sections.iter().find_map(|section| {
            let (start, length) = section.pe_file_range();
            let executable = section.characteristics.get(LE) & pe::IMAGE_SCN_MEM_EXECUTE != 0;
            executable.then(|| start as usize..(start + length) as usize)
        });
        let tables = file.data_directories().iter().enumerate().filter_map(|(number, directory)| {
            let (rva, size) = directory.address_range();
            Some((number, in_file(rva, size).filter(|place| !place.is_empty())?))
        });
        let functions = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION);
        let functions = functions.and_then(|table| table.data(data, &sections).ok()).unwrap_or_default();
        let info = functions.get(8..12).map_or(0, |field| {
            field.iter().rev().fold(0, |number: u32, byte| number << 8 | u32::from(*byte))
        });
        let shift = in_file(info, 1).map_or(0, |place| info as usize - place.start);
        Ok(Self {
            unwind_shift: shift,
            headers: start..optional + length,
            optional,
            directories: optional + 112..optional + length,
            section_headers: optional + length..optional + length + 40 * sections.len(),
            code: code.unwrap_or_default(),
            tables: tables.collect(),
            entry: in_file(entry, 1).unwrap_or_default().start,
            size: file.nt_headers().optional_header.size_of_image.get(LE),
        })
    }
}
