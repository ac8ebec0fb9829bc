//! The resources of an image.

use object::{
    LittleEndian as LE,
    read::pe::{PeFile64, ResourceDirectory, ResourceDirectoryEntryData},
};

/// The first resource of a kind.
pub(super) fn first<'data>(image: &PeFile64<'data>, kind: u16) -> Option<&'data [u8]> {
    let sections = image.section_table();
    let folder: ResourceDirectory<'data> =
        image.data_directories().resource_directory(image.data(), &sections).ok()??;
    let kinds = folder.root().ok()?;
    let kind = kinds.entries.iter().find(|entry| entry.name_or_id().id() == Some(kind))?;
    let mut data = kind.data(folder).ok()?;
    for _ in ["name", "language"] {
        data = data.table()?.entries.first()?.data(folder).ok()?;
    }
    let ResourceDirectoryEntryData::Data(entry) = data else { return None };
    let bytes = sections.pe_data_at(image.data(), entry.offset_to_data.get(LE))?;
    bytes.get(..entry.size.get(LE) as usize)
}
