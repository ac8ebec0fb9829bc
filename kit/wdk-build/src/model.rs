//! The driver model that packages name in `[package.metadata.wdk.driver-model]`.

use std::{collections::HashSet, path::Path};

use cargo_metadata::Metadata;
use serde::Deserialize;
use serde_json::Value;

use crate::ConfigError;

/// The versions of KMDF whose tables `kit/include/wdf` has.
const KMDF: [(u8, u8); 2] = [(1, 31), (1, 33)];

/// A driver model and its versions.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(tag = "driver-type", deny_unknown_fields, rename_all = "UPPERCASE")]
pub enum DriverConfig {
    /// Windows Driver Model; a plain NDIS driver is one.
    Wdm,
    /// Kernel-Mode Driver Framework.
    Kmdf(KmdfConfig),
    /// User-Mode Driver Framework, which the kit refuses.
    Umdf(UmdfConfig),
}

/// The versions of a KMDF driver.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KmdfConfig {
    /// Major version.
    pub kmdf_version_major: u8,
    /// Minor version that the driver is built against.
    pub target_kmdf_version_minor: u8,
    /// The oldest minor version that the driver runs on, if older.
    pub minimum_kmdf_version_minor: Option<u8>,
}

/// The versions of a UMDF driver.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UmdfConfig {
    /// Major version.
    pub umdf_version_major: u8,
    /// Minor version that the driver is built against.
    pub target_umdf_version_minor: u8,
    /// The oldest minor version that the driver runs on, if older.
    pub minimum_umdf_version_minor: Option<u8>,
}

impl DriverConfig {
    /// The one driver model that the packages of a workspace, and the workspace itself, agree on.
    pub(crate) fn of_workspace(manifest: &Path, metadata: &Metadata) -> Result<Self, ConfigError> {
        let packages = metadata.packages.iter().map(|package| (package.name.to_string(), &package.metadata));
        let all = packages.chain([("the workspace".to_owned(), &metadata.workspace_metadata)]);
        let models = all
            .filter_map(|(name, metadata)| Self::of_metadata(name, metadata))
            .collect::<Result<HashSet<Self>, _>>()?;
        let count = models.len();
        match models.into_iter().next() {
            Some(model) if count == 1 => model.supported(),
            _ => Err(ConfigError::DriverModels { manifest: manifest.to_owned(), count }),
        }
    }

    /// The driver model that one package's metadata names, if it names one.
    pub(crate) fn of_metadata(package: String, metadata: &Value) -> Option<Result<Self, ConfigError>> {
        let model = metadata.pointer("/wdk/driver-model")?.clone();
        Some(serde_json::from_value(model).map_err(|reason| ConfigError::DriverModel { package, reason }))
    }

    /// The model, where the kit can build it.
    fn supported(self) -> Result<Self, ConfigError> {
        match &self {
            Self::Wdm => Ok(self),
            Self::Umdf(_) => Err(ConfigError::UserMode),
            Self::Kmdf(version) => {
                let (major, minor) = (version.kmdf_version_major, version.target_kmdf_version_minor);
                let known = KMDF.contains(&(major, minor));
                known.then_some(self).ok_or(ConfigError::KmdfVersion { major, minor })
            }
        }
    }

    /// The name of the model, as the `cfg` of the wdk crates has it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Wdm => "WDM",
            Self::Kmdf(_) => "KMDF",
            Self::Umdf(_) => "UMDF",
        }
    }

    /// The preprocessor's definitions, as a project of this driver model has them on Windows.
    pub(crate) fn preprocessor_definitions(&self) -> impl Iterator<Item = (String, Option<String>)> + use<> {
        let mut definitions =
            vec![("_WIN64", None), ("_AMD64_", None), ("AMD64", None), ("_KERNEL_MODE", None)];
        if let DriverConfig::Kmdf(version) = self {
            definitions.push(("KMDF_VERSION_MAJOR", Some(version.kmdf_version_major)));
            definitions.push(("KMDF_VERSION_MINOR", Some(version.target_kmdf_version_minor)));
            let minimum = version.minimum_kmdf_version_minor;
            definitions.extend(minimum.map(|minor| ("KMDF_MINIMUM_VERSION_REQUIRED", Some(minor))));
        }
        definitions.into_iter().map(|(name, value)| (name.to_owned(), value.map(|value| value.to_string())))
    }
}
