//! The folder of the repository.

use std::{path::Path, process::Command};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The commit that is checked out in `folder`, short.
pub(crate) fn commit(folder: &Path) -> String {
    let output = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).current_dir(folder).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
