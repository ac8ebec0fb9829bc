//! A driver in C, as a package: its sources are compiled by the build script of a library that has nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use toml::Table;

use super::{Described, Package};

/// The folder of a driver in C.
pub(super) struct Sources {
    folder: PathBuf,
    /// True if one of them uses the driver framework.
    framework: bool,
}

impl Sources {
    /// The sources in a folder, if there are any.
    pub(super) fn find(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let paths = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
        let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
        let texts: Vec<String> = sources.filter_map(|path| fs::read_to_string(path).ok()).collect();
        let framework = texts.iter().flat_map(|text| text.lines()).any(|line| {
            let line = line.to_lowercase().replace(' ', "");
            line.starts_with("#include<wdf.h>") || line.starts_with("#include\"wdf.h\"")
        });
        (!texts.is_empty()).then_some(Self { folder, framework })
    }

    /// The driver model: KMDF 1.33 where a source includes wdf.h, else WDM.
    fn model(&self) -> Table {
        let text = if self.framework {
            "driver-type = \"KMDF\"\nkmdf-version-major = 1\ntarget-kmdf-version-minor = 33"
        } else {
            "driver-type = \"WDM\""
        };
        text.parse().unwrap_or_default()
    }
}

/// The package of a driver in C.
pub(super) fn package(sources: &Sources) -> Result<Package, String> {
    let name = sources.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let described = json!({
        "name": name,
        "version": "0.0.0",
        "edition": "2024",
        "manifest_path": sources.folder,
        "targets": [
            { "name": name.replace('-', "_"), "kind": ["cdylib"], "src_path": "lib.rs" },
            { "name": "build", "kind": ["custom-build"], "src_path": "build.rs" },
        ],
        "dependencies": [{
            "name": "wdk-build",
            "req": "0.6",
            "kind": "build",
            "optional": false,
            "uses_default_features": true,
            "features": [],
        }],
        "features": {},
    });
    let described: Described = serde_json::from_value(described).map_err(|error| error.to_string())?;
    let mut package = Package::of(described, &sources.model())?;
    let script = format!(
        "fn main() -> Result<(), wdk_build::ConfigError> {{\n    wdk_build::configure_c_driver({:?})\n}}\n",
        sources.folder.display().to_string()
    );
    package.made = vec![("build.rs", script), ("lib.rs", LIBRARY.into())];
    Ok(package)
}

/// A library without anything.
const LIBRARY: &str =
    "#![no_std]\n\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}\n";
