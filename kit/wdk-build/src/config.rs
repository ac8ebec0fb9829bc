//! The kit's interface to a build script: driver model, header contents, preprocessor, linker arguments.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{ConfigError, DriverConfig, headers, host::kit, libraries, package};

/// The configuration of a build that depends on the WDK.
#[derive(Clone, Debug)]
pub struct Config {
    /// The driver model of the package that is being built.
    pub driver_config: DriverConfig,
}

/// The parts of the WDK that `wdk-sys` knows apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApiSubset {
    /// The headers that every driver needs.
    Base,
    /// The driver frameworks.
    Wdf,
    /// General-purpose input and output.
    Gpio,
    /// Human interface devices.
    Hid,
    /// Parallel ports.
    ParallelPorts,
    /// Simple peripheral buses.
    Spb,
    /// Storage.
    Storage,
    /// USB.
    Usb,
}

impl ApiSubset {
    /// The feature of `wdk-sys` that asks for the subset, where one does.
    const fn feature(self) -> Option<&'static str> {
        match self {
            Self::Base | Self::Wdf => None,
            Self::Gpio => Some("gpio"),
            Self::Hid => Some("hid"),
            Self::ParallelPorts => Some("parallel-ports"),
            Self::Spb => Some("spb"),
            Self::Storage => Some("storage"),
            Self::Usb => Some("usb"),
        }
    }
}

impl Config {
    /// The configuration of the package that is being built.
    ///
    /// # Errors
    ///
    /// The package does not name exactly one driver model that the kit knows, or its metadata cannot be had.
    pub fn from_env_auto() -> Result<Self, ConfigError> {
        Ok(Self { driver_config: package::model()? })
    }

    /// Emits the `cfg` that the wdk crates choose their code by.
    pub fn configure_library_build(&self) {
        println!("cargo::rerun-if-changed={}", kit().join("include").display());
        println!("cargo::rerun-if-env-changed={}", headers::WDK);
        println!(
            "cargo::rustc-check-cfg=cfg(driver_model__driver_type, values(\"WDM\", \"KMDF\", \"UMDF\"))"
        );
        println!("cargo::rustc-cfg=driver_model__driver_type=\"{}\"", self.driver_config.name());
    }

    /// Makes the libraries that a driver links and emits the linker's arguments.
    ///
    /// # Errors
    ///
    /// The C runtime is not linked statically, the package names another driver model than the one that the wdk crates
    /// were built for, or one of LLVM's tools is missing or fails.
    pub fn configure_binary_build(&self) -> Result<(), ConfigError> {
        let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
        if !features.split(',').any(|feature| feature == "crt-static") {
            return Err(ConfigError::StaticCrtNotEnabled);
        }
        package::check(&self.driver_config)?;
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        libraries::make(&self.driver_config, &out)?;
        println!("cargo::rustc-link-search=native={}", out.display());
        for argument in libraries::linker_arguments(&self.driver_config) {
            println!("cargo::rustc-cdylib-link-arg={argument}");
        }
        self.configure_library_build();
        Ok(())
    }

    /// The headers of `subset`.
    ///
    /// # Errors
    ///
    /// The kit has no headers for the subset.
    pub fn headers(&self, subset: ApiSubset) -> Result<impl Iterator<Item = String>, ConfigError> {
        let headers = match (subset, &self.driver_config) {
            (ApiSubset::Base, _) => &["ntifs.h", "ntddk.h", "ntstrsafe.h"][..],
            (ApiSubset::Wdf, DriverConfig::Kmdf(_)) => &["wdf.h"],
            (ApiSubset::Wdf, DriverConfig::Wdm | DriverConfig::Umdf(_)) => &[],
            (other, _) => return Err(ConfigError::NoHeaders(other.feature().unwrap_or_default())),
        };
        Ok(headers.iter().map(|&header| header.to_owned()))
    }

    /// The include lines of `subsets`, in order.
    ///
    /// # Errors
    ///
    /// The kit has no headers for one of them.
    pub fn bindgen_header_contents(
        &self,
        subsets: impl IntoIterator<Item = ApiSubset>,
    ) -> Result<String, ConfigError> {
        let mut lines = String::new();
        for subset in subsets {
            for header in self.headers(subset)? {
                lines.push_str(&format!("#include \"{header}\"\n"));
            }
        }
        Ok(lines)
    }

    /// The `#[link]` blocks that stand in the bindings of `subset`.
    #[must_use]
    pub fn bindgen_library_link_raw_lines(&self, subset: ApiSubset) -> Option<String> {
        (subset == ApiSubset::Base).then(|| libraries::link_blocks(&self.driver_config))
    }

    /// The name of the variable that holds KMDF's function table.
    #[must_use]
    pub fn compute_wdffunctions_symbol_name(&self) -> Option<String> {
        match self.driver_config {
            DriverConfig::Kmdf(version) => Some(format!(
                "WdfFunctions_{:02}{:03}",
                version.kmdf_version_major, version.target_kmdf_version_minor
            )),
            DriverConfig::Wdm | DriverConfig::Umdf(_) => None,
        }
    }

    /// The folders that headers are searched in, in order.
    ///
    /// # Errors
    ///
    /// clang cannot be asked for its own headers.
    pub fn include_paths(&self) -> Result<impl Iterator<Item = PathBuf>, ConfigError> {
        headers::paths().map(Vec::into_iter)
    }

    /// The preprocessor's definitions, as a project of the driver model has them on Windows.
    pub fn preprocessor_definitions(&self) -> impl Iterator<Item = (String, Option<String>)> {
        self.driver_config.preprocessor_definitions()
    }
}

/// Removes what wdk-macros has kept of the prototypes of the framework's functions, which it parses once and never
/// compares with the headers again: they are being bound anew.
pub(crate) fn forget_prototypes() {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // TARGET/TRIPLE/PROFILE/build/PACKAGE/out; the macros are built for the host, in TARGET/PROFILE/build.
    let mut above = out.ancestors().skip(3);
    let profile = above.next().and_then(Path::file_name).map(PathBuf::from).unwrap_or_default();
    for folder in above.take(2) {
        let scripts = std::fs::read_dir(folder.join(&profile).join("build")).into_iter().flatten().flatten();
        for script in scripts.filter(|script| script.file_name().to_string_lossy().starts_with("scratch-")) {
            let caches = std::fs::read_dir(script.path().join("out")).into_iter().flatten().flatten();
            // A cache that stays says so itself, by prototypes that do not fit.
            caches.for_each(|cache| drop(std::fs::remove_dir_all(cache.path())));
        }
    }
}
