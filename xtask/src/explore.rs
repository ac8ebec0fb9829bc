//! `cargo xtask explore`: plays scenarios of the harness and of TDI clients under schedules that are chosen from seeds.
//!
//! Each play is a machine of its own in a worker process, one process per processor of the host: a crash
//! ends only the worker. What is found is printed with the command that plays it again.

mod digests;
mod options;
mod report;
mod seeds;
mod selection;
mod worker;
mod workers;

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use runner::Images;
use runner::explore::Play;

pub(crate) use self::options::{Options, WorkerOptions};
use self::report::Report;
pub(crate) use self::seeds::of_commit;
pub(crate) use self::worker::work;
use self::workers::{Stage, Task, play_all};
use crate::{build, dump, failure::CommandError};

/// Events of a trace that are kept when a seed is played again.
const TRACED: usize = 20_000;

/// Plays with findings after which no more are started.
const ENOUGH: usize = 10;

/// Returns whether there is a scenario with this name.
#[cfg(test)]
pub(crate) fn is_scenario(name: &str) -> bool {
    selection::Scenario::named(name).is_some()
}

/// Builds the drivers, plays, and prints what was found.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let scenarios = selection::select(&options.scenarios(), options.route())?;
    let images = match &options.images {
        Some(folder) => Images { softndk: folder.join("softndk.sys"), ndkhlk: folder.join("ndkhlk.sys") },
        None => {
            let built = build::build()?;
            Images { softndk: built.image("softndk"), ndkhlk: built.image("ndkhlk") }
        }
    };
    if let Some(path) = &options.dump {
        dump::prepare(path)?;
    }
    let stage = Stage { images: &images, dump: options.dump.as_deref(), in_process: options.in_process };
    let seeds = options.seeds();
    let tasks: Vec<_> = seeds
        .clone()
        .map(|seed| {
            let play = Play::of_seed(seed, &scenarios);
            let strategy = options.strategy.unwrap_or(play.strategy);
            Play { strategy, atomics: options.atomics, route: options.route(), ..play }
        })
        .map(|play| Task { play, traced: if options.seed.is_some() { TRACED } else { 0 } })
        .collect();
    let mut report = Report::new(options, &seeds, &scenarios);
    let started = Instant::now();
    let bar = bar(tasks.len() as u64);
    let played = play_all(&stage, &tasks, ENOUGH, |answer| {
        bar.inc(1);
        if answer.failed() {
            bar.println(report::headline(answer));
        }
    })?;
    bar.finish_and_clear();
    played.into_iter().for_each(|answer| report.add(answer));
    report.took(started.elapsed());
    if let Some(play) = report.untraced() {
        let task = Task { play, traced: TRACED };
        report.replayed(play_all(&stage, &[task], 1, |_| {})?);
    }
    report.print()?;
    if report.is_clean() { Ok(()) } else { Err(CommandError::work("the exploration found something")) }
}

/// Shows how many plays are over; drawn only on a terminal.
fn bar(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length).with_prefix("explore");
    match ProgressStyle::with_template("{prefix} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
