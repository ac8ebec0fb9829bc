//! The report of a run, common to both paths of the file.

use core::time::Duration;
use std::net::IpAddr;

use indicatif::BinaryBytes;
use runner::transfer::Transfer;
use serde::Serialize;

use super::format::{Phase, PoolLeft, hex, line, list, rate, speed};
use super::options::{Route, Source};
use crate::failure::CommandError;

/// The report of a run, common to both paths of the file.
#[derive(Serialize)]
pub(super) struct RunReport {
    /// Set if only the JSON is to be printed.
    #[serde(skip)]
    pub(super) json: bool,
    file: String,
    bytes: u64,
    near: IpAddr,
    far: IpAddr,
    port: u16,
    phases: Vec<Phase>,
    /// The simulator's findings.
    verifier_findings: Vec<String>,
    pool_left: PoolLeft,
    pub(super) peak_resident_bytes: Option<u64>,
    pub(super) error: Option<String>,
    passed: bool,
}

impl RunReport {
    pub(super) fn new(source: &Source, route: Route, json: bool) -> Self {
        let file = source.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::of_file(file, source.length, route, json)
    }

    /// The report of a file with this name and length.
    pub(super) fn of_file(file: String, bytes: u64, Route { near, far, port }: Route, json: bool) -> Self {
        Self {
            json,
            file,
            bytes,
            near,
            far,
            port,
            phases: Vec::new(),
            verifier_findings: Vec::new(),
            pool_left: PoolLeft::default(),
            peak_resident_bytes: None,
            error: None,
            passed: false,
        }
    }

    /// A phase without data is over. The first one comes with the head of the table: `by` says which path it
    /// is, `alone` names the column that only some have.
    pub(super) fn phase(&mut self, name: &'static str, took: Duration, (by, alone): (&str, &str)) {
        if !self.json {
            if self.phases.is_empty() {
                let Self { file, bytes, near, far, .. } = &*self;
                println!("\n{file} ({}), {near} to {far}{by}", BinaryBytes(*bytes));
                println!("\n  {:<18}{:>12}{:>15}{alone}", "phase", "time", "rate");
            }
            println!("  {name:<18}{:>10.3} s", took.as_secs_f64());
        }
        self.phases.push(Phase { name, seconds: took.as_secs_f64() });
    }

    /// The machine is shut down.
    pub(super) fn found(&mut self, report: &ntsim::Report) {
        self.verifier_findings = report.findings.iter().map(ToString::to_string).collect();
        self.pool_left = PoolLeft::new(report);
    }

    /// Returns whether every one of `ways` led across, and the simulator found nothing.
    pub(super) fn passed<'p>(&self, passes: impl ExactSizeIterator<Item = &'p Pass>, ways: usize) -> bool {
        self.error.is_none()
            && passes.len() == ways
            && passes.into_iter().all(|pass| pass.intact)
            && self.verifier_findings.is_empty()
            && self.pool_left.is_empty()
    }

    /// It is known whether the run has passed.
    pub(super) fn conclude(&mut self, passed: bool) {
        self.passed = passed;
    }

    /// Prints what arrived.
    pub(super) fn print_arrivals<'p>(&self, passes: impl Iterator<Item = &'p Pass>, ways: usize) {
        let mut passes = passes.peekable();
        if let Some(first) = passes.peek() {
            line("SHA-256", first.sha256_sent.clone());
        }
        let intact = passes.filter(|pass| pass.intact).count();
        line("arrived intact", format!("{intact} of {ways}"));
    }

    /// Prints how much memory the run took.
    pub(super) fn print_memory(&self) {
        if let Some(peak) = self.peak_resident_bytes {
            line("memory", format!("{} resident at most", BinaryBytes(peak)));
        }
    }

    /// Prints what was found, and what ended the run early.
    pub(super) fn print_end(&self) {
        list("verifier found", &self.verifier_findings);
        line("pool left", self.pool_left.to_string());
        if let Some(error) = &self.error {
            line("ended early", error.clone());
        }
    }
}

/// The file's way across.
#[derive(Serialize)]
pub(super) struct Pass {
    /// With reading and hashing.
    seconds: f64,
    bytes_per_second: Option<f64>,
    sha256_sent: String,
    sha256_arrived: String,
    pub(super) intact: bool,
}

impl Pass {
    pub(super) fn new(moved: &Transfer) -> Self {
        let seconds = moved.time.as_secs_f64();
        Self {
            seconds,
            bytes_per_second: rate(moved.bytes, seconds),
            sha256_sent: hex(&moved.sent),
            sha256_arrived: hex(&moved.arrived),
            intact: moved.sent == moved.arrived,
        }
    }

    /// Prints the line of the table; `alone` is what stands in a further column.
    pub(super) fn print(&self, name: &str, alone: &str) {
        let verdict = if self.intact { "" } else { "  BYTES DIFFER" };
        let (seconds, whole) = (self.seconds, speed(self.bytes_per_second));
        println!("  {name:<18}{seconds:>10.3} s{whole:>15}{alone}{verdict}");
    }
}

/// Prints a report as JSON.
pub(super) fn print_json(report: &impl Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(report).map_err(|error| CommandError::work(error.to_string()))?;
    println!("{text}");
    Ok(())
}
