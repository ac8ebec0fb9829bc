//! Names and lines of addresses in an image, from its PDB.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use object::Object as _;
use object::read::pe::PeFile64;
use parking_lot::Mutex;
use pdb_addr2line::pdb::PDB;
use pdb_addr2line::{Context, ContextPdbData};

/// The symbols of one image file.
pub(super) struct Symbols {
    context: Mutex<Context<'static, 'static>>,
}

/// One function at an address; several are at the same address where calls were inlined.
pub(super) struct Place {
    /// The function's name.
    pub(super) function: String,
    /// File and line.
    pub(super) line: Option<(String, u32)>,
}

/// The symbols of the image file at `path`, from the PDB that lies beside it or where its debug directory
/// says; `None` if there is none that belongs to it.
///
/// They are read once per process and kept: the same image is usually loaded many times.
pub(super) fn of(path: &Path, file: &PeFile64<'_>) -> Option<&'static Symbols> {
    type Known = HashMap<(PathBuf, [u8; 16]), Option<&'static Symbols>>;
    /// Of the process: files are read once.
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let link = file.pdb_info().ok().flatten()?;
    let recorded = PathBuf::from(String::from_utf8_lossy(link.path()).replace('\\', "/"));
    KNOWN
        .lock()
        .get_or_insert_default()
        .entry((path.into(), link.guid()))
        .or_insert_with(|| {
            [path.with_extension("pdb"), recorded].iter().find_map(|candidate| open(candidate, &link.guid()))
        })
        .to_owned()
}

fn open(path: &Path, guid: &[u8; 16]) -> Option<&'static Symbols> {
    // The path is what an image says; a pipe would be waited for.
    let file = path.metadata().is_ok_and(|metadata| metadata.is_file()).then(|| File::open(path).ok())??;
    let mut pdb = PDB::open(file).ok()?;
    if pdb.pdb_information().ok()?.guid.to_bytes_le() != *guid {
        return None;
    }
    let data: &'static ContextPdbData<'_, '_, _> =
        Box::leak(Box::new(ContextPdbData::try_from_pdb(pdb).ok()?));
    let context = Mutex::new(data.make_context().ok()?);
    Some(Box::leak(Box::new(Symbols { context })))
}

impl Symbols {
    /// The functions at `rva`, innermost first.
    pub(super) fn places(&self, rva: u32) -> Vec<Place> {
        let context = self.context.lock();
        let Ok(Some(found)) = context.find_frames(rva) else { return Vec::new() };
        found
            .frames
            .into_iter()
            .map(|frame| Place {
                function: frame.function.unwrap_or_else(|| "?".into()),
                line: frame.file.zip(frame.line).map(|(file, line)| (file.into_owned(), line)),
            })
            .collect()
    }
}
