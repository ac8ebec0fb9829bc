//! A stand-in for the published `wdk-build` on hosts other than Windows.
//!
//! It has the part of that crate's interface that the build scripts of `wdk-sys`, `wdk`, `wdk-alloc`,
//! `wdk-panic` and of a driver call, so that those crates build unmodified; a `[patch]` in the
//! workspace's manifest puts it in place. It takes the headers from `kit/include` and from mingw-w64's
//! DDK, and the import libraries from `kit/lib`, where the original asks a WDK installation.
//!
//! It knows WDM and KMDF on x86-64. The driver model is that of the package that is being built, wherever that is.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `bindings` | the options with which bindgen reads the headers |
//! | `c` | drivers in C |
//! | `wpp` | the headers of WPP, without its tracing |
//! | `config` | what a build script asks |
//! | `libraries` | the libraries that a driver links |
//! | `headers`, `package` | the folders of the headers; the package that is being built |
//! | `host`, `model` | the kit's folder and the tools; the driver model that a workspace names |
//! | `error` | errors |

#![forbid(unsafe_code)]

extern crate alloc;

mod bindings;
mod c;
mod config;
mod error;
mod headers;
mod host;
mod libraries;
mod model;
mod package;
mod wpp;

pub use bindings::BuilderExt;
pub use c::{CDriver, configure_c_driver};
pub use config::{ApiSubset, Config};
pub use error::{ConfigError, IoError};
pub use model::{DriverConfig, KmdfConfig, UmdfConfig};

/// Configures the build of a library that depends on the WDK: emits its `driver_model__driver_type`.
///
/// # Errors
///
/// The driver model is missing or is not one that this crate knows.
pub fn configure_wdk_library_build() -> Result<(), ConfigError> {
    Config::from_env_auto().map(|config| config.configure_library_build())
}

/// Configures the build of a library that depends on the WDK, then runs `generate` with the configuration: the library
/// that binds it, so what wdk-macros kept of earlier bindings is removed.
///
/// # Errors
///
/// As [`configure_wdk_library_build`], and what `generate` returns.
pub fn configure_wdk_library_build_and_then<E: From<ConfigError>>(
    mut generate: impl FnMut(Config) -> Result<(), E>,
) -> Result<(), E> {
    let config = Config::from_env_auto()?;
    config.configure_library_build();
    config::forget_prototypes();
    generate(config)
}

/// Configures the build of a driver: makes its import libraries and emits the linker's arguments.
///
/// # Errors
///
/// As [`configure_wdk_library_build`], and when the C runtime is not linked statically or one of LLVM's
/// tools is missing or fails.
pub fn configure_wdk_binary_build() -> Result<(), ConfigError> {
    Config::from_env_auto()?.configure_binary_build()
}
