//! `run`: scenarios one after the other, or connections under stress.

use core::time::Duration;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, time::Instant};

use protocol::Endpoint;

use crate::command::pair;
use crate::report::{Live, Tap, Text, json, junit};
use crate::stress::{self, Ending, Plan};
use crate::suite::{self, Case};
use crate::{Client, Error, Exit, Host, Selection};

/// The format of what is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// TAP 13.
    Tap,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenarios and levels.
    pub selection: Selection,
    /// The ends of the connections; those of the first pair of adapters if none are given. Any NDKPI provider's serve.
    pub ends: Option<[Endpoint; 2]>,
    /// The time for which connections are stressed after the scenarios; the round that is running then is played to
    /// its end.
    pub stress: Option<Duration>,
    /// The format of what is printed.
    pub format: Format,
    /// The file that a report for CI systems goes to.
    pub junit: Option<PathBuf>,
    /// The file that a report for programs goes to.
    pub json: Option<PathBuf>,
}

/// The load of a round under stress; level and ending change from round to round.
const STRESS: Plan = Plan {
    groups: 4,
    connections: 50,
    results: 10,
    ending: Ending::Closed,
    level: protocol::Level::Passive,
    shortage: 0.0,
    seed: 1,
};

/// Runs what is asked for, prints the report to `output` as it grows, and writes the others.
///
/// # Errors
/// If `output` can't be written. Whatever else goes wrong is printed, and in the exit code.
pub fn run(host: &mut impl Host, asked: &Run, output: &mut impl Write) -> io::Result<Exit> {
    let mut live: Box<dyn Live> = match asked.format {
        Format::Text => Box::new(Text),
        Format::Tap => Box::new(Tap::default()),
    };
    let mut done = suite::Run::default();
    let mut printed = Ok(());
    let mut ended = |case: &Case| {
        let text = live.ended(case);
        if printed.is_ok() {
            printed = output.write_all(text.as_bytes()).and_then(|()| output.flush());
        }
    };
    let mut played = scenarios(host, asked, &mut done, &mut ended);
    if let (Ok(()), Some(time)) = (&played, asked.stress) {
        played = stress(host, asked, time, &mut done, &mut ended);
    }
    printed?;
    let written = [(&asked.junit, junit(&done)), (&asked.json, json(&done))]
        .into_iter()
        .try_for_each(|(path, text)| path.as_deref().map_or(Ok(()), |path| write(path, &text)));
    let (text, exit) = match played.map_err(|error| error.to_string()).and(written) {
        Ok(()) => (live.over(&done), done.exit()),
        Err(why) => (live.bails_out(&why), Exit::NotRun),
    };
    output.write_all(text.as_bytes())?;
    Ok(exit)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn ends(host: &impl Host, asked: &Run) -> Result<[Endpoint; 2], Error> {
    asked.ends.map_or_else(|| Ok(pair(host)?.ends()), Ok)
}

fn scenarios(
    host: &impl Host,
    asked: &Run,
    run: &mut suite::Run,
    ended: impl FnMut(&Case),
) -> Result<(), Error> {
    let client = Client::open(host)?;
    suite::run(&client, ends(host, asked)?, &asked.selection, run, ended)
}

/// Plays rounds with every ending until the time is over. The ends are chosen anew for each: an adapter that was taken
/// away may come back by another interface index.
fn stress(
    host: &mut impl Host,
    asked: &Run,
    time: Duration,
    run: &mut suite::Run,
    mut ended: impl FnMut(&Case),
) -> Result<(), Error> {
    let began = Instant::now();
    for (plan, seed) in STRESS.every_ending().cycle().zip(1..) {
        if began.elapsed() >= time {
            break;
        }
        let ends = ends(host, asked)?;
        let started = Instant::now();
        let findings = match stress::round(host, ends, &Plan { seed, ..plan }) {
            Ok(round) => round.findings(),
            Err(error) => vec![error.to_string()],
        };
        let name = format!("Stress {seed}, {}", plan.ending.name());
        let case =
            Case { name, level: plan.level, rules: "CL-9 CL-10 WR-1", time: started.elapsed(), findings };
        ended(&case);
        run.cases.push(case);
    }
    Ok(())
}
