//! The tables that a kernel image cannot do without: base relocations and the exception table.

use object::{
    LittleEndian as LE, U32,
    pe::{IMAGE_DIRECTORY_ENTRY_BASERELOC, IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_FILE_RELOCS_STRIPPED},
    read::pe::{PeFile64, RelocationBlockIterator},
};

use super::Violation;

const RELOCATIONS: &str = "relocations";
const EXCEPTIONS: &str = "exception table";

pub(super) fn check(image: &PeFile64<'_>, faults: &mut Vec<Violation>) {
    faults.extend(relocations(image).err());
    faults.extend(exceptions(image).err());
}

/// Without relocations the loader cannot place the image where it wants.
fn relocations(image: &PeFile64<'_>) -> Result<(), Violation> {
    let stripped = image.nt_headers().file_header.characteristics.get(LE) & IMAGE_FILE_RELOCS_STRIPPED != 0;
    let data = directory(image, IMAGE_DIRECTORY_ENTRY_BASERELOC).filter(|_| !stripped);
    let mut blocks = RelocationBlockIterator::new(data.ok_or(Violation::Absent(RELOCATIONS))?);
    let mut entry = 0;
    while let Some(block) = blocks.next().map_err(|_| Violation::Damaged { table: RELOCATIONS, entry })? {
        for relocation in block {
            if image.section_table().section_containing(relocation.virtual_address).is_none() {
                return Err(Violation::Damaged { table: RELOCATIONS, entry });
            }
            entry += 1;
        }
    }
    if entry == 0 { Err(Violation::Absent(RELOCATIONS)) } else { Ok(()) }
}

/// The system finds a function's unwind information by binary search, so the entries must be in order.
fn exceptions(image: &PeFile64<'_>) -> Result<(), Violation> {
    let data = directory(image, IMAGE_DIRECTORY_ENTRY_EXCEPTION).ok_or(Violation::Absent(EXCEPTIONS))?;
    let (entries, rest) = object::slice_from_all_bytes::<[U32<LE>; 3]>(data)
        .map(|entries| (entries, 0))
        .unwrap_or((&[], data.len()));
    if entries.is_empty() || rest > 0 {
        return Err(Violation::Absent(EXCEPTIONS));
    }
    let mut free = 0;
    for (entry, [begin, end, unwind]) in entries.iter().enumerate() {
        let (begin, end) = (begin.get(LE), end.get(LE));
        let unwound = image.section_table().section_containing(unwind.get(LE)).is_some();
        if begin < free || end <= begin || !unwound {
            return Err(Violation::Damaged { table: EXCEPTIONS, entry });
        }
        free = end;
    }
    Ok(())
}

/// The bytes of one of the image's tables, where it has it.
pub(super) fn directory<'data>(image: &PeFile64<'data>, index: usize) -> Option<&'data [u8]> {
    image.data_directory(index)?.data(image.data(), &image.section_table()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::{PDATA, RELOC, faults_after};

    #[test]
    fn image_without_relocations_is_refused() {
        let faults =
            faults_after(|sample| sample.put_u32(sample.directory(IMAGE_DIRECTORY_ENTRY_BASERELOC), 0));
        assert_eq!(faults, [Violation::Absent(RELOCATIONS)]);
    }

    #[test]
    fn image_that_says_its_relocations_are_stripped_is_refused() {
        let faults = faults_after(|sample| {
            let field = sample.file_header() + 18;
            let value = sample.u16(field);
            sample.put_u16(field, value | IMAGE_FILE_RELOCS_STRIPPED);
        });
        assert_eq!(faults, [Violation::Absent(RELOCATIONS)]);
    }

    #[test]
    fn relocation_outside_the_image_is_refused() {
        let faults = faults_after(|sample| sample.put_u32(sample.contents(RELOC), 0x10_0000));
        assert_eq!(faults, [Violation::Damaged { table: RELOCATIONS, entry: 0 }]);
    }

    #[test]
    fn image_without_exception_table_is_refused() {
        let faults =
            faults_after(|sample| sample.put_u32(sample.directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION), 0));
        assert_eq!(faults, [Violation::Absent(EXCEPTIONS)]);
    }

    #[test]
    fn exception_table_out_of_order_is_refused() {
        let faults = faults_after(|sample| {
            let second = sample.contents(PDATA) + 12;
            sample.put_u32(second, 0x1000);
        });
        assert_eq!(faults, [Violation::Damaged { table: EXCEPTIONS, entry: 1 }]);
    }
}
