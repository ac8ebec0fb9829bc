//! `cargo xtask boot`: loads any driver image in the simulator, does what its kind allows, and unloads it.
//!
//! One play runs in this process, so that a debugger sees it; several, each in a process of its own. A crash, which
//! Windows would not survive either, ends a play with a report and exit code 3.

mod adapters;
mod options;
mod play;
mod report;

use core::time::Duration;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::Command;

use forked::Limits;

use self::options::FailAllocation;
pub(crate) use self::options::Options;
use self::play::{Outcome, Variant};
use self::report::Report;
use crate::{build, dump, failure::CommandError, step::Step};

/// Limits of a play: far more than a driver takes to load and to unload.
const LIMITS: Limits = Limits { processor_time: 60, idle_timeout: Duration::from_secs(70) };

/// The exit code of a process whose driver crashed.
const STOPPED: i32 = 3;

/// Plays what the options ask for, and prints what was found.
///
/// # Errors
///
/// With exit code 1 where something was found, 2 where an image can't be loaded, 3 where a driver crashed.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    if let Some(path) = &options.dump {
        dump::prepare(path)?;
    }
    let mut report = Report::new(options.json);
    match (options.fail_allocation, options.seeds) {
        (None | Some(FailAllocation::Nth(_)), None) => {
            let variant = Variant { failing: options.failing(), seed: options.seed };
            report.played(variant, play::play(options, variant).map_err(unloadable)?);
        }
        (Some(FailAllocation::Sweep), _) => sweep(options, &mut report)?,
        (_, Some(seeds)) => {
            for seed in 1..=seeds {
                let variant = Variant { failing: options.failing(), seed: Some(seed) };
                report.played(variant, apart(options, variant)?);
            }
        }
    }
    report.print()
}

/// Loads both drivers, and each with every one of its allocations failing in turn; the tests do.
///
/// Each in a program of its own: a step has a thread that moves its spinner, and a process with threads isn't copied.
pub(crate) fn smoke(images: &build::Images) -> Result<(), CommandError> {
    let program = std::env::current_exe().map_err(|error| CommandError::work(error.to_string()))?;
    let [softndk, ndkhlk] = ["softndk", "ndkhlk"].map(|driver| images.image(driver));
    for (name, options, images) in [
        ("boot of both drivers", &[][..], &[&softndk, &ndkhlk][..]),
        ("boot of softndk, each allocation failing", &["--fail-allocation", "sweep"], &[&softndk]),
        ("boot of ndkhlk, each allocation failing", &["--fail-allocation", "sweep"], &[&ndkhlk]),
    ] {
        let step = Step::start(name);
        step.run(Command::new(&program).arg("boot").args(options).args(images))?;
        step.done();
    }
    Ok(())
}

/// Lets each allocation fail in turn, until a play makes fewer than that.
fn sweep(options: &Options, report: &mut Report) -> Result<(), CommandError> {
    for failing in 0.. {
        let variant = Variant { failing: Some(failing), seed: options.seed };
        let outcome = apart(options, variant)?;
        let over = outcome.is_beyond(failing);
        report.played(variant, outcome);
        if over {
            break;
        }
    }
    Ok(())
}

/// Plays in a process of its own.
fn apart(options: &Options, variant: Variant) -> Result<Outcome, CommandError> {
    let failed = |error: std::io::Error| CommandError::work(format!("{variant}: {error}"));
    let mut said = tempfile::tempfile().map_err(failed)?;
    let body = || match play::play(options, variant) {
        Ok(outcome) => outcome.tell(),
        Err(error) => {
            eprintln!("{error}");
            2
        }
    };
    let status = forked::run(&said, LIMITS, body).map_err(failed)?;
    let text = read(&mut said).map_err(failed)?;
    match status.map(|status| status.code()) {
        Some(Some(0)) => Outcome::of(&text).ok_or_else(|| CommandError::work(format!("{variant}: {text}"))),
        Some(Some(2)) => Err(CommandError::Usage(text.trim_end().into())),
        Some(Some(STOPPED)) => {
            Err(CommandError::Stopped(format!("{}\n{variant}: the driver crashed", text.trim())))
        }
        None => Err(CommandError::Stopped(format!("{}\n{variant}: the driver has no end", text.trim()))),
        Some(_) => Err(CommandError::work(format!("{}\n{variant}: the process ended", text.trim()))),
    }
}

fn read(said: &mut File) -> std::io::Result<String> {
    let mut text = Vec::new();
    said.rewind()?;
    said.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// An image that can't be loaded is the caller's to change.
fn unloadable(error: ntsim::loader::LoadError) -> CommandError {
    CommandError::Usage(error.to_string())
}
