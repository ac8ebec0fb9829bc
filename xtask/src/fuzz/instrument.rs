//! Building the targets so that libFuzzer sees what they do.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::target::{PACKAGES, Target};
use crate::{
    failure::CommandError,
    step::Step,
    toolchain::{cargo, libraries},
};

/// The platform that the targets run on.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// libFuzzer, as Debian builds it: compiling the one in libfuzzer-sys takes longer than all the targets.
const LIBRARY: &str = "/usr/lib/llvm-22/lib/libFuzzer.a";

/// The tool that shows functions and lines in the sanitizer's stacks.
const SYMBOLIZER: &str = "/usr/lib/llvm-22/bin/llvm-symbolizer";

/// As cargo-fuzz does: a counter on every edge, and what is compared is told to libFuzzer.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Cforce-frame-pointers=yes";

/// The built targets.
pub(super) struct Programs {
    folder: PathBuf,
    sanitized: bool,
}

impl Programs {
    /// Builds the targets in `folder`.
    pub(super) fn build(folder: PathBuf) -> Result<Self, CommandError> {
        let sanitized = libraries(HOST).iter().any(|library| library.ends_with("_rt.asan.a"));
        let step = Step::start("build fuzz targets");
        step.run(&mut compilation(&folder, sanitized))?;
        step.done();
        Ok(Self { folder, sanitized })
    }

    /// Returns whether the address sanitizer watches them.
    pub(super) fn sanitized(&self) -> bool {
        self.sanitized
    }

    /// The program of a target.
    pub(super) fn command(&self, target: &Target) -> Command {
        let mut command = Command::new(self.folder.join(HOST).join("release").join(&target.name));
        command.env("ASAN_SYMBOLIZER_PATH", SYMBOLIZER);
        command
    }
}

/// `cargo build` of the targets. Flags for a named target are not those of build scripts and macros.
fn compilation(folder: &Path, sanitized: bool) -> Command {
    let mut command = cargo();
    command.args(["build", "--release", "--target", HOST, "--target-dir"]).arg(folder);
    command.args(["--config", "profile.release.debug-assertions=true"]);
    command.args(["--config", "profile.release.overflow-checks=true"]);
    for (package, _) in PACKAGES {
        command.args(["--package", package, "--features", &format!("{package}/libfuzzer")]);
    }
    command.env_remove("CARGO_ENCODED_RUSTFLAGS").env("CUSTOM_LIBFUZZER_PATH", LIBRARY);
    if sanitized {
        // The option is unstable, but its runtime comes with the stable releases, too.
        command.env("RUSTFLAGS", format!("{COVERAGE} -Zsanitizer=address")).env("RUSTC_BOOTSTRAP", "1");
    } else {
        command.env("RUSTFLAGS", COVERAGE);
    }
    command
}
