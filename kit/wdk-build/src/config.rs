//! The kit's interface to a build script: driver model, header contents, preprocessor, linker arguments.

use std::{env, path::PathBuf};

use cargo_metadata::MetadataCommand;

use crate::{ConfigError, DriverConfig, headers, host::kit, libraries};

/// The configuration of a build that depends on the WDK.
#[derive(Clone, Debug)]
pub struct Config {
    /// The driver model of the workspace.
    pub driver_config: DriverConfig,
}

/// The parts of the WDK that `wdk-sys` knows apart. Those behind a feature of `wdk-sys` are not here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApiSubset {
    /// The headers that every driver needs.
    Base,
    /// The driver frameworks.
    Wdf,
}

impl Config {
    /// The configuration of the workspace that this crate belongs to.
    ///
    /// # Errors
    ///
    /// The workspace does not name exactly one driver model, or its metadata cannot be had.
    pub fn from_env_auto() -> Result<Self, ConfigError> {
        let manifest = kit().join("Cargo.toml");
        println!("cargo::rerun-if-changed={}", manifest.display());
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
        for package in &metadata.packages {
            println!("cargo::rerun-if-changed={}", package.manifest_path);
        }
        Ok(Self { driver_config: DriverConfig::of_packages(&metadata.packages)? })
    }

    /// Emits the `cfg` that the wdk crates choose their code by.
    pub fn configure_library_build(&self) {
        println!("cargo::rerun-if-changed={}", kit().join("include").display());
        println!("cargo::rerun-if-env-changed={}", headers::WDK);
        println!(
            "cargo::rustc-check-cfg=cfg(driver_model__driver_type, values(\"WDM\", \"KMDF\", \"UMDF\"))"
        );
        println!("cargo::rustc-cfg=driver_model__driver_type=\"KMDF\"");
    }

    /// Makes the libraries that a driver links and emits the linker's arguments.
    ///
    /// # Errors
    ///
    /// The C runtime is not linked statically, or one of LLVM's tools is missing or fails.
    pub fn configure_binary_build(&self) -> Result<(), ConfigError> {
        let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
        if !features.split(',').any(|feature| feature == "crt-static") {
            return Err(ConfigError::StaticCrtNotEnabled);
        }
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        libraries::make(&self.driver_config, &out)?;
        println!("cargo::rustc-link-search=native={}", out.display());
        for argument in libraries::LINKER_ARGUMENTS {
            println!("cargo::rustc-cdylib-link-arg={argument}");
        }
        self.configure_library_build();
        Ok(())
    }

    /// The include lines of `subsets`, in order.
    ///
    /// # Errors
    ///
    /// None here; the original has some.
    pub fn bindgen_header_contents(
        &self,
        subsets: impl IntoIterator<Item = ApiSubset>,
    ) -> Result<String, ConfigError> {
        Ok(subsets
            .into_iter()
            .flat_map(|subset| match subset {
                ApiSubset::Base => &["ntifs.h", "ntddk.h", "ntstrsafe.h"][..],
                ApiSubset::Wdf => &["wdf.h"],
            })
            .map(|header| format!("#include \"{header}\"\n"))
            .collect())
    }

    /// The `#[link]` blocks that stand in the bindings of `subset`.
    #[must_use]
    pub fn bindgen_library_link_raw_lines(&self, subset: ApiSubset) -> Option<String> {
        (subset == ApiSubset::Base).then(libraries::link_blocks)
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

    /// The preprocessor's definitions, as a KMDF project has them on Windows.
    pub fn preprocessor_definitions(&self) -> impl Iterator<Item = (String, Option<String>)> {
        self.driver_config.preprocessor_definitions()
    }
}
