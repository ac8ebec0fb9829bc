//! What a kernel image must be to load on Windows and to run safely there, checked on what the linker made.
//!
//! The rules are those of the PE format
//! (<https://learn.microsoft.com/windows/win32/debug/pe-format>) and of the driver requirements for NX pool
//! and memory integrity (<https://learn.microsoft.com/windows-hardware/test/hlk/testref/driver-compatibility-with-device-guard>).

mod checksum;
mod exports;
mod guard;
mod headers;
mod imports;
mod panics;
#[cfg(test)]
mod sample;
mod sections;
mod tables;

use std::{fs, path::Path};

use object::read::pe::PeFile64;
use thiserror::Error;

pub(crate) use self::{checksum::of as checksum, exports::Exports};
use crate::failure::Failure;

/// What is wrong with an image.
#[derive(Debug, Error, PartialEq)]
enum Fault {
    #[error("it is not an image for x86-64: {0}")]
    Format(String),
    #[error("its subsystem is {0}, not native (1)")]
    Subsystem(u16),
    #[error("its header lacks {0}")]
    Characteristic(&'static str),
    #[error("its checksum is {found:#x}, and {right:#x} would be right")]
    Checksum { found: u32, right: u32 },
    #[error("section {0} does not start on a page of its own")]
    Alignment(String),
    #[error("section {0} is writable and executable")]
    WritableCode(String),
    #[error("its entry point {0:#x} is not in code")]
    Entry(u32),
    #[error("it has no {0}")]
    Absent(&'static str),
    #[error("its {table} is damaged at entry {entry}")]
    Damaged { table: &'static str, entry: usize },
    #[error("it imports {0} by ordinal")]
    Ordinal(String),
    #[error("{module} is not known to export {function}")]
    Import { module: String, function: String },
    #[error("it can panic: {0} is in its map")]
    Panic(String),
    #[error("its guard flags {0:#x} do not promise a table of call targets")]
    GuardFlags(u32),
}

/// Checks the image at `path` against all the rules; every fault is named. The linker's `map` is given for an
/// image that must not panic.
pub(crate) fn check(path: &Path, exports: &Exports, map: Option<&Path>) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::file(path, &error))?;
    let mut faults = faults(&bytes, exports);
    if let Some(map) = map {
        panics::check(map, &mut faults)?;
    }
    if faults.is_empty() {
        return Ok(());
    }
    let list: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Err(Failure::work(format!("{} would not serve on Windows:{list}", path.display())))
}

/// All faults of the image `bytes`.
fn faults(bytes: &[u8], exports: &Exports) -> Vec<Fault> {
    let image = match PeFile64::parse(bytes) {
        Ok(image) => image,
        Err(error) => return vec![Fault::Format(error.to_string())],
    };
    let mut faults = Vec::new();
    headers::check(&image, &mut faults);
    checksum::check(&image, &mut faults);
    sections::check(&image, &mut faults);
    tables::check(&image, &mut faults);
    guard::check(&image, &mut faults);
    imports::check(&image, exports, &mut faults);
    faults
}
