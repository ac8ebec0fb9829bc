//! The package that is being built, which need not be the one whose build script runs.

use std::{
    env,
    path::{Path, PathBuf},
};

use cargo_metadata::{Metadata, MetadataCommand};

use crate::{ConfigError, DriverConfig};

/// The variable that names the manifest of the driver, where the folder of the build does not tell it.
const DRIVER: &str = "SOFTNDK_DRIVER";

/// The driver model of the package that is being built, which every build script of the build sees alike.
pub(crate) fn model() -> Result<DriverConfig, ConfigError> {
    println!("cargo::rerun-if-env-changed={DRIVER}");
    let manifest = manifest()?;
    println!("cargo::rerun-if-changed={}", manifest.display());
    let metadata = metadata(&manifest)?;
    for package in &metadata.packages {
        println!("cargo::rerun-if-changed={}", package.manifest_path);
    }
    DriverConfig::of_workspace(&manifest, &metadata)
}

/// Checks that the package whose build script runs has `model`, or names none.
pub(crate) fn check(model: &DriverConfig) -> Result<(), ConfigError> {
    let Some(manifest) = env::var_os("CARGO_MANIFEST_PATH").map(PathBuf::from) else { return Ok(()) };
    for package in metadata(&manifest)?.packages {
        if package.manifest_path != manifest {
            continue;
        }
        if let Some(own) = DriverConfig::of_metadata(package.name.to_string(), &package.metadata)
            && own? != *model
        {
            return Err(ConfigError::OtherModel { package: package.name.to_string() });
        }
    }
    Ok(())
}

/// The manifest that the caller names, or the one beside the lock file above the folder of the build, as the original has
/// it.
fn manifest() -> Result<PathBuf, ConfigError> {
    if let Some(named) = env::var_os(DRIVER) {
        return Ok(PathBuf::from(named));
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let locked = out.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let manifest = locked.map(|folder| folder.join("Cargo.toml"));
    manifest.ok_or(ConfigError::NoManifest { out })
}

fn metadata(manifest: &Path) -> Result<Metadata, ConfigError> {
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec();
    metadata.map_err(|error| ConfigError::CargoMetadata { manifest: manifest.to_owned(), error })
}
