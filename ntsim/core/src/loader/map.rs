//! From a file to a mapped, relocated, bound and protected image.
//!
//! The format is Microsoft's "PE Format" page; the cookie's default is in the pages on `/GS`.

use core::sync::atomic::{AtomicBool, Ordering};
use std::path::Path;

use object::LittleEndian as LE;
use object::pe::{self, ImageNtHeaders64};
use object::read::pe::{Import, PeFile64};

use super::absent::Absent;
use super::mapping::{Mapping, PAGE};
use super::{Image, LoadError, Warning, atomics, headers, lint, messages, symbols};
use crate::address::Va;
use crate::number::ToUsize;
use crate::pageable;
use crate::sched::{self, Settings, Turns};

/// The cookie that a compiler leaves in an x64 image for the loader to replace.
const DEFAULT_COOKIE: u64 = 0x0000_2B99_2DDF_A232;

/// Maps and binds the image at `path`.
pub(super) fn map(path: &Path) -> Result<(Image, Vec<Warning>), LoadError> {
    let data = std::fs::read(path).map_err(|source| LoadError::Read { path: path.into(), source })?;
    map_bytes(path, &data)
}

/// Maps and binds the image that was read from `path`.
pub(super) fn map_bytes(path: &Path, data: &[u8]) -> Result<(Image, Vec<Warning>), LoadError> {
    let bad = |reason: String| LoadError::Format { path: path.into(), reason };
    let file = PeFile64::parse(data).map_err(|error| bad(error.to_string()))?;
    headers::check(&file, data).map_err(&bad)?;
    let optional = &file.nt_headers().optional_header;
    let size = (optional.size_of_image.get(LE).to_usize()).next_multiple_of(PAGE);
    let wanted = sched::schedule().and_then(Turns::atomics);
    let atomics =
        wanted.map(|wanted| atomics::of(path, &file, data, size, wanted)).transpose().map_err(&bad)?;
    let size = size + atomics.map_or(0, |plan| plan.size);
    let mapping = Mapping::new(size).map_err(|source| LoadError::Memory { path: path.into(), source })?;

    mapping.write(0, &data[..optional.size_of_headers.get(LE).to_usize()]).map_err(&bad)?;
    for section in file.section_table().iter() {
        let content = section.pe_data(data).map_err(|error| bad(error.to_string()))?;
        let limit = headers::size(section).to_usize();
        mapping.write(section.virtual_address.get(LE), &content[..content.len().min(limit)]).map_err(&bad)?;
    }
    relocate(&file, data, &mapping).map_err(&bad)?;
    let missing = bind(&file, &mapping).map_err(&bad)?;
    if !missing.is_empty() && !Settings::current().allow_missing_imports {
        let names = missing.into_iter().map(|import| import.name).collect();
        return Err(LoadError::Imports { path: path.into(), names });
    }
    let no_memory = |source| LoadError::Memory { path: path.into(), source };
    let (slots, names): (Vec<_>, Vec<_>) =
        missing.into_iter().map(|import| (import.slot, import.name)).unzip();
    let absent = Absent::reserve(names).map_err(no_memory)?;
    if let Some(absent) = &absent {
        let mut numbered = slots.into_iter().enumerate();
        let write = |(number, slot)| mapping.write(slot, &absent.address(number).bits().to_le_bytes());
        numbered.try_for_each(write).map_err(&bad)?;
    }
    randomise_cookie(&file, data, &mapping).map_err(&bad)?;
    if let Some(plan) = atomics {
        install(plan, &mapping).map_err(&bad)?;
    }
    protect(&file, &mapping).map_err(&bad)?;
    let warnings = lint::check(&file, path);

    let functions = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION).map_or(0..0, |directory| {
        let (start, length) = directory.address_range();
        start..start.saturating_add(length)
    });
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let image = Image {
        name,
        path: path.into(),
        base: mapping.keep(),
        size,
        entry: optional.address_of_entry_point.get(LE),
        functions,
        symbols: symbols::of(path, &file),
        messages: messages::of(&file, data),
        atomics,
        absent,
        discardable: discardable(&file),
        discarded: AtomicBool::new(false),
        loaded: AtomicBool::new(true),
    };
    Ok((image, warnings))
}

/// Applies the base relocations for where the image came to lie.
fn relocate(file: &PeFile64<'_>, data: &[u8], mapping: &Mapping) -> Result<(), String> {
    let delta = mapping.base.bits().wrapping_sub(file.nt_headers().optional_header.image_base.get(LE));
    let Some(mut blocks) = file
        .data_directories()
        .relocation_blocks(data, &file.section_table())
        .map_err(|error| error.to_string())?
    else {
        let stripped =
            file.nt_headers().file_header.characteristics.get(LE).contains(pe::IMAGE_FILE_RELOCS_STRIPPED);
        return if stripped { Err("its relocations were stripped".into()) } else { Ok(()) };
    };
    while let Some(block) = blocks.next().map_err(|error| error.to_string())? {
        for relocation in block {
            match relocation.typ {
                pe::IMAGE_REL_BASED_ABSOLUTE => {}
                pe::IMAGE_REL_BASED_DIR64 => {
                    let value = mapping.read(relocation.virtual_address)?.wrapping_add(delta);
                    mapping.write(relocation.virtual_address, &value.to_le_bytes())?;
                }
                other => return Err(format!("it has a relocation of type {}", other.0)),
            }
        }
    }
    Ok(())
}

/// An import that the simulator does not have.
struct MissingImport {
    /// `module!function`.
    name: String,
    /// The place of its address, relative to the base.
    slot: u32,
}

