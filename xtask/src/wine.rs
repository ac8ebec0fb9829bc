//! `cargo xtask wine`: the package, ndkhlk.exe and the real ndkhlk.sys on Wine, an implementation that is not this
//! project's.
//!
//! | part | shows |
//! |---|---|
//! | [`harness`] | ndkhlk.exe loads and opens ndkhlk.sys through Wine's I/O manager, and reports what came of it |
//! | [`setup`] | Wine's setupapi installs the package by ndkhlk.exe, and the registry and files are those that are expected |

mod harness;
mod prefix;
mod registry;
mod setup;

use crate::{
    failure::CommandError,
    package,
    packages::{self, Use},
    root,
};

/// Plays both parts.
pub(crate) fn run() -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Wine | Use::Program))?;
    let folder = root().join("target/softndk/wine");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| CommandError::file(&folder, &error))?;
    }
    let package = folder.join("package");
    // A key for this one run: nothing but Wine, which looks at no signature, is meant to take the package.
    let images = package::make(&package, &folder.join("test-signing.key"))?;
    harness::play(&folder, &package, &images)?;
    setup::play(&folder, &package)
}
