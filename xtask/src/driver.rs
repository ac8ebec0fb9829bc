//! Building the driver of any author, outside this repository: `cargo xtask build --driver`.
//!
//! Nothing is written beside the driver's sources. A package of the same sources, dependencies and driver model is made in
//! this repository's target folder, in which the kit stands for the published wdk-build.

mod manifest;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    build::{self, explain},
    driver::manifest::Package,
    failure::CommandError,
    root,
    step::Step,
    toolchain::{Compiler, TARGET, kit_target},
};

/// The options of a build.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    own: build::Options,
    /// Build the driver of any author whose package, or whose sources in C, are in DIR, or whose project file (.vcxproj) it
    /// is, and put its image under target/drivers.
    #[arg(long, value_name = "DIR")]
    driver: Option<PathBuf>,
    /// Let declarations of this function in the headers of a driver in C lose their parameters: MSVC takes a pointer there for
    /// that of another type in the definition.
    #[arg(long, value_name = "FUNCTION", requires = "driver")]
    unprototyped: Vec<String>,
}

/// Builds the drivers of this repository, or the one that the options name.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    match &options.driver {
        None => build::run(&options.own),
        Some(folder) => {
            println!("{}", make(folder, options.own.wdk(), &options.unprototyped)?.display());
            Ok(())
        }
    }
}

/// Builds the driver whose package, or whose sources in C, are in a folder, and returns its image. The PDB lies beside it.
/// `wdk` is the content root of a WDK whose headers are used.
///
/// # Errors
///
/// With exit code 2 where the folder has no package of a driver, 1 where it can't be built.
pub(crate) fn build(folder: &Path, wdk: Option<&Path>) -> Result<PathBuf, CommandError> {
    make(folder, wdk, &[])
}

/// As [`build()`], with the functions whose declarations lose their parameters.
pub(crate) fn make(
    folder: &Path,
    wdk: Option<&Path>,
    unprototyped: &[String],
) -> Result<PathBuf, CommandError> {
    let package = Package::read(folder, unprototyped)?;
    let compiler = build::provide()?;
    let images = root().join("target/drivers");
    let workspace = images.join("packages").join(&package.name);
    package.write(&workspace)?;
    let step = Step::start(format!("build {}", package.name));
    let overlay = wdk.map(build::overlay).transpose()?;
    let built = compile(&package, compiler, &workspace, overlay.as_deref(), &step)?;
    step.done();
    for (from, kind) in [(built.join(package.file("dll")), "sys"), (built.join(package.file("pdb")), "pdb")] {
        let to = images.join(format!("{}.{kind}", package.image()));
        fs::copy(&from, &to).map_err(|error| CommandError::file(&from, &error))?;
    }
    Ok(images.join(format!("{}.sys", package.image())))
}

/// Compiles the package in `workspace`, and returns the folder of what was built.
fn compile(
    package: &Package,
    compiler: Compiler,
    workspace: &Path,
    overlay: Option<&Path>,
    step: &Step,
) -> Result<PathBuf, CommandError> {
    let target = if overlay.is_some() { build::wdk_target() } else { kit_target() };
    let mut command = compiler.foreign(workspace, &target);
    command.env("SOFTNDK_DRIVER", &package.model);
    if let Some(overlay) = overlay {
        build::use_overlay(&mut command, overlay);
    }
    match step.attempt(&mut command) {
        Ok(_) => Ok(target.join(TARGET).join("release")),
        Err(output) => Err(failure(&output)),
    }
}

/// Says in one sentence why a build failed where a build script says so, and prints what the tools wrote where not.
fn failure(output: &str) -> CommandError {
    match refusal(output) {
        Some(sentence) => CommandError::work(sentence),
        None => {
            eprintln!("{}", output.trim_end());
            CommandError::work(explain(output))
        }
    }
}

/// The error that a build script ended with.
fn refusal(output: &str) -> Option<&str> {
    let script = output.split("custom build command for").nth(1)?;
    script.lines().find_map(|line| line.trim().strip_prefix("Error: "))
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn refusal_of_a_build_script_is_its_sentence() {
        let output = "error: failed to run custom build command for `wdk-sys v0.5.2`\n\nCaused by:\n  process didn't exit \
                      successfully\n  --- stderr\n  Error: the kit has KMDF 1.31 and 1.33, and 1.9 is asked for\n";
        assert_eq!(refusal(output), Some("the kit has KMDF 1.31 and 1.33, and 1.9 is asked for"));
        assert_eq!(refusal("error[E0425]: cannot find value\nError: x"), None);
    }
}
