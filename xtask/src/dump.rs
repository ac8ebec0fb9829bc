//! The minidumps that `--dump FILE` asks for.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::failure::CommandError;

/// Lets the first crash, hang or finding of this process write a dump to `path`. One from before goes.
pub(crate) fn prepare(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CommandError::file(path, &error)),
        _ => {
            File::create(path)
                .and_then(|_| fs::remove_file(path))
                .map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))?;
            ntsim::dump::on_failure(path);
            Ok(())
        }
    }
}

/// Writes the dump that was asked for, unless something has been found and dumped before.
pub(crate) fn write(path: Option<&Path>) -> io::Result<()> {
    match path {
        Some(path) if !path.exists() => ntsim::dump::write(path),
        _ => Ok(()),
    }
}
