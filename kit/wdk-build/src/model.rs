//! The driver model that a workspace names in `[package.metadata.wdk.driver-model]`.

use std::collections::HashSet;

use cargo_metadata::Package;
use serde::Deserialize;

use crate::ConfigError;

/// A driver model and its versions.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(tag = "driver-type", deny_unknown_fields, rename_all = "UPPERCASE")]
pub enum DriverConfig {
    /// Windows Driver Model. Named because wdk-sys matches it; never read from a manifest.
    #[serde(skip)]
    Wdm,
    /// Kernel-Mode Driver Framework.
    Kmdf(KmdfConfig),
    /// User-Mode Driver Framework. Named because wdk-sys matches it; never read from a manifest.
    #[serde(skip)]
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
}

/// The versions of a UMDF driver.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct UmdfConfig {
    /// Major version.
    pub umdf_version_major: u8,
    /// Minor version that the driver is built against.
    pub target_umdf_version_minor: u8,
}

impl DriverConfig {
    /// The one driver model that all of `packages` agree on.
    pub(crate) fn of_packages(packages: &[Package]) -> Result<Self, ConfigError> {
        let models =
            packages
                .iter()
                .filter_map(|package| {
                    let model = package.metadata.pointer("/wdk/driver-model")?.clone();
                    Some(serde_json::from_value(model).map_err(|source| ConfigError::DriverModel {
                        package: package.name.to_string(),
                        source,
                    }))
                })
                .collect::<Result<HashSet<Self>, _>>()?;
        let count = models.len();
        match models.into_iter().next() {
            Some(model) if count == 1 => Ok(model),
            _ => Err(ConfigError::DriverModels(count)),
        }
    }

    /// The preprocessor's definitions, as a project of this driver model has them on Windows.
    pub(crate) fn preprocessor_definitions(&self) -> impl Iterator<Item = (String, Option<String>)> + use<> {
        let mut definitions =
            vec![("_WIN64", None), ("_AMD64_", None), ("AMD64", None), ("_KERNEL_MODE", None)];
        if let DriverConfig::Kmdf(version) = self {
            definitions.push(("KMDF_VERSION_MAJOR", Some(version.kmdf_version_major)));
            definitions.push(("KMDF_VERSION_MINOR", Some(version.target_kmdf_version_minor)));
        }
        definitions.into_iter().map(|(name, value)| (name.to_owned(), value.map(|value| value.to_string())))
    }
}
