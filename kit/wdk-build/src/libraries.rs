//! The libraries that a driver links: import libraries from `kit/lib` and the framework's entry stub.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    ConfigError, DriverConfig, IoError, headers,
    host::{CLANG_TARGET, kit, run},
};

/// The linker's arguments of a KMDF driver, those of the original and `/RELEASE`, which writes the checksum
/// that the signing tools write on Windows.
pub(crate) const LINKER_ARGUMENTS: &[&str] = &[
    "/DRIVER",
    "/NODEFAULTLIB",
    "/SUBSYSTEM:NATIVE",
    "/KERNEL",
    "/ENTRY:FxDriverEntry",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/MAP",
    "/OPT:REF,ICF",
    "/INTEGRITYCHECK",
    "/MANIFEST:NO",
    "/RELEASE",
];

/// The libraries that every KMDF driver links, in the order in which wdk-build has them, less those that
/// hold only compiler support for C. Import libraries have their module's name in lower case, because files
/// here, other than on Windows, have one spelling.
const BASE: &[&str] = &["ntoskrnl", "hal", "wdfldr", "WdfDriverEntry"];

/// The blocks that link [`BASE`], as they stand in the bindings.
pub(crate) fn link_blocks() -> String {
    BASE.iter()
        .map(|name| {
            format!(
                "#[cfg(not(any(test, feature = \"suppress-wdk-linking\")))]\n\
                 #[link(name = \"{name}\", kind = \"static\", modifiers = \"-bundle\")]\n\
                 unsafe extern \"C\" {{}}\n"
            )
        })
        .collect()
}

/// Makes an import library in `out` of every definition file, and the framework's entry stub.
pub(crate) fn make(model: &DriverConfig, out: &Path) -> Result<(), ConfigError> {
    let definitions = kit().join("lib");
    println!("cargo::rerun-if-changed={}", definitions.display());
    let entries = fs::read_dir(&definitions).map_err(|source| IoError::with_path(&definitions, source))?;
    for entry in entries {
        let path = entry.map_err(|source| IoError::with_path(&definitions, source))?.path();
        if path.extension().is_some_and(|extension| extension == "def") {
            import_library(&path, out)?;
        }
    }
    entry_stub(model, out)
}

/// Turns one definition file into the import library of the same name.
fn import_library(definition: &Path, out: &Path) -> Result<(), ConfigError> {
    let name = definition.with_extension("lib");
    let library = out.join(name.file_name().unwrap_or_default());
    let mut command = Command::new("llvm-dlltool-22");
    command.args(["-m", "i386:x86-64", "-d"]).arg(definition).arg("-l").arg(library);
    run(&mut command, "llvm-dlltool-22").map(drop)
}

/// Compiles `kit/entry` to `WdfDriverEntry.lib`.
fn entry_stub(model: &DriverConfig, out: &Path) -> Result<(), ConfigError> {
    let sources = kit().join("entry");
    println!("cargo::rerun-if-changed={}", sources.display());
    let entries = fs::read_dir(&sources).map_err(|source| IoError::with_path(&sources, source))?;
    let mut objects = Vec::new();
    for entry in entries {
        let source = entry.map_err(|source| IoError::with_path(&sources, source))?.path();
        objects.push(compile(model, &source, out)?);
    }
    let mut command = Command::new("llvm-lib-22");
    command.arg(format!("/out:{}", out.join("WdfDriverEntry.lib").display())).args(objects);
    run(&mut command, "llvm-lib-22").map(drop)
}

/// Compiles one source file and returns the object file.
fn compile(model: &DriverConfig, source: &Path, out: &Path) -> Result<PathBuf, ConfigError> {
    let object = out.join(source.with_extension("obj").file_name().unwrap_or_default());
    let mut command = Command::new("clang-22");
    command.args([
        CLANG_TARGET,
        "-c",
        "-O2",
        "-gcodeview",
        "-fms-extensions",
        "-ffreestanding",
        "-mno-sse",
        "-mguard=cf",
    ]);
    command.args(["-Wall", "-Werror", "-Wno-#warnings"]);
    // The stub keeps to the kit's headers: what it needs of the loader is in no WDK.
    for path in headers::kit_paths()? {
        command.arg("-isystem").arg(path);
    }
    for (name, value) in model.preprocessor_definitions() {
        command.arg(value.map_or_else(|| format!("-D{name}"), |value| format!("-D{name}={value}")));
    }
    command.arg(source).arg("-o").arg(&object);
    run(&mut command, "clang-22")?;
    Ok(object)
}
