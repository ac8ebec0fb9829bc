//! The compilers: the active one, and Debian's for what the active one lacks.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::root;

/// The drivers' target triple.
pub(crate) const TARGET: &str = "x86_64-pc-windows-msvc";

/// The target triple of programs for Windows: its C runtime and linker are in Debian.
pub(crate) const PROGRAM_TARGET: &str = "x86_64-pc-windows-gnu";

/// The folder of the tools of Debian's rustc-web.
const DEBIAN: &str = "/usr/bin";

/// The target triple of drivers for ARM64, which are built on Windows alone.
pub(crate) const ARM64: &str = "aarch64-pc-windows-msvc";

/// Variables of the environment by which the build of wdk-sys finds LLVM: those of the kit's configuration of cargo.
const CLANG: &[(&str, &str)] = &[
    ("LIBCLANG_PATH", "/usr/lib/llvm-22/lib"),
    ("CC_x86_64_pc_windows_msvc", "clang-22"),
    ("CFLAGS_x86_64_pc_windows_msvc", "--target=x86_64-pc-windows-gnu"),
    ("AR_x86_64_pc_windows_msvc", "llvm-lib-22"),
];

/// The crates of the product that need no header of Windows; those below them come along.
const PORTABLE: &[&str] =
    &["softndk-provider", "softndk-tdi", "softndk-vswitch", "softndk-lifecycle", "softndk-iwarp"];

/// The active cargo, run at the root of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(active());
    command.current_dir(root());
    command
}

/// The compiler that builds the drivers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Compiler {
    /// The active one, which has the Windows target installed.
    Active,
    /// Debian's, which has the sources of core and alloc but not their build for that target.
    Debian,
}

impl Compiler {
    /// For drivers: the active compiler where it has the target, else Debian's.
    pub(crate) fn find() -> Self {
        Self::for_target(TARGET)
    }

    /// The active compiler where it has the target, else Debian's.
    pub(crate) fn for_target(target: &str) -> Self {
        let has_core = libraries(target).iter().any(|library| library.starts_with("libcore-"));
        if has_core { Self::Active } else { Self::Debian }
    }

    /// `cargo build` of drivers in the kit's workspace of a tree, into `target`.
    pub(crate) fn build(self, tree: &Path, target: &Path) -> Command {
        self.kit(Command::new(active()), "build", tree, target)
    }

    /// `cargo clippy` of drivers, in the kit's workspace.
    pub(crate) fn clippy(self) -> Command {
        let command = match self {
            Self::Active => Command::new(active()),
            Self::Debian => debian("clippy"),
        };
        self.kit(command, "clippy", root(), &kit_target())
    }

