//! The host on which drivers are built: the kit's folder and the tools.

use std::{path::Path, process::Command};

use crate::ConfigError;

/// The target whose C dialect mingw-w64's headers are written in. Its layouts are those of the MSVC target.
pub(crate) const CLANG_TARGET: &str = "--target=x86_64-pc-windows-gnu";

/// The folder of the kit, where its headers, definition files and manifest are.
pub(crate) fn kit() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Runs a tool and returns what it prints.
pub(crate) fn run(command: &mut Command, tool: &'static str) -> Result<String, ConfigError> {
    let output = command.output().map_err(|source| ConfigError::Tool { tool, reason: source.to_string() })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(ConfigError::Tool { tool, reason: String::from_utf8_lossy(&output.stderr).into_owned() })
    }
}
