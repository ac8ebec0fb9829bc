//! The drivers as the modules of a dump: what a debugger finds their symbols by.

use ntsim_core::loader::Image;
use ntsim_core::number::{ToUsize, narrow};

use super::stream::Streams;

/// Bytes of a `MINIDUMP_MODULE`.
const MODULE: usize = 108;

/// `VS_FFI_SIGNATURE`, of a version that says nothing else.
const VERSION: u32 = 0xFEEF_04BD;

/// `IMAGE_DEBUG_TYPE_CODEVIEW`.
const CODEVIEW: u32 = 2;

/// Appends the list of modules: each loaded image as it lies in memory.
pub(super) fn list<'a>(streams: &mut Streams, images: impl Iterator<Item = &'a Image>) -> Vec<u8> {
    let mut list = vec![0; 4];
    let mut count: u32 = 0;
    for image in images {
        if let Some(module) = describe(streams, image) {
            list.extend(module);
            count += 1;
        }
    }
    list[..4].copy_from_slice(&count.to_le_bytes());
    list
}

/// The `MINIDUMP_MODULE` of an image; `None` of one that has been unloaded.
fn describe(streams: &mut Streams, image: &Image) -> Option<Vec<u8>> {
    let memory = image.memory(0);
    let nt = word(memory, 0x3C)?.to_usize();
    // In the file header; in the optional header.
    let (stamp, size, checksum) =
        (word(memory, nt + 8)?, word(memory, nt + 24 + 56)?, word(memory, nt + 24 + 64)?);
    let name = streams.string(&format!(r"C:\Windows\System32\drivers\{}", image.name));
    let symbols = symbols(image, nt).unwrap_or_default();
    let record = streams.put(symbols);
    let mut module = Vec::with_capacity(MODULE);
    module.extend(image.base.bits().to_le_bytes());
    for field in [size, checksum, stamp, name, VERSION] {
        module.extend(field.to_le_bytes());
    }
    // The rest of VS_FIXEDFILEINFO.
    module.resize(module.len() + 48, 0);
    for field in [narrow(symbols.len()), record] {
        module.extend(u32::to_le_bytes(field));
    }
    module.resize(MODULE, 0);
    Some(module)
}

/// The image's CodeView record: the PDB's name, GUID and age.
fn symbols(image: &Image, nt: usize) -> Option<&[u8]> {
    // The seventh data directory.
    let headers = image.memory(0);
    let (directory, length) = (word(headers, nt + 24 + 112 + 48)?, word(headers, nt + 24 + 112 + 52)?);
    let entries = image.memory(directory).get(..length.to_usize())?;
    let entry = entries.chunks_exact(28).find(|entry| word(entry, 12) == Some(CODEVIEW))?;
    image.memory(word(entry, 20)?).get(..word(entry, 16)?.to_usize())
}

/// The four bytes at `offset`.
fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
