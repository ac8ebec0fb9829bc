//! `cargo xtask drivers`: a driver of each kind that `new` writes, made in a temporary folder, built and booted.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    driver,
    failure::CommandError,
    new::{self, Kind},
    root,
    step::Step,
    toolchain::{TARGET, kit_target},
};

/// The options of the command.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the driver in C, whose build needs no bindings.
    #[arg(long)]
    c: bool,
}

/// Makes, builds and boots the drivers.
///
/// # Errors
///
/// A driver doesn't build, or its boot finds something.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let all = Kind::ALL.iter().filter(|kind| !options.c || **kind == Kind::C);
    all.copied().try_for_each(play)?;
    if options.c {
        return Ok(());
    }
    wire()?;
    bindings()
}

/// Plays the driver in C, which is the cheapest; the tests do.
pub(crate) fn smoke() -> Result<(), CommandError> {
    let program = std::env::current_exe().map_err(|error| CommandError::work(error.to_string()))?;
    let step = Step::start("driver in C, made, built and booted");
    step.run(Command::new(program).args(["drivers", "--c"]))?;
    step.done();
    Ok(())
}

/// Builds the miniport in C that is in this repository from its project file, and boots it: its adapters are on one wire.
fn wire() -> Result<(), CommandError> {
    let project = root().join("xtask/src/drivers/wire/wire.vcxproj");
    let image = driver::make(&project, None, &["Drain".into()])?;
    let program = std::env::current_exe().map_err(|error| CommandError::work(error.to_string()))?;
    let step = Step::start("boot wire");
    let boot = |more: &[&str]| {
        let arguments = ["boot", "--adapters", "3", "--start"];
        step.run(Command::new(&program).args(arguments).args(more).arg(&image))
    };
    // Three adapters, each of which sends to three addresses a chain of one frame and one of three, which two receive.
    let report = boot(&[])?;
    if !report.contains("sends: 18 of 18, frames received: 72") {
        return Err(CommandError::work(format!("wire does not send and receive as it should:\n{report}")));
    }
    boot(&["--seeds", "10"])?;
    boot(&["--fail-allocation", "sweep"])?;
    step.done();
    Ok(())
}

/// Sees that the bindings that the drivers were built with have none of the functions that Windows' bindings lack.
fn bindings() -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::work(format!("the bindings of the kernel: {error}"));
    let scripts = fs::read_dir(kit_target().join(TARGET).join("release/build")).map_err(failed)?;
    let bound = scripts.flatten().map(|script| script.path().join("out/ntddk.rs"));
    let written = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    let newest = bound.filter(|path| path.exists()).max_by_key(written);
    let newest = newest.ok_or_else(|| CommandError::work("the bindings of the kernel: there are none"))?;
    let text = fs::read_to_string(newest).map_err(failed)?;
    let absent = fs::read_to_string(root().join("kit/wdk-build/src/absent.txt")).map_err(failed)?;
    match foreign(&text, &absent).as_slice() {
        [] => Ok(()),
        names => {
            Err(CommandError::work(format!("functions that Windows' bindings lack: {}", names.join(", "))))
        }
    }
}

/// The functions of bindings that a list has, one a line.
fn foreign<'a>(bindings: &str, absent: &'a str) -> Vec<&'a str> {
    absent.lines().filter(|name| bindings.contains(&format!("pub fn {name}("))).collect()
}

/// Makes, builds and boots one, as the documentation says it is done.
fn play(kind: Kind) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::work(format!("new --{}: {error}", kind.name()));
    let place = tempfile::tempdir().map_err(failed)?;
    let folder = place.path().join(format!("new-{}", kind.name()));
    new::write(&folder, kind, None)?;
    let image = driver::build(&folder, None)?;
    let program = std::env::current_exe().map_err(failed)?;
    let step = Step::start(format!("boot new-{}", kind.name()));
    step.run(Command::new(&program).arg("boot").arg(&image))?;
    step.run(Command::new(&program).args(["boot", "--fail-allocation", "sweep"]).arg(&image))?;
    step.done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn function_that_is_bound_and_listed_is_foreign() {
        let bindings = "unsafe extern \"C\" { pub fn DbgBreakPoint(); pub fn ZwClose(Handle: HANDLE); }";
        assert_eq!(foreign(bindings, "DbgBreakPoint\nDbgBreak\nZwYieldExecution"), ["DbgBreakPoint"]);
    }
}
