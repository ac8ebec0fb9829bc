//! Errors of loading an image.

#![forbid(unsafe_code)]

use std::path::PathBuf;

/// Errors of loading an image.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The host's error.
        source: std::io::Error,
    },
    /// The file is no valid PE image for x64.
    #[error("{}: not an x64 driver image: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The image imports what the simulator does not have.
    #[error("{}: imports that ntsim does not have: {}", path.display(), names.join(", "))]
    Imports {
        /// The file.
        path: PathBuf,
        /// Every one that is missing, as `module!function`.
        names: Vec<String>,
    },
    /// The host has no room for the image.
    #[error("{}: no memory for the image: {source}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// The host's error.
        source: std::io::Error,
    },
    /// The driver's entry point failed.
    #[error("{}: DriverEntry returned {status:#010x}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The NTSTATUS that it returned.
        status: u32,
    },
}
