//! `cargo xtask run`: boots the drivers in the simulator and moves a file through them.

use std::path::PathBuf;

use crate::{build, failure::Failure};

/// What to move.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The file to move; without one, softndk.sys itself.
    file: Option<PathBuf>,
}

/// Builds the drivers and moves the file.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let images = build::build()?;
    let file = options.file.clone().unwrap_or_else(|| images.image("softndk"));
    Err(Failure::work(format!("{}: nothing moves files yet", file.display())))
}
