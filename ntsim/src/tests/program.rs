//! Driver images made on the spot, from a few functions of machine code.

use std::path::{Path, PathBuf};

use object::pe;
use object::write::pe::{NtHeaders, Writer};

/// The preferred base address of the image.
const IMAGE_BASE: u64 = 0x1_4000_0000;
/// The beginning of the functions, one every [`STRIDE`] bytes.
pub(super) const TEXT: u32 = 0x1000;
/// Bytes for each function.
pub(super) const STRIDE: u32 = 0x100;
/// The beginning of the import table; its addresses are eight bytes each from there.
const RDATA: u32 = 0x2000;
/// The beginning of the writable section: the stack cookie, a pointer to this place, a string, zeros.
pub(super) const DATA: u32 = 0x3000;
/// Offset of the string in the writable section.
pub(super) const STRING: u32 = DATA + 0x10;
/// The text of the string.
pub(super) const TEXT_OF_STRING: &str = "hello from %s";

const DEFAULT_COOKIE: u64 = 0x0000_2B99_2DDF_A232;

/// Bytes of stack that each function takes: room for the arguments of what it calls, aligned.
const FRAME: u8 = 40;

/// `mov rcx, rax`.
pub(super) const RAX_TO_RCX: &[u8] = &[0x48, 0x89, 0xC1];
/// `mov rdx, rax`.
pub(super) const RAX_TO_RDX: &[u8] = &[0x48, 0x89, 0xC2];

/// The imports of an image, as (module, function).
pub(super) type Imports<'a> = &'a [(&'a str, &'a str)];

/// A length as a field of an image holds it.
fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap()
}

/// One function's machine code.
pub(super) struct Function {
    code: Vec<u8>,
    start: u32,
}

impl Function {
    /// Calls import number `slot`.
    pub(super) fn call(&mut self, slot: u32) -> &mut Self {
        self.raw(&[0xFF, 0x15]).relative(RDATA + 8 * slot)
    }

    /// Puts the address that import number `slot` was bound to into `rax`.
    pub(super) fn import(&mut self, slot: u32) -> &mut Self {
        self.raw(&[0x48, 0x8B, 0x05]).relative(RDATA + 8 * slot)
    }

    /// Calls function number `number`.
    pub(super) fn call_function(&mut self, number: u32) -> &mut Self {
        self.raw(&[0xE8]).relative(TEXT + STRIDE * number)
    }

    /// Puts the address of `rva` into `rax`.
    pub(super) fn address(&mut self, rva: u32) -> &mut Self {
        self.raw(&[0x48, 0x8D, 0x05]).relative(rva)
    }

    /// Stores `rax` at `rva`.
    pub(super) fn store(&mut self, rva: u32) -> &mut Self {
        self.raw(&[0x48, 0x89, 0x05]).relative(rva)
    }

    /// Puts a number into `ecx`.
    pub(super) fn ecx(&mut self, value: u32) -> &mut Self {
        self.raw(&[0xB9]).raw(&value.to_le_bytes())
    }

    /// Puts a number into `edx`.
    pub(super) fn edx(&mut self, value: u32) -> &mut Self {
        self.raw(&[0xBA]).raw(&value.to_le_bytes())
    }

    /// Puts a number into `r8d`.
    pub(super) fn r8d(&mut self, value: u32) -> &mut Self {
        self.raw(&[0x41, 0xB8]).raw(&value.to_le_bytes())
    }

    /// Keeps `rbx` for the caller, in the home of the first argument.
    pub(super) fn save_rbx(&mut self) -> &mut Self {
        self.raw(&[0x48, 0x89, 0x5C, 0x24, FRAME + 8])
    }

    /// Gives `rbx` back.
    pub(super) fn restore_rbx(&mut self) -> &mut Self {
        self.raw(&[0x48, 0x8B, 0x5C, 0x24, FRAME + 8])
    }

    /// Lets function number `number` be the unload routine of the driver object in `rcx`.
    pub(super) fn set_unload(&mut self, number: u32) -> &mut Self {
        self.address(TEXT + STRIDE * number).raw(&[0x48, 0x89, 0x41, 0x68])
    }

    /// Adds machine code.
    pub(super) fn raw(&mut self, code: &[u8]) -> &mut Self {
        self.code.extend(code);
        self
    }

    fn relative(&mut self, target: u32) -> &mut Self {
        let next = self.start + size(self.code.len()) + 4;
        self.raw(&target.wrapping_sub(next).to_le_bytes())
    }
}

/// Writes an image of the given functions into `folder`, the first being the entry point. Each is entered
/// with a frame set up, and after its code returns the value of `eax`.
pub(super) fn write(
    folder: &Path,
    name: &str,
    imports: Imports<'_>,
    functions: &[&dyn Fn(&mut Function)],
) -> PathBuf {
    let mut text = Vec::new();
    for body in functions {
        let start = TEXT + size(text.len());
        let mut function = Function { code: vec![0x48, 0x83, 0xEC, FRAME], start };
        body(&mut function);
        function.raw(&[0x48, 0x83, 0xC4, FRAME, 0xC3]);
        assert!(function.code.len() <= STRIDE as usize);
        function.code.resize(STRIDE as usize, 0xCC);
        text.extend(function.code);
    }
    let path = folder.join(name);
    std::fs::write(&path, image(imports, &text)).unwrap();
    path
}

