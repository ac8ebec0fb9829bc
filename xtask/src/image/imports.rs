//! Imports: by name, and only what the kernel's modules really export.

use object::{
    LittleEndian as LE,
    pe::ImageNtHeaders64,
    read::pe::{Import, ImportTable, PeFile64},
};

use super::{Exports, Violation};

pub(super) fn check(image: &PeFile64<'_>, exports: &Exports, faults: &mut Vec<Violation>) {
    let found = image.import_table().and_then(|table| match table {
        Some(table) => unknown(&table, exports),
        None => Ok(vec![Violation::Absent("imports")]),
    });
    match found {
        Ok(unknown) => faults.extend(unknown),
        Err(error) => faults.push(Violation::Format(format!("its imports cannot be read: {error}"))),
    }
}

/// The imports that no module is known to export.
fn unknown(table: &ImportTable<'_>, exports: &Exports) -> object::Result<Vec<Violation>> {
    let mut faults = Vec::new();
    let mut descriptors = table.descriptors()?;
    while let Some(descriptor) = descriptors.next()? {
        let module = String::from_utf8_lossy(table.name(descriptor.name.get(LE))?).into_owned();
        let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE))?;
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
            match table.import::<ImageNtHeaders64>(thunk)? {
                Import::Ordinal(ordinal) => faults.push(Violation::Ordinal(format!("{module}#{ordinal}"))),
                Import::Name(_, function) => {
                    let function = String::from_utf8_lossy(function).into_owned();
                    if !exports.has(&module, &function) {
                        faults.push(Violation::Import { module: module.clone(), function });
                    }
                }
            }
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::{FUNCTION_NAME, MODULE_NAME, RDATA, THUNK, faults_after};

    #[test]
    fn function_that_its_module_does_not_export_is_named() {
        let faults = faults_after(|sample| {
            let name = sample.contents(RDATA) + FUNCTION_NAME;
            sample.bytes[name] = b'X';
        });
        let expected =
            Violation::Import { module: "ntoskrnl.exe".to_owned(), function: "XbgPrint".to_owned() };
        assert_eq!(faults, [expected]);
    }

    #[test]
    fn module_outside_the_list_is_named() {
        let faults = faults_after(|sample| {
            let name = sample.contents(RDATA) + MODULE_NAME;
            sample.bytes[name] = b'X';
        });
        let expected =
            Violation::Import { module: "Xtoskrnl.exe".to_owned(), function: "DbgPrint".to_owned() };
        assert_eq!(faults, [expected]);
    }

    #[test]
    fn import_by_ordinal_is_refused() {
        let faults = faults_after(|sample| {
            let thunk = sample.contents(RDATA) + THUNK;
            sample.put_u32(thunk, 7);
            sample.put_u32(thunk + 4, 0x8000_0000);
        });
        assert_eq!(faults, [Violation::Ordinal("ntoskrnl.exe#7".to_owned())]);
    }
}
