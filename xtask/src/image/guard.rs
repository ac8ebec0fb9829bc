//! Control Flow Guard: a caller of the driver's callbacks checks the target against the image's table first.
//!
//! <https://learn.microsoft.com/windows/win32/secbp/pe-metadata>

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT,
        IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_SHIFT, IMAGE_GUARD_CF_INSTRUMENTED, ImageLoadConfigDirectory64,
    },
    read::pe::PeFile64,
};

use super::{Violation, tables::directory};

const CONFIGURATION: &str = "load configuration";
const TARGETS: &str = "table of call targets";

/// The part of the structure that an image with Control Flow Guard needs: up to the guard flags.
const LEAST: usize = 0x94;

pub(super) fn check(image: &PeFile64<'_>, faults: &mut Vec<Violation>) {
    faults.extend(guard(image).err());
}

fn guard(image: &PeFile64<'_>) -> Result<(), Violation> {
    let data = directory(image, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG).ok_or(Violation::Absent(CONFIGURATION))?;
    if data.len() < LEAST {
        return Err(Violation::Absent(CONFIGURATION));
    }
    // Images carry as much of the structure as their linker knew; what is missing counts as zero.
    let mut whole = [0; size_of::<ImageLoadConfigDirectory64>()];
    let known = data.len().min(whole.len());
    whole[..known].copy_from_slice(&data[..known]);
    let (config, _) = object::from_bytes::<ImageLoadConfigDirectory64>(&whole)
        .map_err(|()| Violation::Absent(CONFIGURATION))?;
    let flags = config.guard_flags.get(LE);
    let promised = IMAGE_GUARD_CF_INSTRUMENTED | IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT;
    if flags & promised != promised {
        return Err(Violation::GuardFlags(flags));
    }
    for pointer in [config.guard_cf_check_function_pointer, config.guard_cf_dispatch_function_pointer] {
        at(image, pointer.get(LE)).ok_or(Violation::Absent("pointer through which calls are checked"))?;
    }
    let table = at(image, config.guard_cf_function_table.get(LE)).ok_or(Violation::Absent(TARGETS))?;
    let stride = 4 + (flags >> IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_SHIFT) as usize;
    targets(image, table, stride, config.guard_cf_function_count.get(LE) as usize)
}

/// Checks that the `count` call targets in `table` are in order and in code.
fn targets(image: &PeFile64<'_>, table: &[u8], stride: usize, count: usize) -> Result<(), Violation> {
    if count == 0 {
        return Err(Violation::Absent(TARGETS));
    }
    let mut last = 0;
    for entry in 0..count {
        let damaged = Violation::Damaged { table: TARGETS, entry };
        let Some(bytes) = table.get(entry * stride..entry * stride + 4) else { return Err(damaged) };
        let target = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if target <= last || !is_code(image, target) {
            return Err(damaged);
        }
        last = target;
    }
    Ok(())
}

fn is_code(image: &PeFile64<'_>, address: u32) -> bool {
    image
        .section_table()
        .section_containing(address)
        .is_some_and(|section| section.characteristics.get(LE) & object::pe::IMAGE_SCN_MEM_EXECUTE != 0)
}

/// The image's data at its preferred address `address`.
fn at<'data>(image: &PeFile64<'data>, address: u64) -> Option<&'data [u8]> {
    let offset = address.checked_sub(image.nt_headers().optional_header.image_base.get(LE))?;
    image.section_table().pe_data_at(image.data(), u32::try_from(offset).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::{CONFIG, GUARD_TABLE, RDATA, faults_after};

    #[test]
    fn image_without_load_configuration_is_refused() {
        let faults =
            faults_after(|sample| sample.put_u32(sample.directory(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG), 0));
        assert_eq!(faults, [Violation::Absent(CONFIGURATION)]);
    }

    #[test]
    fn guard_flags_without_a_table_are_refused() {
        let faults = faults_after(|sample| sample.put_u32(sample.contents(RDATA) + CONFIG + 0x90, 0x100));
        assert_eq!(faults, [Violation::GuardFlags(0x100)]);
    }

    #[test]
    fn missing_check_pointer_is_noticed() {
        let faults = faults_after(|sample| sample.put_u32(sample.contents(RDATA) + CONFIG + 0x70, 0));
        assert_eq!(faults, [Violation::Absent("pointer through which calls are checked")]);
    }

    #[test]
    fn empty_table_is_refused() {
        let faults = faults_after(|sample| sample.put_u32(sample.contents(RDATA) + CONFIG + 0x88, 0));
        assert_eq!(faults, [Violation::Absent(TARGETS)]);
    }

    #[test]
    fn target_outside_code_is_refused() {
        let faults = faults_after(|sample| sample.put_u32(sample.contents(RDATA) + GUARD_TABLE + 4, 0x3000));
        assert_eq!(faults, [Violation::Damaged { table: TARGETS, entry: 1 }]);
    }

    #[test]
    fn targets_out_of_order_are_refused() {
        let faults = faults_after(|sample| sample.put_u32(sample.contents(RDATA) + GUARD_TABLE + 4, 0x1000));
        assert_eq!(faults, [Violation::Damaged { table: TARGETS, entry: 1 }]);
    }
}
