//! `cargo xtask debug`: another command under lldb, which knows the sources and the types of the drivers that are booted.

mod check;

use std::{ffi::OsString, process::Command};

use crate::{
    build::{self, Images},
    failure::CommandError,
    packages::{self, Use},
    root,
};

/// The debugger of the LLVM that builds the drivers: it reads PDBs.
const LLDB: &str = "lldb-22";

/// The script that tells lldb of the images.
const SCRIPT: &str = "xtask/src/debug/ntsim.py";

/// The debugger's commands, and the command that is debugged.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A command for lldb, before it takes any from the keyboard; may be repeated.
    #[arg(short, long = "command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// End with these commands, one of which is to be `run`.
    #[arg(long, requires = "commands")]
    batch: bool,
    /// Check that a breakpoint in a driver's source is hit, and that stack and variables are there.
    #[arg(long, conflicts_with_all = ["commands", "batch", "debugged"])]
    check: bool,
    /// The command that is debugged, run or explore, with its arguments; run if there is none.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    debugged: Vec<OsString>,
}

/// Builds the drivers and starts the debugger.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Debugger))?;
    let images = build::build()?;
    if options.check {
        return check::run(&images);
    }
    let mut command = lldb(&images, options.batch, &options.commands, &options.debugged)?;
    let status = command.status().map_err(|error| CommandError::Usage(format!("{LLDB}: {error}")))?;
    if status.success() { Ok(()) } else { Err(CommandError::work(format!("{LLDB}: {status}"))) }
}

/// The debugger with a command of this program as what it runs.
fn lldb(
    images: &Images,
    batch: bool,
    commands: &[String],
    debugged: &[OsString],
) -> Result<Command, CommandError> {
    let program =
        std::env::current_exe().map_err(|error| CommandError::work(format!("this program: {error}")))?;
    let mut command = Command::new(LLDB);
    command.arg("--no-lldbinit");
    if batch {
        command.arg("--batch");
    }
    let import = format!("command script import {}", root().join(SCRIPT).display());
    // The name that images have for the folder of their sources.
    let map = format!("settings set target.source-map /softndk \"{}\"", root().display());
    for line in [map, import].iter().chain(commands) {
        command.arg("--one-line").arg(line);
    }
    command.arg("--").arg(program).args(arguments(images, debugged)?);
    Ok(command)
}

/// The arguments of the command that is debugged: it takes the images that were built just now, and plays in its own
/// process.
fn arguments(images: &Images, debugged: &[OsString]) -> Result<Vec<OsString>, CommandError> {
    let run = OsString::from("run");
    let (name, rest) = debugged.split_first().unwrap_or((&run, &[]));
    let more: &[&str] = match name.to_str() {
        Some("run") => &[],
        Some("explore") => &["--in-process"],
        _ => return Err(CommandError::Usage(format!("{}: run or explore", name.display()))),
    };
    let mut arguments = vec![name.clone(), "--images".into(), images.folder.clone().into()];
    arguments.extend(more.iter().map(OsString::from));
    arguments.extend(rest.iter().cloned());
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        Images { folder: "/images".into() }
    }

    #[test]
    fn command_that_is_debugged_takes_the_built_images() {
        let text = |debugged: &[&str]| {
            let debugged: Vec<OsString> = debugged.iter().map(OsString::from).collect();
            arguments(&images(), &debugged).map(|all| all.join(" ".as_ref()).into_string().unwrap())
        };
        assert_eq!(text(&[]).unwrap(), "run --images /images");
        assert_eq!(text(&["run", "--tdi"]).unwrap(), "run --images /images --tdi");
        assert_eq!(
            text(&["explore", "--seed", "7"]).unwrap(),
            "explore --images /images --in-process --seed 7"
        );
        assert!(matches!(text(&["stress"]), Err(CommandError::Usage(_))));
    }
}
