//! Errors of the configuration of a build.

use std::{io, path::PathBuf};

use thiserror::Error;

/// An input or output error and the file that it concerns.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub struct IoError {
    path: PathBuf,
    source: io::Error,
}

impl IoError {
    /// An error about one path.
    pub fn with_path(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { path: path.into(), source }
    }
}

/// Errors of the configuration of a build.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read or written.
    #[error(transparent)]
    IoError(#[from] IoError),
    /// The workspace's metadata cannot be had.
    #[error(transparent)]
    CargoMetadata(#[from] cargo_metadata::Error),
    /// No package of the workspace has `[package.metadata.wdk.driver-model]`, or two differ.
    #[error("the workspace must name exactly one driver model, and names {0}")]
    DriverModels(usize),
    /// `[package.metadata.wdk.driver-model]` has members that are not understood.
    #[error("the driver model of {package} is not understood: {source}")]
    DriverModel {
        /// The package that has it.
        package: String,
        /// The error of the parser.
        source: serde_json::Error,
    },
    /// A driver needs `-Ctarget-feature=+crt-static`, as on Windows.
    #[error("the C runtime is not linked statically: build with -Ctarget-feature=+crt-static")]
    StaticCrtNotEnabled,
    /// A tool of LLVM is missing or failed.
    #[error("{tool} failed: {reason}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// Its own words, or why it did not start.
        reason: String,
    },
}
