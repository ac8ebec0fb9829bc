//! The process that plays: it reads a task per line and writes an answer per line, as JSON.

use std::io::{BufRead, Write};

use ntsim::io::Statistics;
use ntsim::sched::{Played, Strategy};
use runner::Images;
use runner::explore::Play;
use serde::{Deserialize, Serialize};
use sys::tdi::TDI_CONNECT;
use sys::wdm::IRP_MJ_INTERNAL_DEVICE_CONTROL;

use super::WorkerOptions;
use super::selection::Scenario;
use crate::failure::Failure;

/// A task as it is sent.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Request {
    scenario: String,
    seed: u64,
    strategy: String,
    traced: usize,
}

/// What came of a play, as it is sent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// What was found, a paragraph each.
    pub(super) findings: Vec<String>,
    /// Entries into the kernel and returns from it.
    pub(super) points: u64,
    /// Those of them, and waits, at which there was another thread to go on.
    pub(super) choices: u64,
    /// Switches of threads.
    pub(super) switches: u64,
    /// Hash of the calls, their threads and statuses; none if the machine did not come to its end.
    pub(super) digest: Option<String>,
    /// What TDI clients asked for.
    pub(super) asked: Asked,
    /// Closes that were pending when the machine was shut down.
    pub(super) pending: Vec<String>,
    /// What happened, if that was asked for.
    pub(super) trace: String,
}

/// What TDI clients asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Asked {
    /// Connects that succeeded.
    pub(super) connections: u64,
    /// Requests that were completed.
    pub(super) requests: u64,
    /// Those of them that were cancelled, by the client or by a cleanup.
    pub(super) cancelled: u64,
}

impl Asked {
    fn of(statistics: &Statistics) -> Self {
        let mut asked = Self::default();
        for ((major, minor), tally) in &statistics.requests {
            if *major == IRP_MJ_INTERNAL_DEVICE_CONTROL {
                asked.connections += if *minor == TDI_CONNECT { tally.succeeded } else { 0 };
                asked.requests += tally.completed();
                asked.cancelled += tally.cancelled;
            }
        }
        asked
    }

    pub(super) fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.cancelled += other.cancelled;
    }
}

impl Request {
    pub(super) fn new(play: Play<Scenario>, traced: usize) -> Self {
        let Play { scenario, seed, strategy } = play;
        Self { scenario: scenario.name(), seed, strategy: strategy.to_string(), traced }
    }

    fn play(&self) -> Option<Play<Scenario>> {
        let scenario = Scenario::named(&self.scenario)?;
        let strategy: Strategy = self.strategy.parse().ok()?;
        Some(Play { scenario, seed: self.seed, strategy })
    }
}

/// Plays what standard input asks for until it ends.
pub(crate) fn work(options: &WorkerOptions) -> Result<(), Failure> {
    let images = Images { softndk: options.softndk.clone(), ndkhlk: options.ndkhlk.clone() };
    let broken = |error: &dyn core::fmt::Display| Failure::work(format!("between the processes: {error}"));
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| broken(&error))?;
        let request: Request = serde_json::from_str(&line).map_err(|error| broken(&error))?;
        let play = request.play().ok_or_else(|| broken(&format_args!("no such play: {line}")))?;
        let answer = serde_json::to_string(&outcome(play, &images, request.traced));
        let answer = answer.map_err(|error| broken(&error))?;
        writeln!(answers, "{answer}").and_then(|()| answers.flush()).map_err(|error| broken(&error))?;
    }
    Ok(())
}

fn outcome(play: Play<Scenario>, images: &Images, traced: usize) -> Outcome {
    let played = match play.scenario {
        Scenario::Ndk(scenario) => play.of(scenario).run(images, traced),
        Scenario::Tdi(scenario) => tdi_client::explore::run(play.of(scenario), images, traced),
    };
    match played {
        Ok(outcome) => {
            let (points, choices, switches, digest, trace) = match &outcome.report.schedule {
                Some(Played { points, choices, switches, digest, trace, .. }) => {
                    (*points, *choices, *switches, Some(digest.to_string()), trace.to_string())
                }
                None => Default::default(),
            };
            Outcome {
                findings: outcome.findings(),
                points,
                choices,
                switches,
                digest,
                asked: Asked::of(&outcome.report.io),
                pending: outcome.report.ndk.pending.iter().map(ToString::to_string).collect(),
                trace: if traced > 0 { trace } else { String::new() },
            }
        }
        Err(error) => Outcome { findings: vec![error.to_string()], ..Outcome::default() },
    }
}

#[cfg(test)]
mod tests {
    use ntsim::io::Tally;
    use sys::tdi::TDI_SEND;
    use sys::wdm::IRP_MJ_CLOSE;

    use super::*;

    #[test]
    fn what_clients_asked_is_counted_by_kind_and_outcome() {
        let tally = |succeeded, cancelled| Tally { succeeded, cancelled, failed: 1 };
        let mut statistics = Statistics::default();
        statistics.requests.insert((IRP_MJ_INTERNAL_DEVICE_CONTROL, TDI_CONNECT), tally(3, 1));
        statistics.requests.insert((IRP_MJ_INTERNAL_DEVICE_CONTROL, TDI_SEND), tally(10, 2));
        statistics.requests.insert((IRP_MJ_CLOSE, 0), tally(7, 0));
        assert_eq!(Asked::of(&statistics), Asked { connections: 3, requests: 18, cancelled: 3 });
    }

    #[test]
    fn a_play_survives_being_sent() {
        let scenario = Scenario::Tdi(tdi_client::scenario::Scenario::Storm);
        let play = Play { scenario, seed: u64::MAX, strategy: Strategy::Pct };
        let sent = serde_json::to_string(&Request::new(play, 7)).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&sent).unwrap().play(), Some(play));
    }
}
