//! The compiler that builds the drivers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::TARGET;

/// Where Debian's rustc-web puts its compiler.
const DEBIAN: &str = "/usr/bin/rustc";

/// The compiler that builds the drivers.
pub(crate) enum Toolchain {
    /// The active one, which has the Windows target installed.
    Own,
    /// Debian's, which has the sources of core and alloc but not their build for that target.
    Debian,
}

impl Toolchain {
    /// The active toolchain where it has the target, else Debian's.
    pub(crate) fn find() -> Self {
        let libraries = Command::new("rustc")
            .args(["--print", "target-libdir", "--target", TARGET])
            .output()
            .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        if libraries.is_ok_and(|folder| has_core(&folder)) { Self::Own } else { Self::Debian }
    }

    /// Whether this is the active toolchain.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }

    /// A cargo command that uses this compiler, run in `workspace`.
    pub(crate) fn cargo(&self, workspace: &Path) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Flags of the caller's would replace those of the workspace's configuration.
        command.current_dir(workspace).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Self::Debian = self {
            // The sources match this one compiler, which is a stable release like any other.
            command.env("RUSTC", DEBIAN).env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core,alloc");
        }
        command
    }
}

/// Whether `folder` holds a built core.
fn has_core(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    })
}