    /// A release build or lint of a program for Windows, in the workspace at the root of a tree, into `target`.
    pub(crate) fn program(self, subcommand: &str, tree: &Path, target: &Path) -> Command {
        let mut command = match (self, subcommand) {
            (Self::Debian, "clippy") => debian("clippy"),
            _ => Command::new(active()),
        };
        command.current_dir(tree).arg(subcommand);
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if self == Self::Debian {
            command.env("RUSTC", format!("{DEBIAN}/rustc")).env("RUSTC_BOOTSTRAP", "1");
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command.args(["--release", "--target", PROGRAM_TARGET, "--target-dir"]).arg(target);
        // Neither the time nor a folder of this machine gets into the program.
        let flags =
            ["-Clink-arg=-Wl,--no-insert-timestamp", "-Cstrip=symbols"].map(|flag| format!("'{flag}'"));
        let mut flags = flags.to_vec();
        flags.extend(self.remapped(tree, target));
        command.arg("--config").arg(format!("target.{PROGRAM_TARGET}.rustflags=[{}]", flags.join(",")));
        command.arg("--config").arg(format!("target.{PROGRAM_TARGET}.linker='x86_64-w64-mingw32-gcc'"));
        command
    }

    /// `cargo check` of the portable crates for ARM64.
    pub(crate) fn check_arm64(self) -> Command {
        let mut command = cargo();
        command.arg("check");
        if self == Self::Debian {
            command.env("RUSTC", format!("{DEBIAN}/rustc")).env("RUSTC_BOOTSTRAP", "1");
            command.arg("-Zbuild-std=core,alloc");
        }
        command.args(["--target", ARM64]);
        command.args(PORTABLE.iter().flat_map(|package| ["--package", package]));
        command
    }

    /// The options, each in quotes, that give the folders of this machine their names.
    fn remapped(self, tree: &Path, target: &Path) -> Vec<String> {
        let folders = self.folders(tree, target);
        let remap =
            |(folder, name): &(PathBuf, &str)| format!("'--remap-path-prefix={}={name}'", folder.display());
        folders.iter().map(remap).collect()
    }

    /// A release build of the driver of any author, whose package for the kit is in `workspace`, into `target`.
    pub(crate) fn foreign(self, workspace: &Path, target: &Path) -> Command {
        let mut command = self.kit(Command::new(active()), "build", root(), target);
        command.current_dir(workspace).args(["--target", TARGET]);
        command.arg("--config").arg(format!("target.{TARGET}.linker='lld-link-22'"));
        command.env("SOFTNDK_KIT", root().join("kit"));
        for (name, value) in CLANG {
            command.env(name, value);
        }
        command
    }

    /// A release build of some kind in the kit's workspace of a tree.
    fn kit(self, mut command: Command, subcommand: &str, tree: &Path, target: &Path) -> Command {
        command.current_dir(tree.join("kit")).arg(subcommand);
        // Flags of the caller's would replace those of the workspace's configuration.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if self == Self::Debian {
            // The sources serve this one compiler, which is a stable release like any other.
            command.env("RUSTC", format!("{DEBIAN}/rustc")).env("RUSTC_BOOTSTRAP", "1");
            command.arg("-Zbuild-std=core,alloc");
        }
        command.args(["--release", "--target-dir"]).arg(target);
        // An option of the command line is added to those of the workspace's configuration.
        let flags = self.remapped(tree, target);
        command.arg("--config").arg(format!("target.{TARGET}.rustflags=[{}]", flags.join(",")));
        command
    }

    /// The folders of this machine that sources of a driver lie in, each with the name that the image gets in its
    /// place. A later one takes precedence.
    pub(crate) fn folders(self, tree: &Path, target: &Path) -> Vec<(PathBuf, &'static str)> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
        let mut folders: Vec<(PathBuf, &str)> = home.into_iter().map(|home| (home, "/cargo")).collect();
        let compiler = match self {
            Self::Active => "rustc".to_owned(),
            Self::Debian => format!("{DEBIAN}/rustc"),
        };
        let printed = Command::new(compiler).args(["--print", "sysroot"]).output();
        if let Some(root) = printed.ok().filter(|output| output.status.success()) {
            let root = String::from_utf8_lossy(&root.stdout).trim().to_owned();
            folders.push((Path::new(&root).join("lib/rustlib/src/rust"), "/rust"));
        }
        let own = [
            (tree.to_owned(), "/softndk"),
            (tree.join("kit/tree"), "/softndk"),
            (target.to_owned(), "/target"),
        ];
        folders.extend(own);
        folders
    }
}

/// The linters for what runs on the host.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Linters {
    /// Those of the active toolchain.
    Active,
    /// Debian's, with Debian's compiler.
    Debian,
}

impl Linters {
    /// The active toolchain's where it has them, else Debian's.
    pub(crate) fn find() -> Self {
        let has = |tool| {
            let version = cargo().args([tool, "--version"]).output();
            version.is_ok_and(|output| output.status.success())
        };
        if has("clippy") && has("fmt") { Self::Active } else { Self::Debian }
    }

    /// `cargo <tool>`, run at the root of the repository.
    pub(crate) fn cargo(self, tool: &str) -> Command {
        let mut command = match self {
            Self::Active => cargo(),
            Self::Debian => debian(tool),
        };
        command.current_dir(root()).arg(tool);
        command
    }
}

/// The target folder of the kit's workspace.
pub(crate) fn kit_target() -> PathBuf {
    root().join("target/kit")
}

/// The names of the libraries that the active compiler has for a target.
pub(crate) fn libraries(target: &str) -> Vec<String> {
    let printed = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    let folder = printed.and_then(|output| fs::read_dir(String::from_utf8_lossy(&output.stdout).trim()));
    let entries = folder.into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The cargo that runs this program.
fn active() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// One of Debian's subcommands of cargo, with the compiler that it belongs to.
fn debian(tool: &str) -> Command {
    let mut command = Command::new(format!("{DEBIAN}/cargo-{tool}"));
    command.env("CARGO", active()).env("RUSTC", format!("{DEBIAN}/rustc"));
    command
}
