//! The Debian packages that a build needs, and how they come onto the machine.

use std::{path::Path, process::Command};

use crate::{failure::CommandError, step::Step};

/// The use of a package.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// Building drivers with any compiler.
    Drivers,
    /// Building drivers, and reading the stacks of what fuzzing finds.
    Llvm,
    /// Fuzzing.
    Fuzz,
    /// Building drivers, where the active compiler lacks the Windows target.
    Compiler,
    /// Linting, with that compiler or where the active toolchain has no linters.
    Lints,
    /// Checking the format of sources, where the active toolchain has no linters.
    Format,
    /// Building a program for Windows.
    Program,
    /// Running a program for Windows.
    Wine,
    /// Verifying a package by tools that did not make it.
    Verify,
    /// Debugging drivers in the simulator.
    Debugger,
    /// Running the extension of WinDbg in a test.
    Extension,
    /// Tools from PyPI, in an environment of their own.
    Python,
    /// A Linux guest with siw, and the judge of what it and softndk sent each other.
    Interop,
}

/// A package and why it is needed.
struct Package {
    name: &'static str,
    used_for: Use,
    /// The oldest version that serves, where not every one does.
    at_least: Option<&'static str>,
    reason: &'static str,
}

impl Package {
    const fn new(name: &'static str, used_for: Use, reason: &'static str) -> Self {
        Self { name, used_for, at_least: None, reason }
    }

    const fn at_least(mut self, version: &'static str) -> Self {
        self.at_least = Some(version);
        self
    }

    /// Returns whether the package is installed, and new enough. `answer` is dpkg-query's: status and version.
    fn is_met_by(&self, answer: &str) -> bool {
        answer.strip_prefix("installed ").is_some_and(|version| self.accepts(version))
    }

    /// Returns whether an installed `version` serves.
    fn accepts(&self, version: &str) -> bool {
        self.at_least.is_none_or(|at_least| {
            Command::new("dpkg")
                .args(["--compare-versions", version, "ge", at_least])
                .status()
                .is_ok_and(|status| status.success())
        })
    }
}

/// The release of Rust that the drivers have been built with. Debian 12 also has an older one, which has not
/// been tried.
const RUST: &str = "1.96";

/// The list. There is no other one.
const PACKAGES: &[Package] = &[
    Package::new("rustc-web", Use::Compiler, "a compiler whose library sources Debian has too")
        .at_least(RUST),
    Package::new("rust-web-src", Use::Compiler, "those sources: the standard library for Windows targets")
        .at_least(RUST),
    Package::new("rust-web-clippy", Use::Lints, "lints the drivers with that compiler").at_least(RUST),
    Package::new("rustfmt-web", Use::Format, "checks formatting").at_least(RUST),
    Package::new("lld-22", Use::Drivers, "lld-link, the linker for Windows images"),
    Package::new("llvm-22", Use::Llvm, "llvm-dlltool and llvm-lib, for import libraries; llvm-symbolizer"),
    Package::new("libfuzzer-22-dev", Use::Fuzz, "chooses the inputs of fuzz targets"),
    Package::new("clang-22", Use::Drivers, "compiles the framework's entry stub"),
    Package::new("libclang1-22", Use::Drivers, "bindgen reads the DDK headers with it"),
    Package::new("mingw-w64-common", Use::Drivers, "the DDK headers"),
    Package::new("mingw-w64-x86-64-dev", Use::Drivers, "the kernel's export lists, to check imports against"),
    Package::new(
        "gcc-mingw-w64-x86-64-win32",
        Use::Program,
        "links ndkhlk.exe, with the C runtime of Windows",
    ),
    Package::new("wine64", Use::Wine, "runs ndkhlk.exe and ndkhlk.sys"),
    Package::new("osslsigncode", Use::Verify, "verifies the signatures of a package"),
    Package::new("openssl", Use::Verify, "converts the certificate for osslsigncode"),
    Package::new("lldb-22", Use::Debugger, "the debugger, which reads PDBs"),
    Package::new("python3-lldb-22", Use::Debugger, "its scripts, one of which tells it of the images"),
    Package::new("nodejs", Use::Extension, "runs the extension of WinDbg in WinDbg's place"),
    Package::new("python3-venv", Use::Python, "a place for verifiers and linters from PyPI"),
    Package::new("qemu-system-x86", Use::Interop, "the machine of the guest"),
    Package::new(
        "linux-source-6.1",
        Use::Interop,
        "the sources of siw, which Debian's kernel is built without",
    ),
    Package::new("linux-headers-amd64", Use::Interop, "builds siw for Debian's kernel"),
    Package::new("gcc", Use::Interop, "compiles siw and the guest's program"),
    Package::new("make", Use::Interop, "builds siw"),
    Package::new("libc6-dev", Use::Interop, "headers of the guest's program"),
    Package::new("librdmacm-dev", Use::Interop, "headers of the guest's program: connections of RDMA"),
    Package::new("libibverbs-dev", Use::Interop, "headers of the guest's program: verbs"),
    Package::new("ibverbs-providers", Use::Interop, "siw's part in user mode"),
    Package::new("rdmacm-utils", Use::Interop, "rping"),
    Package::new("iproute2", Use::Interop, "rdma, which makes siw's device"),
    Package::new("busybox-static", Use::Interop, "all else in the guest"),
    Package::new("kmod", Use::Interop, "the order in which modules are loaded"),
    Package::new("cpio", Use::Interop, "packs the guest"),
    Package::new("xz-utils", Use::Interop, "unpacks the sources"),
    Package::new("tshark", Use::Interop, "the judge"),
];

