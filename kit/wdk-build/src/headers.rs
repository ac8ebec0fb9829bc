//! The folder of the headers.

use std::{env, path::PathBuf, process::Command};

use crate::{
    ConfigError,
    host::{kit, run},
};

/// The folder of the headers of Debian's mingw-w64-common.
const MINGW: &str = "/usr/share/mingw-w64/include";

/// The variable that names the folder of an overlay over a WDK's headers, which are then in place of the kit's.
pub(crate) const WDK: &str = "SOFTNDK_WDK";

/// The folders of the overlay, in the order in which they are searched.
const OVERLAY: [&str; 4] = ["crt", "km", "shared", "kmdf"];

/// The folder of the overlay over a WDK's headers, where the build is to see those.
pub(crate) fn wdk() -> Option<PathBuf> {
    env::var_os(WDK).map(PathBuf::from)
}

/// The folders that headers are searched in for the bindings.
pub(crate) fn paths() -> Result<Vec<PathBuf>, ConfigError> {
    match wdk() {
        Some(wdk) => Ok(OVERLAY.iter().map(|folder| wdk.join(folder)).collect()),
        None => kit_paths(),
    }
}

/// The folders of the kit's headers, which come first and continue in mingw-w64's
/// of the same name; clang's own precede mingw-w64's, whose intrinsics are written for GCC.
pub(crate) fn kit_paths() -> Result<Vec<PathBuf>, ConfigError> {
    let resources = run(Command::new("clang-22").arg("-print-resource-dir"), "clang-22")?;
    let mingw = PathBuf::from(MINGW);
    let include = kit().join("include");
    Ok(vec![
        include.join("wdf"),
        include,
        PathBuf::from(resources.trim()).join("include"),
        mingw.join("ddk"),
        mingw,
    ])
}
