//! The Debian packages that a build needs, and how they come onto the machine.

use std::process::Command;

use crate::{failure::Failure, step::Step};

/// A package and why it is needed.
struct Package {
    name: &'static str,
    /// The oldest version that serves, where not every one does.
    at_least: Option<&'static str>,
    reason: &'static str,
}

/// The list. There is no other one.
const PACKAGES: &[Package] = &[
    Package {
        name: "rustc-web",
        at_least: Some("1.96"),
        reason: "a Rust compiler whose library sources Debian has too",
    },
    Package {
        name: "rust-web-src",
        at_least: Some("1.96"),
        reason: "those sources, to build core and alloc for x86_64-pc-windows-msvc",
    },
    Package { name: "lld-22", at_least: None, reason: "lld-link, the linker for Windows images" },
    Package { name: "llvm-22", at_least: None, reason: "llvm-dlltool and llvm-lib, for import libraries" },
    Package { name: "clang-22", at_least: None, reason: "compiles the framework's entry stub" },
    Package { name: "libclang1-22", at_least: None, reason: "bindgen reads the DDK headers with it" },
    Package { name: "mingw-w64-common", at_least: None, reason: "the DDK headers" },
    Package {
        name: "mingw-w64-x86-64-dev",
        at_least: None,
        reason: "the export lists of the Windows kernel, to check imports against",
    },
];

/// The packages that only a compiler without the Windows target needs.
const COMPILER: &[&str] = &["rustc-web", "rust-web-src"];

/// Installs what is missing. `own_compiler` says that the active toolchain has the Windows target.
///
/// # Errors
///
/// This process is not root, or the packages cannot be had.
pub(crate) fn provide(own_compiler: bool) -> Result<(), Failure> {
    let wanted = || PACKAGES.iter().filter(|package| !(own_compiler && COMPILER.contains(&package.name)));
    let absent = missing(wanted())?;
    if absent.is_empty() {
        return Ok(());
    }
    println!("Debian packages that are missing:");
    for package in &absent {
        println!("  {:<22} {}", package.name, package.reason);
    }
    let names: Vec<&str> = absent.iter().map(|package| package.name).collect();
    if !is_root() {
        return Err(Failure::Usage(format!(
            "not root; run: sudo apt-get update && sudo apt-get install -y {}",
            names.join(" ")
        )));
    }
    // An index that is out of date names versions that the archive no longer has, older ones, or none.
    let step = Step::start("install packages");
    let installed = apt_get(&step, &install_arguments(&names)).is_ok() && missing(wanted())?.is_empty();
    if !installed {
        apt_get(&step, &["update"])
            .map_err(|output| Failure::work(format!("apt-get update failed:\n{output}")))?;
        apt_get(&step, &install_arguments(&names))
            .map_err(|output| Failure::work(format!("apt-get install failed:\n{output}")))?;
    }
    step.done();
    let absent = missing(wanted())?;
    match absent.first() {
        None => Ok(()),
        Some(package) => Err(Failure::work(format!(
            "Debian's archive has no {} {}",
            package.name,
            package.at_least.unwrap_or_default()
        ))),
    }
}

/// Which of `packages` are not installed, or too old.
fn missing<'a>(packages: impl Iterator<Item = &'a Package>) -> Result<Vec<&'a Package>, Failure> {
    let mut absent = Vec::new();
    for package in packages {
        let query = Command::new("dpkg-query")
            .args(["--show", "--showformat=${db:Status-Status} ${Version}", package.name])
            .output()
            .map_err(|error| Failure::Usage(format!("dpkg-query: {error}; this needs Debian 12")))?;
        let answer = String::from_utf8_lossy(&query.stdout).into_owned();
        let version = answer.strip_prefix("installed ");
        if !version.is_some_and(|version| package.accepts(version)) {
            absent.push(package);
        }
    }
    Ok(absent)
}

impl Package {
    /// Whether an installed `version` serves.
    fn accepts(&self, version: &str) -> bool {
        self.at_least.is_none_or(|at_least| {
            Command::new("dpkg")
                .args(["--compare-versions", version, "ge", at_least])
                .status()
                .is_ok_and(|status| status.success())
        })
    }
}

/// The arguments that install `names` and nothing that they only recommend.
fn install_arguments<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(names);
    arguments
}

/// Runs apt-get without questions; its output is the error.
fn apt_get(step: &Step, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    step.attempt(&mut command).map(drop)
}

/// Whether this process may install packages.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
