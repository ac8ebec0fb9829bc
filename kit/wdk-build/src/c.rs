//! Drivers in C: their sources compiled, and linked as those in Rust are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Config, ConfigError, IoError, headers,
    host::{run, write},
    wpp,
};

/// The variable with the options of clang for the headers that are in use: the target, and the overlay over a WDK's.
const FLAGS: &str = "CFLAGS_x86_64_pc_windows_msvc";

/// The libraries of a driver in C that are not linked for the driver model.
const MORE: &[&str] = &["ndis", "netio", "wmilib"];

/// A driver in C.
#[derive(Clone, Copy, Debug, Default)]
pub struct CDriver<'a> {
    /// The folder that is searched for headers, and for sources where none are named.
    pub folder: &'a str,
    /// The sources, by absolute paths; all of the folder's where this is empty. Their folders are searched for headers too.
    pub sources: &'a [&'a str],
    /// The definitions that they are compiled with, as `NAME` or `NAME=VALUE`.
    pub definitions: &'a [&'a str],
    /// The trace functions that WPP is told of by the project, which compile to nothing.
    pub trace_functions: &'a [&'a str],
    /// The functions whose declarations in headers lose their parameters: MSVC takes a declaration whose parameter is a
    /// `void *` and a definition where that is a pointer to something else for the same function, and clang does not.
    pub unprototyped: &'a [&'a str],
}

/// Compiles the sources in C in `folder`, and configures the build of the driver that they make.
///
/// # Errors
///
/// As [`CDriver::configure`].
pub fn configure_c_driver(folder: impl AsRef<Path>) -> Result<(), ConfigError> {
    CDriver { folder: &folder.as_ref().to_string_lossy(), ..CDriver::default() }.configure()
}

impl CDriver<'_> {
    /// Compiles the sources, and configures the build of the driver that they make.
    ///
    /// # Errors
    ///
    /// As [`crate::configure_wdk_binary_build`]; the folder has no source in C, or one does not compile.
    pub fn configure(&self) -> Result<(), ConfigError> {
        let config = Config::from_env_auto()?;
        config.configure_binary_build()?;
        println!("cargo::rerun-if-env-changed={FLAGS}");
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        let sources = self.sources()?;
        for folder in self.folders(&sources) {
            println!("cargo::rerun-if-changed={}", folder.display());
        }
        let tracing = out.join("wpp");
        wpp::write(&tracing, &sources, self.trace_functions)?;
        let shim = out.join("unprototyped.h");
        write(&shim, &unprototyped(self.unprototyped))?;
        for source in &sources {
            let mut command = self.compiler(&config, &sources)?;
            command.arg("-I").arg(&tracing).arg("-include").arg(&shim);
            let object = out.join(source.with_extension("obj").file_name().unwrap_or_default());
            command.arg(source).arg("-o").arg(&object);
            run(&mut command, "clang-22")?;
            println!("cargo::rustc-cdylib-link-arg={}", object.display());
        }
        for library in config.driver_config.libraries().iter().chain(MORE) {
            println!("cargo::rustc-cdylib-link-arg={library}.lib");
        }
        println!("cargo::rustc-cdylib-link-arg=/LIBPATH:{}", out.display());
        Ok(())
    }

    fn sources(&self) -> Result<Vec<PathBuf>, ConfigError> {
        if !self.sources.is_empty() {
            return Ok(self.sources.iter().map(PathBuf::from).collect());
        }
        let entries = fs::read_dir(self.folder).map_err(|source| IoError::with_path(self.folder, source))?;
        let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
        sources.sort();
        Ok(sources)
    }

    /// The folders that are searched for the driver's own headers.
    fn folders(&self, sources: &[PathBuf]) -> Vec<PathBuf> {
        let mut folders = vec![PathBuf::from(self.folder)];
        folders.extend(sources.iter().filter_map(|source| source.parent()).map(Path::to_path_buf));
        folders.sort();
        folders.dedup();
        folders
    }

    /// The compiler, with all options but those of one source.
    fn compiler(&self, config: &Config, sources: &[PathBuf]) -> Result<Command, ConfigError> {
        let flags = env::var(FLAGS).unwrap_or_default();
        let mut command = Command::new("clang-22");
        command.args(flags.split_whitespace());
        command.args(["-c", "-O2", "-gcodeview", "-fms-extensions", "-fno-builtin"]);
        // A warning of MSVC's, as of clang's before its release 16.
        command.arg("-Wno-error=incompatible-pointer-types");
        // Control Flow Guard, by the option that clang's drivers of either dialect hand on.
        command.args(["-Xclang", "-cfguard"]);
        for folder in self.folders(sources) {
            command.arg("-I").arg(folder);
        }
        for path in headers::paths()? {
            command.arg("-isystem").arg(path);
        }
        for (name, value) in config.preprocessor_definitions() {
            command.arg(value.map_or_else(|| format!("-D{name}"), |value| format!("-D{name}={value}")));
        }
        command.args(self.definitions.iter().map(|definition| format!("-D{definition}")));
        Ok(command)
    }
}

/// The header by which declarations of `functions` in headers lose their parameters. In the source itself, outside of all
/// headers, the names mean what they say.
fn unprototyped(functions: &[&str]) -> String {
    let mut text = String::from(
        "#pragma once\n#define KIT_AT_(Level) KIT_AT_##Level\n#define KIT_AT(Level) KIT_AT_(Level)\n#define \
         KIT_AT_0(Name, ...) Name(__VA_ARGS__)\n",
    );
    for level in 1..16 {
        text.push_str(&format!("#define KIT_AT_{level}(Name, ...) Name()\n"));
    }
    for name in functions {
        text.push_str(&format!("#define {name}(...) KIT_AT(__INCLUDE_LEVEL__)({name}, __VA_ARGS__)\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declaration_in_a_header_loses_its_parameters_and_the_definition_keeps_them() {
        let text = unprototyped(&["Start"]);
        assert!(text.contains("#define Start(...) KIT_AT(__INCLUDE_LEVEL__)(Start, __VA_ARGS__)"));
        assert!(
            text.contains("KIT_AT_0(Name, ...) Name(__VA_ARGS__)")
                && text.contains("KIT_AT_2(Name, ...) Name()")
        );
    }
}
