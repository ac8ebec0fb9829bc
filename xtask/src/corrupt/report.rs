//! The outcomes of the images.

use core::time::Duration;

use serde::Serialize;

use super::play::{Outcome, Played};
use crate::failure::CommandError;

/// Failures that are told in full.
const TOLD: usize = 10;

/// The outcomes of the images.
#[derive(Serialize)]
pub(super) struct Report {
    seed: u64,
    count: u64,
    /// Loaded and unloaded without a finding.
    loaded: u64,
    /// Loaded and unloaded, and something was found.
    found: u64,
    /// Refused with a sentence.
    refused: u64,
    /// Stopped with a report.
    stopped: u64,
    /// Those that ended in any other way.
    failed: Vec<Played>,
    seconds: f64,
}

impl Report {
    pub(super) fn new(seed: u64, count: u64) -> Self {
        Self { seed, count, loaded: 0, found: 0, refused: 0, stopped: 0, failed: Vec::new(), seconds: 0.0 }
    }

    pub(super) fn add(&mut self, played: Played) {
        match played.outcome {
            Outcome::Loaded => self.loaded += 1,
            Outcome::Found => self.found += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Stopped => self.stopped += 1,
            Outcome::Failed(_) => self.failed.push(played),
        }
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
    }

    /// Prints the report, and fails if an image did.
    pub(super) fn print(mut self, json: bool) -> Result<(), CommandError> {
        self.failed.sort_by_key(|played| played.number);
        if json {
            let text = serde_json::to_string_pretty(&self);
            println!("{}", text.map_err(|error| CommandError::work(error.to_string()))?);
        } else {
            let Self { seed, count, .. } = self;
            println!("\n{count} damaged images, seed {seed}, {:.1} s\n", self.seconds);
            for (name, number) in [
                ("refused with a sentence", self.refused),
                ("stopped with a report", self.stopped),
                ("loaded, with findings", self.found),
                ("loaded", self.loaded),
                ("ended in any other way", self.failed.len() as u64),
            ] {
                println!("  {name:<26}{number:>8}");
            }
            for Played { number, driver, damage, outcome } in self.failed.iter().take(TOLD) {
                println!("\n{number}, {driver}.sys: {}\n{outcome:?}", damage.join("; "));
            }
        }
        self.verdict()
    }

    /// Fails if an image did.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        match self.failed.first() {
            None => Ok(()),
            Some(first) => Err(CommandError::work(format!(
                "{} of {} damaged images ended without a sentence or a report; see \
                 cargo xtask corrupt --seed {} --replay {}",
                self.failed.len(),
                self.count,
                self.seed,
                first.number
            ))),
        }
    }
}
