//! The manifest of a driver's package, read from its own and written for the kit.

mod c;
mod project;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;
use toml::Table;

use crate::{failure::CommandError, root, toolchain};

/// The crates of the WDK, as the kit's workspace has them: what a package that names them by a path gets.
const WDK: &[(&str, &str)] = &[
    ("wdk", "0.5"),
    ("wdk-alloc", "0.4"),
    ("wdk-build", "0.6"),
    ("wdk-macros", "0.5"),
    ("wdk-panic", "0.5"),
    ("wdk-sys", "0.5"),
];

/// The package of a driver.
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    /// The manifest of its driver model alone, by which drivers of one model share what is built.
    pub(super) model: PathBuf,
    /// The name of its library.
    library: String,
    manifest: Table,
    model_manifest: String,
    /// Sources that are made for a driver in C: names and contents.
    made: Vec<(&'static str, String)>,
}

/// Metadata of cargo, as far as it is used.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    version: String,
    edition: String,
    manifest_path: PathBuf,
    metadata: Option<Value>,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
    features: Value,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    req: String,
    kind: Option<String>,
    rename: Option<String>,
    optional: bool,
    uses_default_features: bool,
    features: Vec<String>,
    target: Option<String>,
    path: Option<PathBuf>,
    source: Option<String>,
}

impl Package {
    /// Reads the package in `folder`, or the project file that `folder` is. `unprototyped` are functions of a driver in C whose
    /// declarations lose their parameters.
    ///
    /// # Errors
    ///
    /// The folder has no package, or its package makes no cdylib or names no driver model.
    pub(super) fn read(folder: &Path, unprototyped: &[String]) -> Result<Self, CommandError> {
        let wrong = |what: String| CommandError::Usage(format!("{}: {what}", folder.display()));
        if folder.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("vcxproj")) {
            let sources = c::Sources::of_project(folder, unprototyped);
            return sources.and_then(|sources| c::package(&sources)).map_err(wrong);
        }
        let manifest = folder.join("Cargo.toml");
        if !manifest.exists()
            && let Some(sources) = c::Sources::find(folder, unprototyped)
        {
            return c::package(&sources).map_err(wrong);
        }
        let manifest = manifest
            .canonicalize()
            .map_err(|_| wrong("there is neither a Cargo.toml nor a source in C".into()))?;
        let mut command = toolchain::cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&manifest);
        let output = command.output().map_err(|error| wrong(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(wrong(
                said.trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned(),
            ));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| wrong(format!("the metadata of cargo: {error}")))?;
        let mut packages = metadata.packages.into_iter();
        let described = packages.find(|package| package.manifest_path == manifest);
        let described = described.ok_or_else(|| wrong("the manifest has no package".into()))?;
        let model = model(described.metadata.as_ref()).or_else(|| model(metadata.metadata.as_ref()));
        let model =
            model.ok_or_else(|| wrong("no driver model under [package.metadata.wdk.driver-model]".into()))?;
        Self::of(described, &model).map_err(wrong)
    }

    fn of(described: Described, model: &Table) -> Result<Self, String> {
        let of_kind =
            |kind: &str| described.targets.iter().find(|target| target.kind.iter().any(|is| is == kind));
        let library = of_kind("cdylib").ok_or("the package makes no cdylib, which a driver is")?;
        let mut package = Table::new();
        for (key, value) in
            [("name", &described.name), ("version", &described.version), ("edition", &described.edition)]
        {
            package.insert(key.into(), value.clone().into());
        }
        if let Some(script) = of_kind("custom-build") {
            package.insert("build".into(), text(&script.src_path));
        }
        let wdk = table([("driver-model", model.clone().into())]);
        package.insert("metadata".into(), table([("wdk", wdk.clone().into())]).into());
        let mut manifest = table([("package", package.into())]);
        let kind: toml::Value = vec!["cdylib"].into();
        let lib =
            [("name", library.name.clone().into()), ("path", text(&library.src_path)), ("crate-type", kind)];
        manifest.insert("lib".into(), table(lib).into());
        manifest.insert("features".into(), toml::Value::try_from(&described.features).map_err(said)?);
        for dependency in described.dependencies {
            dependency.add_to(&mut manifest)?;
        }
        manifest.insert("workspace".into(), Table::new().into());
        manifest.insert("profile".into(), profile()?);
        manifest.insert("patch".into(), table([("crates-io", stand_ins().into())]).into());
        let model_manifest =
            table([("workspace", table([("metadata", table([("wdk", wdk.into())]).into())]).into())]);
        let model_manifest = toml::to_string(&model_manifest).map_err(said)?;
        Ok(Self {
            name: described.name,
            model: PathBuf::new(),
            library: library.name.replace('-', "_"),
            manifest,
            model_manifest,
            made: Vec::new(),
        }
        .with_model(model))
    }

    /// Names the manifest of the driver model, which is the same file for all drivers of the model.
    fn with_model(mut self, model: &Table) -> Self {
        let mut name = String::new();
        for value in model.values() {
            name.push_str(&value.to_string().replace('"', ""));
            name.push('-');
        }
        let folder = root().join("target/drivers/models").join(name.trim_end_matches('-').to_lowercase());
        self.model = folder.join("Cargo.toml");
        self
    }

    /// The name of a file of a kind that cargo makes of the library.
    pub(super) fn file(&self, kind: &str) -> String {
        format!("{}.{kind}", self.library)
    }

    /// The name of the image, which is that by which the linker calls the PDB too.
    pub(super) fn image(&self) -> &str {
        &self.library
    }

    /// Writes the package into `folder`, and the manifest of the model.
    pub(super) fn write(&self, folder: &Path) -> Result<(), CommandError> {
        let manifest =
            toml::to_string(&self.manifest).map_err(|error| CommandError::work(error.to_string()))?;
        put(&folder.join("Cargo.toml"), &manifest)?;
        put(&self.model, &self.model_manifest)?;
        for (file, contents) in &self.made {
            put(&folder.join(file), contents)?;
        }
        // The releases that the kit is tried with, of all dependencies that it has too.
        let lock = folder.join("Cargo.lock");
        if !lock.exists() {
            let of_kit = root().join("kit/Cargo.lock");
            fs::copy(&of_kit, &lock).map_err(|error| CommandError::file(&of_kit, &error))?;
        }
        Ok(())
    }
}

