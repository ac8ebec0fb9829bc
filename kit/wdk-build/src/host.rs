//! The host on which drivers are built: the kit's folder and the tools.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{ConfigError, IoError};

/// The target whose C dialect mingw-w64's headers are written in. Its layouts are those of the MSVC target.
pub(crate) const CLANG_TARGET: &str = "--target=x86_64-pc-windows-gnu";

/// The variable that names the folder of the kit, where it may have moved since this crate was compiled.
const KIT: &str = "SOFTNDK_KIT";

/// The folder of the kit, where its headers and definition files are. A build on which it depends runs its scripts
/// anew when the folder is another one: a checkout that was copied with what had been built in it reads its own.
pub(crate) fn kit() -> PathBuf {
    println!("cargo::rerun-if-env-changed={KIT}");
    env::var_os(KIT).map_or_else(
        || {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            here.parent().unwrap_or(here).to_owned()
        },
        // Without the dot at its end that a path from cargo's configuration has.
        |kit| Path::new(&kit).components().collect(),
    )
}

/// Runs a tool and returns what it prints.
pub(crate) fn run(command: &mut Command, tool: &'static str) -> Result<String, ConfigError> {
    let output = command.output().map_err(|source| ConfigError::Tool { tool, reason: source.to_string() })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(ConfigError::Tool { tool, reason: String::from_utf8_lossy(&output.stderr).trim_end().to_owned() })
    }
}

/// Writes a file of the build's own.
pub(crate) fn write(path: &Path, contents: &str) -> Result<(), ConfigError> {
    std::fs::write(path, contents).map_err(|source| IoError::with_path(path, source).into())
}
