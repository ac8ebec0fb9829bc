//! `cargo xtask drivers`: a driver of each kind that `new` writes, made in a temporary folder, built and booted.

use std::process::Command;

use crate::{
    driver,
    failure::CommandError,
    new::{self, Kind},
    step::Step,
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
    all.copied().try_for_each(play)
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
