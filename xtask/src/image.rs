//! Requirements for a kernel image to load on Windows and to run safely there, checked on the linker's output.
//!
//! The rules are those of the PE format
//! (<https://learn.microsoft.com/windows/win32/debug/pe-format>) and of the driver requirements for NX pool
//! and memory integrity (<https://learn.microsoft.com/windows-hardware/test/hlk/testref/driver-compatibility-with-device-guard>).

mod checksum;
mod exports;
mod guard;
mod headers;
mod imports;
pub(crate) mod messages;
mod panics;
mod paths;
mod resources;
#[cfg(test)]
mod sample;
mod sections;
mod tables;
mod version;

use std::path::{Path, PathBuf};

use object::read::pe::PeFile64;
use thiserror::Error;

pub(crate) use self::{checksum::of as checksum, exports::Exports};
use crate::failure::CommandError;

/// A violated requirement.
#[derive(Debug, Error, PartialEq)]
enum Violation {
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
    #[error("its version resource has {found:?} as its {what}")]
    Version { what: &'static str, found: String },
    #[error("its message table is not that of driver/messages.mc")]
    Messages,
    #[error("it names a folder of the machine that built it: {0}")]
    Path(String),
}

/// The requirements of one image beside those of every image.
pub(crate) struct Expected<'a> {
    /// The driver's name.
    pub(crate) driver: &'a str,
    /// Folders of this machine, none of which may be named in it.
    pub(crate) folders: &'a [PathBuf],
    /// The linker's map, for an image that must not panic.
    pub(crate) map: Option<&'a Path>,
}

/// Checks an image against all the rules; every fault is named.
pub(crate) fn check(bytes: &[u8], exports: &Exports, expected: &Expected<'_>) -> Result<(), CommandError> {
    let mut faults = faults(bytes, exports);
    if let Ok(image) = PeFile64::parse(bytes) {
        version::check(&image, expected.driver, &mut faults);
        // The other driver writes nothing to the event log.
        if expected.driver == "softndk" {
            messages::check(&image, &messages::of_driver()?, &mut faults);
        }
    }
    paths::check(bytes, expected.folders, &mut faults);
    if let Some(map) = expected.map {
        panics::check(map, &mut faults)?;
    }
    if faults.is_empty() {
        return Ok(());
    }
    let list: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Err(CommandError::work(format!("{}.sys would not serve on Windows:{list}", expected.driver)))
}

/// The requirements that the image `bytes` violates, of those of every image, as sentences.
pub(crate) fn violations(bytes: &[u8], exports: &Exports) -> Vec<String> {
    faults(bytes, exports).iter().map(ToString::to_string).collect()
}

/// All faults of the image `bytes`.
fn faults(bytes: &[u8], exports: &Exports) -> Vec<Violation> {
    let image = match PeFile64::parse(bytes) {
        Ok(image) => image,
        Err(error) => return vec![Violation::Format(error.to_string())],
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