impl Dependency {
    /// Adds the dependency to a manifest, where it is one of the driver or of its build script.
    fn add_to(self, manifest: &mut Table) -> Result<(), String> {
        let section = match self.kind.as_deref() {
            None => "dependencies",
            Some("build") => "build-dependencies",
            Some(_) => return Ok(()),
        };
        let mut entry = self.place()?;
        if self.rename.is_some() {
            entry.insert("package".into(), self.name.clone().into());
        }
        entry.insert("optional".into(), self.optional.into());
        entry.insert("default-features".into(), self.uses_default_features.into());
        entry.insert("features".into(), self.features.into());
        let name = self.rename.unwrap_or(self.name);
        let sections = match self.target {
            None => manifest,
            Some(target) => nested(nested(manifest, "target")?, &target)?,
        };
        nested(sections, section)?.insert(name, entry.into());
        Ok(())
    }

    /// The place that the dependency comes from.
    fn place(&self) -> Result<Table, String> {
        let wdk = WDK.iter().find(|(name, _)| *name == self.name);
        match (&self.path, wdk, &self.source) {
            (Some(_), Some((_, version)), _) => Ok(table([("version", (*version).into())])),
            (Some(path), None, _) => Ok(table([("path", text(path))])),
            (None, _, Some(source)) if source.starts_with("git+") => {
                let place = source.trim_start_matches("git+");
                let (url, reference) = place.split_once('?').unwrap_or((place, ""));
                let mut entry = table([("git", url.into())]);
                if let Some((key, value)) = reference.split_once('=') {
                    entry.insert(key.into(), value.into());
                }
                Ok(entry)
            }
            (None, ..) => Ok(table([("version", self.req.clone().into())])),
        }
    }
}

