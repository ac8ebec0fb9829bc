//! The files of a folder.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::failure::CommandError;

/// The files below a folder and its folders, by their paths from there.
pub(crate) fn files(folder: &Path) -> Result<BTreeSet<PathBuf>, CommandError> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(|error| CommandError::file(&next, &error))? {
            let entry = entry.map_err(|error| CommandError::file(&next, &error))?;
            // A link may lead out of the folder.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    files.extend(entry.path().strip_prefix(folder).ok().map(Path::to_owned));
                }
                _ => {}
            }
        }
    }
    Ok(files)
}
