//! `cargo xtask fuzz`: runs the fuzz targets of tdi/fuzz, iwarp/fuzz, tests/hostile/fuzz and ntsim/fuzz, led by coverage.
//!
//! The targets are built with the active compiler, which need not be a nightly one: edges are counted by a pass
//! of LLVM that every one has, libFuzzer comes from Debian, and the address sanitizer from the compiler, where
//! that has its runtime. What a run learns stays in target/fuzz/TARGET/corpus, from which the next one goes on.

mod instrument;
mod report;
mod statistics;
mod target;
mod target_run;

use std::path::{Path, PathBuf};

pub(crate) use self::target::exclude;
use self::{
    instrument::Programs,
    report::Report,
    target::Target,
    target_run::{Limit, TargetRun},
};

use crate::{
    failure::CommandError,
    packages::{self, Use},
    root,
    step::Step,
};

/// The executions of each target in the tests: enough to see that it works. The seed is fixed; new findings are left
/// to the command.
const SMOKE: Limit = Limit::Executions { count: 1000, seed: 1 };

/// The targets to fuzz, and the time for each.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The targets; without any, all of them.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Seconds that each target runs.
    #[arg(long, value_name = "N", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    seconds: u32,
    /// Run one input through the one target that is named, and show what comes of it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seconds", "json"])]
    replay: Option<PathBuf>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Builds the targets that are asked for and runs each for its time. Succeeds if none finds anything.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let targets = target::chosen(target::all()?, &options.targets)?;
    if let Some(input) = &options.replay {
        return replay(&targets, input);
    }
    let programs = build()?;
    let limit = Limit::Seconds(options.seconds);
    let mut report = Report::new(options.seconds, programs.sanitized());
    for target in &targets {
        let step = Step::start(format!("fuzz {}", target.name));
        let run = TargetRun::new(target, &programs, folder().join(&target.name));
        report.add(target, run.run(limit, &step)?, step.done());
    }
    report.print(options.json)
}

/// Builds all targets, and runs each often enough to see that it works.
pub(crate) fn smoke() -> Result<(), CommandError> {
    let programs = build()?;
    let step = Step::start("fuzz targets, briefly");
    for target in target::all()? {
        let place = folder().join("smoke").join(&target.name);
        let outcome = TargetRun::anew(&target, &programs, place)?.run(SMOKE, &step)?;
        if let Some(finding) = outcome.finding {
            return Err(CommandError::work(finding.line(&target.name)));
        }
    }
    step.done();
    Ok(())
}

/// Runs one input through one target, whose own words are the result.
fn replay(targets: &[Target], input: &Path) -> Result<(), CommandError> {
    let [target] = targets else {
        return Err(CommandError::Usage(
            "--replay needs one target, the one that the input is for".to_owned(),
        ));
    };
    let input =
        input.canonicalize().map_err(|error| CommandError::Usage(format!("{}: {error}", input.display())))?;
    let mut program = build()?.command(target);
    let status = program.arg(&input).env("RUST_BACKTRACE", "1").status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CommandError::work(format!("{}: {status}, see above", target.name))),
        Err(error) => Err(CommandError::work(format!("{}: {error}", target.name))),
    }
}

/// Installs what is missing to fuzz, and builds the targets.
fn build() -> Result<Programs, CommandError> {
    packages::provide(|need| matches!(need, Use::Fuzz | Use::Llvm))?;
    Programs::build(folder().join("build"))
}

/// The folder of this command.
fn folder() -> PathBuf {
    root().join("target/fuzz")
}