/// The driver model that metadata of a package or a workspace names.
fn model(metadata: Option<&Value>) -> Option<Table> {
    let model = metadata?.pointer("/wdk/driver-model")?;
    toml::Table::try_from(model).ok()
}

/// The kit's profile of a release.
fn profile() -> Result<toml::Value, String> {
    let kit = fs::read_to_string(root().join("kit/Cargo.toml")).map_err(|error| error.to_string())?;
    let kit: Table = kit.parse().map_err(said)?;
    kit.get("profile").cloned().ok_or_else(|| "the kit has no profile".into())
}

/// The stand-ins for the published wdk-build, one for each of its releases that drivers ask for.
fn stand_ins() -> Table {
    let old = table([("package", "wdk-build".into()), ("path", text(&root().join("kit/wdk-build-0.5")))]);
    let new = table([("path", text(&root().join("kit/wdk-build")))]);
    table([("wdk-build", new.into()), ("wdk-build-0-5", old.into())])
}

fn table<const N: usize>(entries: [(&str, toml::Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn text(path: &Path) -> toml::Value {
    path.to_string_lossy().into_owned().into()
}

fn said(error: impl ToString) -> String {
    error.to_string()
}

/// The table with a name in `parent`, made where there is none.
fn nested<'a>(parent: &'a mut Table, name: &str) -> Result<&'a mut Table, String> {
    let entry = parent.entry(name).or_insert_with(|| Table::new().into());
    entry.as_table_mut().ok_or_else(|| format!("{name} is no table"))
}

/// Writes a file where it has other contents: cargo builds anew what depends on a file that was written.
fn put(path: &Path, contents: &str) -> Result<(), CommandError> {
    if fs::read_to_string(path).is_ok_and(|present| present == contents) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, contents))
        .map_err(|error| CommandError::file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A driver's folder with a manifest.
    fn folder(manifest: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        folder
    }

    const PACKAGE: &str = "[package]\nname = \"a-driver\"\nversion = \"1.2.3\"\nedition = \"2024\"\n";

    #[test]
    fn package_has_sources_dependencies_and_model_of_the_driver() {
        let rest = "[lib]\ncrate-type = [\"cdylib\"]\n[package.metadata.wdk.driver-model]\ndriver-type = \"WDM\"\n\
                    [dependencies]\nwdk.path = \"../wdk\"\nwdk-sys = \"0.5.1\"\nmine.path = \"../mine\"\n";
        let folder = folder(&format!("{PACKAGE}{rest}"));
        let package = Package::read(folder.path(), &[]).unwrap_or_else(|error| panic!("{error}"));
        let at = |path: &[&str]| {
            let mut value = toml::Value::from(package.manifest.clone());
            for key in path {
                value = value.get(*key).unwrap_or_else(|| panic!("{path:?}")).clone();
            }
            value
        };
        assert_eq!(at(&["dependencies", "wdk", "version"]), "0.5".into());
        assert_eq!(at(&["dependencies", "wdk-sys", "version"]), "^0.5.1".into());
        assert!(at(&["dependencies", "mine", "path"]).as_str().is_some_and(|path| path.starts_with('/')));
        assert_eq!(at(&["package", "metadata", "wdk", "driver-model", "driver-type"]), "WDM".into());
        assert_eq!(package.file("dll"), "a_driver.dll");
        assert!(package.model.ends_with("models/wdm/Cargo.toml"), "{}", package.model.display());
    }

    #[test]
    fn folder_without_a_driver_is_refused_with_one_sentence() {
        let library = format!("{PACKAGE}[package.metadata.wdk.driver-model]\ndriver-type = \"WDM\"\n");
        for (manifest, said) in
            [(library.as_str(), "makes no cdylib"), (PACKAGE, "no driver model under [package.metadata.wdk")]
        {
            let folder = folder(manifest);
            let Err(error) = Package::read(folder.path(), &[]) else { panic!("{manifest}") };
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