/// Installs what is missing of the packages that are `needed`.
///
/// # Errors
///
/// This process is not root, or the packages cannot be had.
pub(crate) fn provide(needed: impl Fn(Use) -> bool) -> Result<(), CommandError> {
    let wanted = || PACKAGES.iter().filter(|package| needed(package.used_for));
    let absent = missing(wanted())?;
    if absent.is_empty() {
        return Ok(());
    }
    eprintln!("Debian packages that are missing:");
    for package in &absent {
        eprintln!("  {:<22} {}", package.name, package.reason);
    }
    let names: Vec<&str> = absent.iter().map(|package| package.name).collect();
    if !is_root() {
        return Err(CommandError::Usage(format!(
            "not root; run: sudo apt-get update && sudo apt-get install -y {}",
            names.join(" ")
        )));
    }
    // An index that is out of date names versions that the archive no longer has, older ones, or none.
    let step = Step::start("install packages");
    let installed = apt_get(&step, &install_arguments(&names)).is_ok() && missing(wanted())?.is_empty();
    if !installed {
        apt_get(&step, &["update"])
            .map_err(|output| CommandError::work(format!("apt-get update failed:\n{output}")))?;
        apt_get(&step, &install_arguments(&names))
            .map_err(|output| CommandError::work(format!("apt-get install failed:\n{output}")))?;
    }
    step.done();
    let absent = missing(wanted())?;
    match absent.first() {
        None => Ok(()),
        Some(package) => Err(CommandError::work(format!(
            "Debian's archive has no {} {}",
            package.name,
            package.at_least.unwrap_or_default()
        ))),
    }
}

/// Downloads a package into `folder` without installing it.
pub(crate) fn download(step: &Step, name: &str, version: &str, folder: &Path) -> Result<(), CommandError> {
    let package = format!("{name}={version}");
    let fetch = || {
        let mut command = Command::new("apt-get");
        // apt would give up its rights, and then could not write here.
        command.current_dir(folder).args(["-q", "-o", "APT::Sandbox::User=root", "download", &package]);
        step.attempt(&mut command).map(drop)
    };
    fetch().or_else(|_| apt_get(step, &["update"]).and_then(|()| fetch())).map_err(|output| {
        let reason = output.lines().find(|line| line.starts_with("E:")).unwrap_or("apt-get failed");
        CommandError::work(format!("{package} can't be downloaded: {reason}"))
    })
}

/// Those of `packages` that are not installed, or too old.
fn missing<'a>(packages: impl Iterator<Item = &'a Package>) -> Result<Vec<&'a Package>, CommandError> {
    let mut absent = Vec::new();
    for package in packages {
        let query = Command::new("dpkg-query")
            .args(["--show", "--showformat=${db:Status-Status} ${Version}", package.name])
            .output()
            .map_err(|error| CommandError::Usage(format!("dpkg-query: {error}; this needs Debian 12")))?;
        let answer = String::from_utf8_lossy(&query.stdout).into_owned();
        if !package.is_met_by(&answer) {
            absent.push(package);
        }
    }
    Ok(absent)
}

/// The arguments that install `names` and nothing that they only recommend.
fn install_arguments<'a>(names: &[&'a str]) -> Vec<&'a str> {
    // Another apt-get may be at work.
    let mut arguments =
        vec!["-o", "DPkg::Lock::Timeout=300", "install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(names);
    arguments
}

/// Runs apt-get without questions; its output is the error.
fn apt_get(step: &Step, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    step.attempt(&mut command).map(drop)
}

/// Returns whether this process may install packages.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Package = Package::new("any", Use::Drivers, "");
    const RECENT: Package = Package::new("recent", Use::Drivers, "").at_least("1.96");

    #[test]
    fn installed_package_is_not_missing() {
        assert!(ANY.is_met_by("installed 1.0-1"));
    }

    #[test]
    fn package_that_was_removed_is_missing() {
        assert!(!ANY.is_met_by("config-files 1.0-1"));
        assert!(!ANY.is_met_by(""));
    }

    #[test]
    fn package_that_is_too_old_is_missing() {
        assert!(!RECENT.is_met_by("installed 1.85.0+dfsg3-1~deb12u3"));
        assert!(RECENT.is_met_by("installed 1.96.0+dfsg1-1~deb12u2"));
    }

    #[test]
    fn each_package_is_listed_once() {
        let names: std::collections::BTreeSet<&str> = PACKAGES.iter().map(|package| package.name).collect();
        assert_eq!(names.len(), PACKAGES.len());
    }
}