/// Writes the addresses of the simulator's functions into the import table; returns what it lacks.
fn bind(file: &PeFile64<'_>, mapping: &Mapping) -> Result<Vec<MissingImport>, String> {
    let mut missing = Vec::new();
    let text = |error: object::Error| error.to_string();
    let Some(table) = file.import_table().map_err(text)? else { return Ok(missing) };
    let mut descriptors = table.descriptors().map_err(text)?;
    while let Some(descriptor) = descriptors.next().map_err(text)? {
        let module = table.name(descriptor.name.get(LE)).map_err(text)?;
        let module = String::from_utf8_lossy(module).to_ascii_lowercase();
        let lookup = match descriptor.original_first_thunk.get(LE) {
            0 => descriptor.first_thunk.get(LE),
            names => names,
        };
        let mut thunks = table.thunks(lookup).map_err(text)?;
        let mut slot = descriptor.first_thunk.get(LE);
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().map_err(text)? {
            let (address, name) = match table.import::<ImageNtHeaders64>(thunk).map_err(text)? {
                Import::Name(_, name) => {
                    let name = String::from_utf8_lossy(name);
                    (super::routine(&module, &name), format!("{module}!{name}"))
                }
                Import::Ordinal(ordinal) => (None, format!("{module}!#{ordinal}")),
            };
            match address {
                Some(address) => mapping.write(slot, &Va::of(address).bits().to_le_bytes())?,
                None => missing.push(MissingImport { name: name.escape_debug().to_string(), slot }),
            }
            slot = slot.wrapping_add(8);
        }
    }
    Ok(missing)
}

/// Gives the image a stack cookie of its own, as the loader of Windows does.
fn randomise_cookie(file: &PeFile64<'_>, data: &[u8], mapping: &Mapping) -> Result<(), String> {
    let Some(directory) = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG) else { return Ok(()) };
    let config = directory.data(data, &file.section_table()).map_err(|error| error.to_string())?;
    let at = core::mem::offset_of!(pe::ImageLoadConfigDirectory64, security_cookie);
    let Some(address) = config.get(at..at + 8) else { return Ok(()) };
    let address = u64::from_le_bytes(address.try_into().expect("eight bytes"));
    let image_base = file.nt_headers().optional_header.image_base.get(LE);
    let Some(rva) = address.checked_sub(image_base).and_then(|rva| u32::try_from(rva).ok()) else {
        return Ok(());
    };
    if mapping.read(rva)? != DEFAULT_COOKIE {
        return Ok(());
    }
    // The upper 16 bits stay clear, and the default must not come out.
    let cookie = fastrand::u64(..) >> 16;
    mapping.write(rva, &(if cookie == DEFAULT_COOKIE { cookie + 1 } else { cookie }).to_le_bytes())
}

/// Writes the thunks of the image's atomics behind it, and the jumps to these.
fn install(plan: &atomics::Plan, mapping: &Mapping) -> Result<(), String> {
    plan.changes().try_for_each(|(rva, bytes)| mapping.write(rva, bytes))?;
    mapping.write(plan.start, &atomics::Plan::function())?;
    mapping.protect(plan.start, plan.size, libc::PROT_READ | libc::PROT_EXEC)
}

fn protect(file: &PeFile64<'_>, mapping: &Mapping) -> Result<(), String> {
    mapping.protect(0, PAGE, libc::PROT_READ)?;
    for section in file.section_table().iter() {
        let flags = section.characteristics.get(LE);
        let mut protection = libc::PROT_READ;
        if flags.contains(pe::IMAGE_SCN_MEM_WRITE) {
            protection |= libc::PROT_WRITE;
        }
        if flags.contains(pe::IMAGE_SCN_MEM_EXECUTE) {
            protection |= libc::PROT_EXEC;
        }
        let size = section.virtual_size.get(LE).max(section.size_of_raw_data.get(LE)).to_usize();
        let start = section.virtual_address.get(LE);
        mapping.protect(start, size, protection)?;
        if section.raw_name().starts_with(b"PAGE") {
            let (start, size) = (mapping.base + start.to_usize(), size.next_multiple_of(PAGE));
            // SAFETY: the section is part of the mapping, and forgotten when that goes.
            unsafe { pageable::add(start, size, protection) };
        }
    }
    Ok(())
}

/// The pages of the sections that are of no use after the initialisation.
fn discardable(file: &PeFile64<'_>) -> Vec<core::ops::Range<usize>> {
    let sections = file.section_table();
    let flagged = sections
        .iter()
        .filter(|section| section.characteristics.get(LE).contains(pe::IMAGE_SCN_MEM_DISCARDABLE));
    flagged
        .map(|section| {
            let start = section.virtual_address.get(LE).to_usize();
            start..start + (headers::size(section).to_usize()).next_multiple_of(PAGE)
        })
        .collect()
}

/// Unloads an image: makes its addresses inaccessible, and keeps them reserved.
///
/// # Safety
/// No code of the image runs or is used any more.
pub unsafe fn unload(image: &Image) {
    image.loaded.store(false, Ordering::Release);
    pageable::forget(&(image.base..image.base + image.size));
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: the range is the image's own mapping, and the caller vouches that it is out of use.
    unsafe { libc::mmap(image.base.ptr::<libc::c_void>(), image.size, libc::PROT_NONE, flags, -1, 0) };
}

/// Gives an image's addresses back to the host.
///
/// # Safety
/// No code of the image runs or is used any more.
pub(super) unsafe fn release(image: &Image) {
    image.loaded.store(false, Ordering::Release);
    // SAFETY: the range is the image's own, mapped or reserved, and out of use.
    unsafe { libc::munmap(image.base.ptr::<libc::c_void>(), image.size) };
}
