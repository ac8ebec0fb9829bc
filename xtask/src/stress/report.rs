//! The result of the stress runs, for people and for machines.

use core::time::Duration;

use protocol::Level;
use runner::Error;
use runner::stress::{Ending, Plan, Round};
use serde::Serialize;

use super::Options;
use crate::failure::CommandError;

/// The report of `cargo xtask stress`.
#[derive(Serialize)]
pub(super) struct Report {
    /// Set if only the JSON is to be printed.
    #[serde(skip)]
    json: bool,
    connections: u32,
    first_seed: u32,
    seconds: f64,
    endings: Vec<Line>,
    failed_allocations: u64,
    /// The violations, each after the number of its round.
    findings: Vec<String>,
    clean: bool,
}

/// The result of the rounds with the same ending.
#[derive(Serialize)]
struct Line {
    ending: &'static str,
    rounds: usize,
    connections: u64,
    objects_closed: u64,
    closing_seconds: f64,
    objects_closed_per_second: Option<f64>,
    requests_accepted: u64,
    /// Accepted requests whose result was polled.
    results: u64,
    /// Accepted requests whose CQ was closed before their result could be polled.
    closed_with_their_cq: u64,
}

impl Report {
    pub(super) fn new(options: &Options) -> Self {
        let endings = Ending::ALL.map(|ending| Line {
            ending: ending.name(),
            rounds: 0,
            connections: 0,
            objects_closed: 0,
            closing_seconds: 0.0,
            objects_closed_per_second: None,
            requests_accepted: 0,
            results: 0,
            closed_with_their_cq: 0,
        });
        Self {
            json: options.json,
            connections: options.connections,
            first_seed: options.seed,
            seconds: 0.0,
            endings: endings.into(),
            failed_allocations: 0,
            findings: Vec::new(),
            clean: true,
        }
    }

    /// The number of rounds played.
    pub(super) fn rounds(&self) -> usize {
        self.endings.iter().map(|line| line.rounds).sum()
    }

    /// Adds a round; says whether it was as it must be.
    pub(super) fn played(&mut self, plan: &Plan, round: Result<Round, Error>) -> bool {
        match round {
            Ok(round) => self.add(plan, &round),
            Err(error) => self.findings.push(format!("{}: {error}", describe(plan))),
        }
        self.is_clean()
    }

    fn add(&mut self, plan: &Plan, round: &Round) {
        self.failed_allocations += round.failed_allocations;
        if let Some(line) = self.endings.iter_mut().find(|line| line.ending == plan.ending.name()) {
            line.rounds += 1;
            line.connections += u64::from(round.connected);
            line.objects_closed += round.closed;
            line.closing_seconds += round.closing.as_secs_f64();
            line.requests_accepted += round.accepted;
            line.results += round.results;
            line.closed_with_their_cq += round.unseen;
        }
        if !round.is_clean() {
            self.findings.push(format!(
                "{}: {} requests accepted, {} with a result, {} closed with their CQ",
                describe(plan),
                round.accepted,
                round.results,
                round.unseen
            ));
            self.findings.extend(round.outcome.listed().map(ToString::to_string));
        }
    }

    /// Adds what the simulator found on one machine.
    pub(super) fn found(&mut self, found: &ntsim::Report) {
        if !found.is_clean() {
            self.findings.push(found.to_string());
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Prints the whole.
    pub(super) fn print(&mut self, took: Duration) -> Result<(), CommandError> {
        self.seconds = took.as_secs_f64();
        self.clean = self.is_clean();
        for line in &mut self.endings {
            let rate = line.objects_closed as f64 / line.closing_seconds;
            line.objects_closed_per_second = rate.is_finite().then_some(rate);
        }
        if self.json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| CommandError::work(error.to_string()))?;
            println!("{text}");
        } else {
            self.print_table();
        }
        Ok(())
    }

    fn print_table(&self) {
        println!(
            "{} rounds of {} connections in {:.0} s, seeds from {}",
            self.rounds(),
            self.connections,
            self.seconds,
            self.first_seed
        );
        println!();
        println!(
            "  {:<30} {:>6} {:>9} {:>9} {:>12} {:>14}",
            "ended by being", "rounds", "closed", "closed/s", "requests", "lost requests"
        );
        for line in &self.endings {
            let rate = line.objects_closed_per_second.map_or_else(|| "-".into(), |rate| format!("{rate:.0}"));
            println!(
                "  {:<30} {:>6} {:>9} {:>9} {:>12} {:>14}",
                line.ending,
                line.rounds,
                line.objects_closed,
                rate,
                line.requests_accepted,
                line.requests_accepted - line.results - line.closed_with_their_cq
            );
        }
        println!();
        println!("  {:<20}{}", "failed allocations", self.failed_allocations);
        if self.findings.is_empty() {
            println!("  {:<20}nothing", "found or left");
        }
        for finding in &self.findings {
            println!("  {finding}");
        }
    }
}

fn describe(plan: &Plan) -> String {
    let level = match plan.level {
        Level::Passive => "PASSIVE_LEVEL",
        Level::Dispatch => "DISPATCH_LEVEL",
    };
    let Plan { ending, shortage, seed, .. } = plan;
    format!("{}, from {level}, {:.1} % of allocations failing, seed {seed}", ending.name(), shortage * 100.0)
}
