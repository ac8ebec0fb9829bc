//! A small image that keeps every rule, for the tests to break one rule at a time.

use object::{
    pe::{
        IMAGE_DIRECTORY_ENTRY_IMPORT, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG,
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_GUARD_CF,
        IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        IMAGE_FILE_EXECUTABLE_IMAGE, IMAGE_FILE_MACHINE_AMD64, IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT,
        IMAGE_GUARD_CF_INSTRUMENTED, IMAGE_REL_BASED_DIR64, IMAGE_SUBSYSTEM_NATIVE,
    },
    write::pe::{NtHeaders, Writer},
};

use super::{Exports, Violation, checksum, faults};

// The sections, by their place in the section table.
pub(super) const TEXT: usize = 0;
pub(super) const RDATA: usize = 1;
pub(super) const DATA: usize = 2;
pub(super) const PDATA: usize = 3;
pub(super) const RELOC: usize = 4;

// What `.rdata` holds, by offset. The import directory is at its start.
pub(super) const THUNK: usize = 0x40;
const ADDRESSES: usize = 0x50;
const HINT: usize = 0x70;
pub(super) const FUNCTION_NAME: usize = HINT + 2;
pub(super) const MODULE_NAME: usize = 0x80;
pub(super) const GUARD_TABLE: usize = 0xa0;
const CHECK_POINTER: usize = 0xb0;
pub(super) const CONFIG: usize = 0x100;
const CONFIG_SIZE: usize = 0xc0;

const BASE: u64 = 0x1_8000_0000;
const TEXT_ADDRESS: u32 = 0x1000;
const RDATA_ADDRESS: u32 = 0x2000;

/// The faults of the sample once `change` has been made to it and its checksum put right.
pub(super) fn faults_after(change: impl FnOnce(&mut Sample)) -> Vec<Violation> {
    let mut sample = Sample::good();
    change(&mut sample);
    sample.put_checksum();
    faults(&sample.bytes, &Sample::exports())
}

/// The image's bytes, and where in them to find what.
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
}

impl Sample {
    pub(super) fn exports() -> Exports {
        Exports::of("LIBRARY ntoskrnl.exe\nEXPORTS\n    ; https://learn.microsoft.com/\n    DbgPrint\n")
    }

    pub(super) fn good() -> Self {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(true, 0x1000, 0x200, &mut bytes);
        writer.reserve_dos_header_and_stub();
        writer.reserve_nt_headers(16);
        writer.reserve_section_headers(5);
        let text = writer.reserve_text_section(0x40);
        let rdata = writer.reserve_rdata_section(0x200);
        let data = writer.reserve_data_section(0x10, 0x10);
        let pdata = writer.reserve_pdata_section(24);
        writer.add_reloc(RDATA_ADDRESS + CHECK_POINTER as u32, IMAGE_REL_BASED_DIR64);
        writer.reserve_reloc_section();
        writer.set_data_directory(IMAGE_DIRECTORY_ENTRY_IMPORT, RDATA_ADDRESS, 0x28);
        let config = RDATA_ADDRESS + CONFIG as u32;
        writer.set_data_directory(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, config, CONFIG_SIZE as u32);
        writer.write_dos_header_and_stub().unwrap();
        writer.write_nt_headers(headers());
        writer.write_section_headers();
        writer.write_section(text.file_offset, &[0xc3; 0x40]);
        writer.write_section(rdata.file_offset, &read_only_data());
        writer.write_section(data.file_offset, &[0; 0x10]);
        writer.write_section(pdata.file_offset, &exception_table());
        writer.write_reloc_section();
        let mut sample = Self { bytes };
        sample.put_checksum();
        sample
    }

    pub(super) fn file_header(&self) -> usize {
        self.u32(0x3c) as usize + 4
    }

    pub(super) fn optional_header(&self) -> usize {
        self.file_header() + 20
    }

    /// Offset of the entry of one of the image's tables, in its optional header.
    pub(super) fn directory(&self, index: usize) -> usize {
        self.optional_header() + 112 + index * 8
    }

    /// Offset of the header of a section.
    pub(super) fn section(&self, index: usize) -> usize {
        self.optional_header() + 240 + index * 40
    }

    /// Offset of the contents of a section.
    pub(super) fn contents(&self, index: usize) -> usize {
        self.u32(self.section(index) + 20) as usize
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes[at..at + 2].try_into().unwrap())
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    pub(super) fn put_u16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn put_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn put_checksum(&mut self) {
        let field = self.optional_header() + checksum::FIELD;
        self.put_u32(field, checksum::of(&self.bytes, field));
    }
}

fn headers() -> NtHeaders {
    NtHeaders {
        machine: IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: IMAGE_FILE_EXECUTABLE_IMAGE,
        major_linker_version: 14,
        minor_linker_version: 0,
        address_of_entry_point: TEXT_ADDRESS,
        image_base: BASE,
        major_operating_system_version: 10,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 10,
        minor_subsystem_version: 0,
        subsystem: IMAGE_SUBSYSTEM_NATIVE,
        dll_characteristics: IMAGE_DLLCHARACTERISTICS_NX_COMPAT
            | IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
            | IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA
            | IMAGE_DLLCHARACTERISTICS_GUARD_CF,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    }
}

/// One import, a table of two call targets and the load configuration.
fn read_only_data() -> Vec<u8> {
    let mut data = vec![0; 0x200];
    let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
    let offset = |at: usize| RDATA_ADDRESS + at as u32;
    let address = |at: usize| BASE + u64::from(offset(at));
    put(0, &offset(THUNK).to_le_bytes());
    put(12, &offset(MODULE_NAME).to_le_bytes());
    put(16, &offset(ADDRESSES).to_le_bytes());
    put(THUNK, &offset(HINT).to_le_bytes());
    put(ADDRESSES, &offset(HINT).to_le_bytes());
    put(FUNCTION_NAME, b"DbgPrint");
    put(MODULE_NAME, b"ntoskrnl.exe");
    put(GUARD_TABLE, &TEXT_ADDRESS.to_le_bytes());
    put(GUARD_TABLE + 4, &(TEXT_ADDRESS + 16).to_le_bytes());
    let flags = IMAGE_GUARD_CF_INSTRUMENTED | IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT;
    put(CONFIG, &(CONFIG_SIZE as u32).to_le_bytes());
    put(CONFIG + 0x70, &address(CHECK_POINTER).to_le_bytes());
    put(CONFIG + 0x78, &address(CHECK_POINTER).to_le_bytes());
    put(CONFIG + 0x80, &address(GUARD_TABLE).to_le_bytes());
    put(CONFIG + 0x88, &2_u64.to_le_bytes());
    put(CONFIG + 0x90, &flags.to_le_bytes());
    data
}

/// Two functions, each with its begin, its end and its unwind information.
fn exception_table() -> Vec<u8> {
    let first = [TEXT_ADDRESS, TEXT_ADDRESS + 8, RDATA_ADDRESS];
    let second = [TEXT_ADDRESS + 16, TEXT_ADDRESS + 24, RDATA_ADDRESS];
    [first, second].concat().into_iter().flat_map(u32::to_le_bytes).collect()
}

#[test]
fn good_image_has_no_faults() {
    assert_eq!(faults(&Sample::good().bytes, &Sample::exports()), []);
}
