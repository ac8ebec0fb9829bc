//! Errors of the configuration of a build. Each is one sentence, in either form of output: a build script that
//! returns one prints its `Debug` form.

use core::fmt;
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
#[derive(Error)]
pub enum ConfigError {
    /// A file cannot be read or written.
    #[error("{0}")]
    IoError(IoError),
    /// The metadata of the driver's package cannot be had.
    #[error("{}: {error}", manifest.display())]
    CargoMetadata {
        /// The manifest that was read.
        manifest: PathBuf,
        /// The error of cargo.
        error: cargo_metadata::Error,
    },
    /// No manifest is above the folder of the build, and none is named.
    #[error(
        "no Cargo.lock is above {}, so the package that is being built is not known: set SOFTNDK_DRIVER to the path \
         of its Cargo.toml",
        out.display()
    )]
    NoManifest {
        /// The folder of the build script's output.
        out: PathBuf,
    },
    /// No package has `[package.metadata.wdk.driver-model]`, or two differ.
    #[error(
        "{} must name exactly one driver model under [package.metadata.wdk.driver-model], and names {count}",
        manifest.display()
    )]
    DriverModels {
        /// The manifest that was read.
        manifest: PathBuf,
        /// The number of models.
        count: usize,
    },
    /// `[package.metadata.wdk.driver-model]` has members that are not understood.
    #[error("the driver model of {package} is not understood: {reason}")]
    DriverModel {
        /// The package that has it, or the workspace.
        package: String,
        /// The error of the parser.
        reason: serde_json::Error,
    },
    /// The framework's version is one whose table the kit does not have.
    #[error("the kit has KMDF 1.31 and 1.33, and {major}.{minor} is asked for")]
    KmdfVersion {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// Drivers in user mode are not built here.
    #[error("the kit builds drivers for kernel mode, and the driver model is UMDF")]
    UserMode,
    /// The package has another driver model than the one that the WDK's crates were built for.
    #[error(
        "the crates of the WDK are built for another driver model than that of {package}: build it by itself"
    )]
    OtherModel {
        /// The package of the driver.
        package: String,
    },
    /// A feature of `wdk-sys` needs headers that the kit does not have.
    #[error(
        "the kit has no headers for the feature {0} of wdk-sys: a driver with it is built on Windows only"
    )]
    NoHeaders(&'static str),
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

impl From<IoError> for ConfigError {
    fn from(error: IoError) -> Self {
        Self::IoError(error)
    }
}

impl fmt::Debug for ConfigError {
    /// As the sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
