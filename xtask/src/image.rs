//! What a kernel image must be to load, checked on what the linker made.

use std::{fs, path::Path};

use crate::failure::Failure;

/// Checks the image at `path`.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    fs::read(path).map(drop).map_err(|error| Failure::file(path, &error))
}
