//! Drivers in C: their sources compiled, and linked as those in Rust are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Config, ConfigError, IoError, headers, host::run};

/// The variable with the options of clang for the headers that are in use: the target, and the overlay over a WDK's.
const FLAGS: &str = "CFLAGS_x86_64_pc_windows_msvc";

/// The libraries of a driver in C that are not linked for the driver model.
const MORE: &[&str] = &["ndis", "netio", "wmilib"];

/// Compiles the sources in C in `folder`, and configures the build of the driver that they make.
///
/// # Errors
///
/// As [`crate::configure_wdk_binary_build`]; the folder has no source in C, or one does not compile.
pub fn configure_c_driver(folder: impl AsRef<Path>) -> Result<(), ConfigError> {
    let folder = folder.as_ref();
    let config = Config::from_env_auto()?;
    config.configure_binary_build()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-env-changed={FLAGS}");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let entries = fs::read_dir(folder).map_err(|source| IoError::with_path(folder, source))?;
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    sources.sort();
    for source in &sources {
        println!("cargo::rustc-cdylib-link-arg={}", compile(&config, folder, source, &out)?.display());
    }
    for library in config.driver_config.libraries().iter().chain(MORE) {
        println!("cargo::rustc-cdylib-link-arg={library}.lib");
    }
    println!("cargo::rustc-cdylib-link-arg=/LIBPATH:{}", out.display());
    Ok(())
}

/// Compiles one source.
fn compile(config: &Config, folder: &Path, source: &Path, out: &Path) -> Result<PathBuf, ConfigError> {
    let object = out.join(source.with_extension("obj").file_name().unwrap_or_default());
    let flags = env::var(FLAGS).unwrap_or_default();
    let mut command = Command::new("clang-22");
    command.args(flags.split_whitespace());
    command.args(["-c", "-O2", "-gcodeview", "-fms-extensions", "-fno-builtin"]);
    // Control Flow Guard, by the option that clang's drivers of either dialect hand on.
    command.args(["-Xclang", "-cfguard", "-I"]).arg(folder);
    for path in headers::paths()? {
        command.arg("-isystem").arg(path);
    }
    for (name, value) in config.preprocessor_definitions() {
        command.arg(value.map_or_else(|| format!("-D{name}"), |value| format!("-D{name}={value}")));
    }
    command.arg(source).arg("-o").arg(&object);
    run(&mut command, "clang-22")?;
    Ok(object)
}
