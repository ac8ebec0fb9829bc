//! The libraries that a driver links: import libraries from `kit/lib` and the framework's entry stub.

use std::{
    collections::HashSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    ConfigError, DriverConfig, IoError, headers,
    host::{CLANG_TARGET, kit, run},
};

/// The linker's arguments of every driver, those of the original and `/RELEASE`, which writes the checksum
/// that the signing tools write on Windows.
const LINKER_ARGUMENTS: &[&str] = &[
    "/DRIVER",
    "/NODEFAULTLIB",
    "/SUBSYSTEM:NATIVE",
    "/KERNEL",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/MAP",
    "/OPT:REF,ICF",
    "/INTEGRITYCHECK",
    "/MANIFEST:NO",
    "/RELEASE",
];

/// The libraries that drivers link, in the order in which wdk-build has them. Import libraries have their module's name in
/// lower case, because files here, other than on Windows, have one spelling. The first has the support of the compiler
/// that an image needs: here, the load configuration.
const WDM: &[&str] = &["BufferOverflowFastFailK", "ntoskrnl", "hal"];

/// As [`WDM`], of a KMDF driver.
const KMDF: &[&str] = &["BufferOverflowFastFailK", "ntoskrnl", "hal", "wdfldr", "WdfDriverEntry"];

/// The folder of the import libraries of Debian's mingw-w64-x86-64-dev.
const MINGW: &str = "/usr/x86_64-w64-mingw32/lib";

/// The modules that a driver may link beside those of `kit/lib`, where mingw-w64 has them: the name of the library, and
/// the module's.
const OTHERS: &[(&str, &str)] = &[
    ("hidclass", "HIDCLASS.SYS"),
    ("hidparse", "HIDPARSE.SYS"),
    ("ks", "ks.sys"),
    ("ksecdd", "ksecdd.sys"),
    ("usbd", "USBD.SYS"),
    ("usbport", "USBPORT.SYS"),
    ("wmilib", "WMILIB.SYS"),
];

/// The linker's arguments of a driver.
pub(crate) fn linker_arguments(model: &DriverConfig) -> impl Iterator<Item = &'static str> + use<> {
    let entry = match model {
        DriverConfig::Wdm | DriverConfig::Umdf(_) => "/ENTRY:DriverEntry",
        DriverConfig::Kmdf(_) => "/ENTRY:FxDriverEntry",
    };
    LINKER_ARGUMENTS.iter().copied().chain([entry])
}

impl DriverConfig {
    /// The libraries that a driver of this model links.
    pub(crate) const fn libraries(&self) -> &'static [&'static str] {
        match self {
            Self::Wdm | Self::Umdf(_) => WDM,
            Self::Kmdf(_) => KMDF,
        }
    }
}

/// The blocks that link the libraries of a driver, as they stand in the bindings.
pub(crate) fn link_blocks(model: &DriverConfig) -> String {
    model
        .libraries()
        .iter()
        .map(|name| {
            format!(
                "#[cfg(not(any(test, feature = \"suppress-wdk-linking\")))]\n\
                 #[link(name = \"{name}\", kind = \"static\", modifiers = \"-bundle\")]\n\
                 unsafe extern \"C\" {{}}\n"
            )
        })
        .collect()
}

/// Makes the import libraries in `out`, and the libraries of `kit/entry`.
pub(crate) fn make(model: &DriverConfig, out: &Path) -> Result<(), ConfigError> {
    let kit = kit();
    let definitions = kit.join("lib");
    println!("cargo::rerun-if-changed={}", definitions.display());
    // The drivers of this repository import only what the kit's definition files list.
    let own = env::var_os("CARGO_MANIFEST_DIR").is_some_and(|package| Path::new(&package).starts_with(&kit));
    let entries = fs::read_dir(&definitions).map_err(|source| IoError::with_path(&definitions, source))?;
    for entry in entries {
        let path = entry.map_err(|source| IoError::with_path(&definitions, source))?.path();
        if path.extension().is_none_or(|extension| extension != "def") {
            continue;
        }
        if own {
            import_library(&path, out)?;
        } else {
            import_library(&completed(&path, out)?, out)?;
        }
    }
    if !own {
        for (library, module) in OTHERS {
            if let Some(exports) = exports(library)? {
                let text = format!("LIBRARY {module}\nEXPORTS\n{}\n", exports.join("\n"));
                import_library(&write(&out.join(library).with_extension("def"), text)?, out)?;
            }
        }
    }
    let sources = kit.join("entry");
    println!("cargo::rerun-if-changed={}", sources.display());
    library(model, &sources.join("guard.c"), "BufferOverflowFastFailK.lib", out)?;
    match model {
        DriverConfig::Wdm | DriverConfig::Umdf(_) => Ok(()),
        DriverConfig::Kmdf(_) => library(model, &sources.join("FxDriverEntry.c"), "WdfDriverEntry.lib", out),
    }
}

/// A definition file of the kit's with what mingw-w64's import library of the module has besides.
fn completed(definition: &Path, out: &Path) -> Result<PathBuf, ConfigError> {
    let mut text = fs::read_to_string(definition).map_err(|source| IoError::with_path(definition, source))?;
    let stem = definition.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let known: HashSet<String> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    let more = exports(&stem)?.unwrap_or_default();
    for line in more.iter().filter(|line| line.split(' ').next().is_some_and(|name| !known.contains(name))) {
        text.push_str(line);
        text.push('\n');
    }
    write(&out.join(definition.file_name().unwrap_or_default()), text)
}

/// The lines of a definition file for what mingw-w64's import library has; `None` where there is no such library.
fn exports(library: &str) -> Result<Option<Vec<String>>, ConfigError> {
    let path = Path::new(MINGW).join(format!("lib{library}.a"));
    if !path.exists() {
        return Ok(None);
    }
    let listed = run(Command::new("llvm-nm-22").arg("--defined-only").arg(&path), "llvm-nm-22")?;
    let symbols: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            Some((words.next()?, words.next()?))
        })
        .collect();
    let functions: HashSet<&str> =
        symbols.iter().filter(|(kind, _)| *kind == "T").map(|(_, name)| *name).collect();
    let mut lines: Vec<String> = symbols
        .iter()
        .filter(|(kind, _)| *kind == "I")
        .filter_map(|(_, name)| name.strip_prefix("__imp_"))
        .map(|name| if functions.contains(name) { name.to_owned() } else { format!("{name} DATA") })
        .collect();
    lines.sort();
    lines.dedup();
    Ok(Some(lines))
}

fn write(path: &Path, text: String) -> Result<PathBuf, ConfigError> {
    fs::write(path, text).map_err(|source| IoError::with_path(path, source))?;
    Ok(path.to_owned())
}

/// Turns one definition file into the import library of the same name.
fn import_library(definition: &Path, out: &Path) -> Result<(), ConfigError> {
    let name = definition.with_extension("lib");
    let library = out.join(name.file_name().unwrap_or_default());
    let mut command = Command::new("llvm-dlltool-22");
    command.args(["-m", "i386:x86-64", "-d"]).arg(definition).arg("-l").arg(library);
    run(&mut command, "llvm-dlltool-22").map(drop)
}

/// Compiles one source file to a library.
fn library(model: &DriverConfig, source: &Path, name: &str, out: &Path) -> Result<(), ConfigError> {
    let object = compile(model, source, out)?;
    let mut command = Command::new("llvm-lib-22");
    command.arg(format!("/out:{}", out.join(name).display())).arg(object);
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
