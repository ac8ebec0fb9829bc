//! A driver in C, as a package: its sources are compiled by the build script of a library that has nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use toml::Table;

use super::project::Project;
use super::{Described, Package};

/// The sources of a driver in C.
pub(super) struct Sources {
    /// The name of the driver.
    name: String,
    folder: PathBuf,
    /// The parts of the project file; of the folder alone, nothing is known but the sources.
    project: Project,
    /// The functions whose declarations lose their parameters.
    unprototyped: Vec<String>,
    /// True if one of them uses the driver framework.
    framework: bool,
}

impl Sources {
    /// The sources in a folder, if there are any.
    pub(super) fn find(folder: &Path, unprototyped: &[String]) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let paths = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
        let sources: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect();
        let framework = uses_framework(&sources);
        (!sources.is_empty()).then(|| Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            folder,
            project: Project::default(),
            unprototyped: unprototyped.to_vec(),
            framework,
        })
    }

    /// The sources of a project file.
    ///
    /// # Errors
    ///
    /// As for [`Project::read`].
    pub(super) fn of_project(file: &Path, unprototyped: &[String]) -> Result<Self, String> {
        let file = file.canonicalize().map_err(|error| error.to_string())?;
        let project = Project::read(&file)?;
        Ok(Self {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            folder: file.parent().unwrap_or(&file).to_owned(),
            framework: project.framework || uses_framework(&project.sources),
            project,
            unprototyped: unprototyped.to_vec(),
        })
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

/// Returns true if a source includes the framework's header.
fn uses_framework(sources: &[PathBuf]) -> bool {
    let texts = sources.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts.into_iter().any(|text| {
        text.lines().any(|line| {
            let line = line.to_lowercase().replace(' ', "");
            line.starts_with("#include<wdf.h>") || line.starts_with("#include\"wdf.h\"")
        })
    })
}

/// The package of a driver in C.
pub(super) fn package(sources: &Sources) -> Result<Package, String> {
    let name = &sources.name;
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
    let files: Vec<_> = sources.project.sources.iter().map(|path| path.display().to_string()).collect();
    let script = format!(
        "fn main() -> Result<(), wdk_build::ConfigError> {{\n    wdk_build::CDriver {{\n        folder: {:?},\n        \
         sources: &{:?},\n        definitions: &{:?},\n        trace_functions: &{:?},\n        unprototyped: &{:?},\n    \
         }}\n    .configure()\n}}\n",
        sources.folder.display().to_string(),
        files,
        sources.project.definitions,
        sources.project.trace_functions,
        sources.unprototyped,
    );
    package.made = vec![("build.rs", script), ("lib.rs", LIBRARY.into())];
    Ok(package)
}

/// A library without anything.
const LIBRARY: &str =
    "#![no_std]\n\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}\n";