/// An image of this code, the entry point at its beginning.
pub(super) fn image(imports: Imports<'_>, text: &[u8]) -> Vec<u8> {
    let rdata = ReadOnly::new(imports, size(text.len()));
    let mut data = DEFAULT_COOKIE.to_le_bytes().to_vec();
    data.extend((IMAGE_BASE + u64::from(DATA)).to_le_bytes());
    data.extend(TEXT_OF_STRING.as_bytes());
    data.resize(0x200, 0);

    let mut buffer = Vec::new();
    let mut writer = Writer::new(true, 0x1000, 0x200, &mut buffer);
    writer.reserve_dos_header();
    writer.reserve_nt_headers(16);
    writer.reserve_section_headers(4);
    let text_range = writer.reserve_text_section(size(text.len()));
    let rdata_range = writer.reserve_rdata_section(size(rdata.bytes.len()));
    let data_range = writer.reserve_data_section(size(data.len()), size(data.len()));
    let places = [text_range, rdata_range, data_range].map(|range| range.virtual_address);
    assert_eq!(places, [TEXT, RDATA, DATA]);
    writer.add_reloc(DATA + 8, pe::IMAGE_REL_BASED_DIR64);
    writer.reserve_reloc_section();
    let (start, size) = rdata.descriptors;
    writer.set_data_directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT, start, size);
    writer.set_data_directory(pe::IMAGE_DIRECTORY_ENTRY_IAT, RDATA, 8 * (self::size(imports.len()) + 1));
    let (start, size) = rdata.functions;
    writer.set_data_directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION, start, size);
    let (start, size) = rdata.config;
    writer.set_data_directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, start, size);

    writer.write_empty_dos_header().unwrap();
    writer.write_nt_headers(headers());
    writer.write_section_headers();
    writer.write_section(text_range.file_offset, text);
    writer.write_section(rdata_range.file_offset, &rdata.bytes);
    writer.write_section(data_range.file_offset, &data);
    writer.write_reloc_section();
    buffer
}

fn headers() -> NtHeaders {
    NtHeaders {
        machine: pe::IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE | pe::IMAGE_FILE_LARGE_ADDRESS_AWARE,
        major_linker_version: 14,
        minor_linker_version: 0,
        address_of_entry_point: TEXT,
        image_base: IMAGE_BASE,
        major_operating_system_version: 10,
        minor_operating_system_version: 0,
        major_image_version: 10,
        minor_image_version: 0,
        major_subsystem_version: 10,
        minor_subsystem_version: 0,
        subsystem: pe::IMAGE_SUBSYSTEM_NATIVE,
        dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT
            | pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    }
}

/// The read-only section, and where its parts are, as (address, size).
struct ReadOnly {
    bytes: Vec<u8>,
    descriptors: (u32, u32),
    functions: (u32, u32),
    config: (u32, u32),
}

impl ReadOnly {
    fn new(imports: Imports<'_>, text: u32) -> Self {
        let count = size(imports.len());
        // The address table, one descriptor for each import and an empty one, each table entry followed by
        // a zero so that every descriptor ends: the slots are therefore listed twice, in names and addresses.
        let (names, descriptors) = (RDATA + 8 * (count + 1), RDATA + 8 * (count + 1) + 16 * count);
        let mut strings = descriptors + 20 * (count + 1);
        let mut tables = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        for (number, (module, function)) in (0..).zip(imports) {
            let hint = strings;
            let text = [&[0, 0], function.as_bytes(), &[0]].concat();
            let module_name = hint + size(text.len());
            strings = module_name + size(module.len()) + 1;
            tables[0].extend(u64::from(hint).to_le_bytes());
            tables[1].extend([u64::from(hint).to_le_bytes(), [0; 8]].concat());
            for field in [names + 16 * number, 0, 0, module_name, RDATA + 8 * number] {
                tables[2].extend(field.to_le_bytes());
            }
            tables[3].extend([&*text, module.as_bytes(), &[0]].concat());
        }
        tables[0].extend([0; 8]);
        tables[2].extend([0; 20]);
        let mut bytes = tables.concat();

        let mut part = |align: usize, content: &[u8]| {
            bytes.resize(bytes.len().next_multiple_of(align), 0);
            let start = RDATA + size(bytes.len());
            bytes.extend(content);
            (start, size(content.len()))
        };
        // Version 1, a prologue of 4 bytes with one code, no frame register: at offset 4, a small allocation.
        let unwind = part(4, &[1, 4, 1, 0, 4, ((FRAME - 8) / 8) << 4 | 2, 0, 0]).0;
        let table: Vec<u8> = (TEXT..TEXT + text)
            .step_by(STRIDE as usize)
            .flat_map(|start| [start, start + STRIDE, unwind])
            .flat_map(u32::to_le_bytes)
            .collect();
        let functions = part(4, &table);
        let mut config = vec![0; size_of::<pe::ImageLoadConfigDirectory64>()];
        let cookie = core::mem::offset_of!(pe::ImageLoadConfigDirectory64, security_cookie);
        config[cookie..cookie + 8].copy_from_slice(&(IMAGE_BASE + u64::from(DATA)).to_le_bytes());
        let config = part(8, &config);
        Self { bytes, descriptors: (descriptors, 20 * (count + 1)), functions, config }
    }
}
