//! The process that plays: it reads a task per line and writes an answer per line, as JSON.

use std::io::{BufRead, Write};

use ntsim::io::Statistics;
use ntsim::sched::Points;
use ntsim::sched::{Played, Strategy};
use runner::Images;
use runner::explore::Play;
use runner::over_wire::Route;
use serde::{Deserialize, Serialize};
use sys::tdi::TDI_CONNECT;
use sys::wdm::IRP_MJ_INTERNAL_DEVICE_CONTROL;

use super::WorkerOptions;
use super::selection::Scenario;
use crate::failure::CommandError;

/// A task as it is sent.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Request {
    scenario: String,
    seed: u64,
    strategy: String,
    atomics: String,
    route: Route,
    traced: usize,
}

/// The outcome of a play, as it is sent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// The findings, a paragraph each.
    pub(super) findings: Vec<String>,
    /// Entries into the kernel and returns from it.
    pub(super) points: u64,
    /// Those of them, and waits, at which there was another thread to go on.
    pub(super) choices: u64,
    /// Instructions of drivers that were points.
    pub(super) points_in_code: u64,
    /// Those of them at which there was another thread to go on.
    pub(super) choices_in_code: u64,
    /// The images with points in their code.
    pub(super) images: Vec<Image>,
    /// Switches of threads.
    pub(super) switches: u64,
    /// Hash of the calls, their threads and statuses; none if the machine did not come to its end.
    pub(super) digest: Option<String>,
    /// The requests of TDI clients.
    pub(super) asked: Asked,
    /// Closes that were pending when the machine was shut down.
    pub(super) pending: Vec<String>,
    /// The trace, if it was asked for.
    pub(super) trace: String,
}

/// The points in the code of an image.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Image {
    /// The image's file name.
    pub(super) name: String,
    /// Locked and exchanging instructions.
    pub(super) atomics: u32,
    /// Other accesses to memory that may be shared.
    pub(super) accesses: u32,
    /// PAUSE instructions.
    pub(super) pauses: u32,
    /// Those of them that are reached by a breakpoint.
    pub(super) breakpoints: u32,
}

impl Image {
    fn of(points: &Points) -> Self {
        let Points { image, atomics, accesses, pauses, breakpoints } = points.clone();
        Self { name: image, atomics, accesses, pauses, breakpoints }
    }
}

/// The requests of TDI clients.
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
        for ((major, minor), counters) in &statistics.requests {
            if *major == IRP_MJ_INTERNAL_DEVICE_CONTROL {
                asked.connections += if *minor == TDI_CONNECT { counters.succeeded } else { 0 };
                asked.requests += counters.completed();
                asked.cancelled += counters.cancelled;
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
        let Play { scenario, seed, strategy, atomics, route } = play;
        let (strategy, atomics) = (strategy.to_string(), atomics.to_string());
        Self { scenario: scenario.name(), seed, strategy, atomics, route, traced }
    }

    fn play(&self) -> Option<Play<Scenario>> {
        let scenario = Scenario::named(&self.scenario)?;
        let strategy: Strategy = self.strategy.parse().ok()?;
        let atomics = self.atomics.parse().ok()?;
        Some(Play { scenario, seed: self.seed, strategy, atomics, route: self.route })
    }
}

/// Plays what standard input asks for until it ends.
pub(crate) fn work(options: &WorkerOptions) -> Result<(), CommandError> {
    let images = Images { softndk: options.softndk.clone(), ndkhlk: options.ndkhlk.clone() };
    if let Some(dump) = &options.dump {
        ntsim::dump::on_failure(dump);
    }
    let broken =
        |error: &dyn core::fmt::Display| CommandError::work(format!("between the processes: {error}"));
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

/// Plays, in this process.
pub(super) fn outcome(play: Play<Scenario>, images: &Images, traced: usize) -> Outcome {
    let played = match play.scenario {
        Scenario::Ndk(scenario) => play.of(scenario).run(images, traced),
        Scenario::Tdi(scenario) => tdi_client::explore::run(play.of(scenario), images, traced),
    };
    match played {
        Ok(outcome) => {
            let played = outcome.report.schedule.as_ref();
            let count = |count: fn(&Played) -> u64| played.map_or(0, count);
            Outcome {
                findings: outcome.findings(),
                points: count(|played| played.points),
                choices: count(|played| played.choices),
                points_in_code: count(|played| played.points_in_code),
                choices_in_code: count(|played| played.choices_in_code),
                switches: count(|played| played.switches),
                digest: played.map(|played| played.digest.to_string()),
                images: played.into_iter().flat_map(|played| &played.images).map(Image::of).collect(),
                asked: Asked::of(&outcome.report.io),
                pending: outcome.report.ndk.pending.iter().map(ToString::to_string).collect(),
                trace: played
                    .filter(|_| traced > 0)
                    .map(|played| played.trace.to_string())
                    .unwrap_or_default(),
            }
        }
        Err(error) => Outcome { findings: vec![error.to_string()], ..Outcome::default() },
    }
}

#[cfg(test)]
mod tests {
    use ntsim::io::RequestCounters;
    use ntsim::sched::Atomics;
    use sys::tdi::TDI_SEND;
    use sys::wdm::IRP_MJ_CLOSE;

    use super::*;

    #[test]
    fn client_requests_are_counted_by_kind_and_outcome() {
        let counters = |succeeded, cancelled| RequestCounters { succeeded, cancelled, failed: 1 };
        let mut statistics = Statistics::default();
        statistics.requests.insert((IRP_MJ_INTERNAL_DEVICE_CONTROL, TDI_CONNECT), counters(3, 1));
        statistics.requests.insert((IRP_MJ_INTERNAL_DEVICE_CONTROL, TDI_SEND), counters(10, 2));
        statistics.requests.insert((IRP_MJ_CLOSE, 0), counters(7, 0));
        assert_eq!(Asked::of(&statistics), Asked { connections: 3, requests: 18, cancelled: 3 });
    }

    #[test]
    fn play_survives_being_sent() {
        let scenario = Scenario::Tdi(tdi_client::scenario::Scenario::Stress);
        for route in [Route::Loopback, Route::Wire, Route::FaultyWire] {
            let (strategy, atomics) = (Strategy::Pct, Atomics::Locked);
            let play = Play { scenario, seed: u64::MAX, strategy, atomics, route };
            let sent = serde_json::to_string(&Request::new(play, 7)).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&sent).unwrap().play(), Some(play));
        }
    }
}
