//! Where the headers come from.

use std::{path::PathBuf, process::Command};

use crate::{ConfigError, config::kit, libraries::run};

/// Where Debian's mingw-w64-common puts its headers.
const MINGW: &str = "/usr/share/mingw-w64/include";

/// The folders that headers are searched in. The kit's headers come first and continue in mingw-w64's
/// of the same name; clang's own precede mingw-w64's, whose intrinsics are written for GCC.
pub(crate) fn paths() -> Result<impl Iterator<Item = PathBuf>, ConfigError> {
    let resources = run(Command::new("clang-22").arg("-print-resource-dir"), "clang-22")?;
    let mingw = PathBuf::from(MINGW);
    let include = kit().join("include");
    Ok([
        include.join("wdf"),
        include,
        PathBuf::from(resources.trim()).join("include"),
        mingw.join("ddk"),
        mingw,
    ]
    .into_iter())
}
