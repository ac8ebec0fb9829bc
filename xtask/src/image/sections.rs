//! Sections: each on pages of its own, none both writable and executable, the entry point in code.

use object::{
    LittleEndian as LE,
    pe::{IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE, ImageSectionHeader},
    read::pe::PeFile64,
};

use super::Violation;

/// The protection of memory is set by the page.
const PAGE: u32 = 4096;

pub(super) fn check(image: &PeFile64<'_>, faults: &mut Vec<Violation>) {
    let header = &image.nt_headers().optional_header;
    let mut free = header.size_of_headers.get(LE);
    for section in image.section_table().iter() {
        let (start, size) = (section.virtual_address.get(LE), section.virtual_size.get(LE));
        if start % PAGE != 0 || start < free {
            faults.push(Violation::Alignment(name(section)));
        }
        free = start.saturating_add(size);
        let characteristics = section.characteristics.get(LE);
        if characteristics & IMAGE_SCN_MEM_WRITE != 0 && characteristics & IMAGE_SCN_MEM_EXECUTE != 0 {
            faults.push(Violation::WritableCode(name(section)));
        }
    }
    let entry = header.address_of_entry_point.get(LE);
    let in_code = image
        .section_table()
        .section_containing(entry)
        .is_some_and(|section| section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE != 0);
    if !in_code {
        faults.push(Violation::Entry(entry));
    }
}

fn name(section: &ImageSectionHeader) -> String {
    String::from_utf8_lossy(section.raw_name()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::{DATA, TEXT, faults_after};

    #[test]
    fn section_that_starts_within_a_page_is_refused() {
        let faults = faults_after(|sample| {
            let start = sample.section(DATA) + 12;
            let value = sample.u32(start);
            sample.put_u32(start, value + 0x200);
        });
        assert!(faults.contains(&Violation::Alignment(".data".to_owned())), "{faults:?}");
    }

    #[test]
    fn section_that_reaches_into_the_next_is_refused() {
        let faults = faults_after(|sample| sample.put_u32(sample.section(TEXT) + 8, 0x1001));
        assert_eq!(faults, [Violation::Alignment(".rdata".to_owned())]);
    }

    #[test]
    fn writable_code_is_refused() {
        let faults = faults_after(|sample| {
            let field = sample.section(TEXT) + 36;
            let value = sample.u32(field);
            sample.put_u32(field, value | IMAGE_SCN_MEM_WRITE);
        });
        assert_eq!(faults, [Violation::WritableCode(".text".to_owned())]);
    }

    #[test]
    fn entry_point_in_data_is_refused() {
        let faults = faults_after(|sample| {
            let data = sample.u32(sample.section(DATA) + 12);
            sample.put_u32(sample.optional_header() + 16, data);
        });
        assert_eq!(faults[..1], [Violation::Entry(0x3000)]);
    }
}
