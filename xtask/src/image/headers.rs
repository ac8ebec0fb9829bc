//! Machine, subsystem and what the header promises the loader.

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_GUARD_CF,
        IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        IMAGE_FILE_MACHINE_AMD64, IMAGE_SUBSYSTEM_NATIVE,
    },
    read::pe::PeFile64,
};

use super::Violation;

/// The flags of every driver's header. High entropy costs a 64-bit image nothing: its addresses are wide anyway.
const PROMISES: &[(u16, &str)] = &[
    (IMAGE_DLLCHARACTERISTICS_NX_COMPAT, "NX_COMPAT"),
    (IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, "DYNAMIC_BASE"),
    (IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, "HIGH_ENTROPY_VA"),
    (IMAGE_DLLCHARACTERISTICS_GUARD_CF, "GUARD_CF"),
];

pub(super) fn check(image: &PeFile64<'_>, faults: &mut Vec<Violation>) {
    let headers = image.nt_headers();
    let machine = headers.file_header.machine.get(LE);
    if machine != IMAGE_FILE_MACHINE_AMD64 {
        faults.push(Violation::Format(format!("its machine is {machine:#x}")));
    }
    let subsystem = headers.optional_header.subsystem.get(LE);
    if subsystem != IMAGE_SUBSYSTEM_NATIVE {
        faults.push(Violation::Subsystem(subsystem));
    }
    let characteristics = headers.optional_header.dll_characteristics.get(LE);
    faults.extend(
        PROMISES
            .iter()
            .filter(|(bit, _)| characteristics & bit == 0)
            .map(|(_, name)| Violation::Characteristic(name)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::{Sample, faults_after};

    #[test]
    fn image_for_another_machine_is_refused() {
        let faults = faults_after(|sample: &mut Sample| sample.put_u16(sample.file_header(), 0x14c));
        assert!(matches!(faults[..], [Violation::Format(_)]), "{faults:?}");
    }

    #[test]
    fn subsystem_other_than_native_is_refused() {
        let faults = faults_after(|sample| sample.put_u16(sample.optional_header() + 68, 3));
        assert_eq!(faults, [Violation::Subsystem(3)]);
    }

    #[test]
    fn each_promise_that_the_header_lacks_is_named() {
        for (bit, name) in PROMISES {
            let faults = faults_after(|sample| {
                let field = sample.optional_header() + 70;
                let value = sample.u16(field);
                sample.put_u16(field, value & !bit);
            });
            assert_eq!(faults, [Violation::Characteristic(name)]);
        }
    }
}
