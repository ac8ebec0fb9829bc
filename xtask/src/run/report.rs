//! What happened, for people and for machines.

use core::time::Duration;
use std::net::IpAddr;

use indicatif::BinaryBytes;
use protocol::{Operation, Outcome, SessionCounters, SessionReport, Tally};
use runner::Error;
use runner::transfer::Transfer;
use serde::Serialize;

use super::figures::{Phase, PoolLeft, hex, line, list, rate, speed};
use super::options::{Route, Source};
use crate::failure::Failure;

/// What an operation is called.
pub(super) const fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Copy => "memcpy",
        Operation::Send => "Send/Receive",
        Operation::Write => "RDMA Write",
        Operation::Read => "RDMA Read",
        Operation::SmbDirect => "SMB Direct",
    }
}

/// Everything that a run has to tell.
#[derive(Serialize)]
pub(super) struct Report {
    /// Whether only the JSON is to be printed.
    #[serde(skip)]
    json: bool,
    file: String,
    bytes: u64,
    near: IpAddr,
    far: IpAddr,
    port: u16,
    /// The NDK version that the adapters speak.
    ndk_version: Option<String>,
    /// Bytes.
    chunk_length: Option<u32>,
    phases: Vec<Phase>,
    crossings: Vec<Crossing>,
    /// RDMA Write's bandwidth as a part of memcpy's.
    write_to_memcpy: Option<f64>,
    smb_direct: Option<Registrations>,
    closes: Option<Closes>,
    /// What the consumer found.
    consumer_findings: Vec<String>,
    /// What the simulator found.
    verifier_findings: Vec<String>,
    pool_left: PoolLeft,
    pub(super) peak_resident_bytes: Option<u64>,
    error: Option<String>,
    passed: bool,
}

/// What registering by work requests came to.
#[derive(Serialize)]
struct Registrations {
    made: u64,
    invalidated_by_answers: u64,
    /// Of the server's SRQ, each after its notification.
    refills: u64,
}

#[derive(Serialize)]
struct Closes {
    inline: u32,
    pending: u32,
    inside_callbacks: u32,
    request_completions: u32,
    inline_returns: u32,
}

/// One way across.
#[derive(Serialize)]
pub(super) struct Crossing {
    operation: &'static str,
    /// With reading and hashing.
    seconds: f64,
    /// The operation that moved the bytes alone, from post to completion.
    operation_seconds: f64,
    bytes_per_second: Option<f64>,
    operation_bytes_per_second: Option<f64>,
    sha256_sent: String,
    sha256_arrived: String,
    intact: bool,
}

impl Crossing {
    /// `tally` counts ticks, of which there are `frequency` in a second.
    pub(super) fn new(way: Operation, moved: &Transfer, tally: Tally, frequency: u64) -> Self {
        let seconds = moved.time.as_secs_f64();
        let operation_seconds = if frequency == 0 { 0.0 } else { tally.ticks as f64 / frequency as f64 };
        Self {
            operation: name(way),
            seconds,
            operation_seconds,
            bytes_per_second: rate(moved.bytes, seconds),
            operation_bytes_per_second: rate(tally.bytes, operation_seconds),
            sha256_sent: hex(&moved.sent),
            sha256_arrived: hex(&moved.arrived),
            intact: moved.sent == moved.arrived && tally.bytes == moved.bytes,
        }
    }
}

impl Report {
    pub(super) fn new(source: &Source, route: Route, json: bool) -> Self {
        Self {
            json,
            file: source.path.display().to_string(),
            bytes: source.length,
            near: route.near,
            far: route.far,
            port: route.port,
            ndk_version: None,
            chunk_length: None,
            phases: Vec::new(),
            crossings: Vec::new(),
            write_to_memcpy: None,
            smb_direct: None,
            closes: None,
            consumer_findings: Vec::new(),
            verifier_findings: Vec::new(),
            pool_left: PoolLeft::default(),
            peak_resident_bytes: None,
            error: None,
            passed: false,
        }
    }

    /// A phase without data is over.
    pub(super) fn phase(&mut self, name: &'static str, took: Duration) {
        if !self.json {
            if self.phases.is_empty() {
                println!("\n{} ({}), {} to {}", self.file, BinaryBytes(self.bytes), self.near, self.far);
                println!("\n  {:<16}{:>12}{:>15}{:>18}", "phase", "time", "rate", "operation alone");
            }
            println!("  {name:<16}{:>10.3} s", took.as_secs_f64());
        }
        self.phases.push(Phase { name, seconds: took.as_secs_f64() });
    }

    /// The session is open.
    pub(super) fn opened(&mut self, session: &SessionReport) {
        let version = session.near.version.min(session.far.version);
        self.ndk_version = Some(format!("{}.{}", version >> 16, version & 0xffff));
        self.chunk_length = Some(session.chunk_length);
    }

    /// The file is across.
    pub(super) fn crossed(&mut self, crossing: Crossing) {
        if !self.json {
            let [whole, alone] = [crossing.bytes_per_second, crossing.operation_bytes_per_second].map(speed);
            let verdict = if crossing.intact { "" } else { "  BYTES DIFFER" };
            let Crossing { operation, seconds, .. } = crossing;
            println!("  {operation:<16}{seconds:>10.3} s{whole:>15}{alone:>18}{verdict}");
        }
        self.crossings.push(crossing);
        let alone = |way| {
            let crossing = self.crossings.iter().find(|crossing| crossing.operation == name(way))?;
            crossing.operation_bytes_per_second
        };
        self.write_to_memcpy =
            alone(Operation::Write).zip(alone(Operation::Copy)).map(|(write, copy)| write / copy);
    }

    /// The file has crossed in every way.
    pub(super) fn counted(&mut self, counters: &SessionCounters) {
        self.smb_direct = Some(Registrations {
            made: counters.fast_registrations,
            invalidated_by_answers: counters.invalidations,
            refills: counters.refills,
        });
    }

    /// The session is closed.
    pub(super) fn closed(&mut self, outcome: &Outcome) {
        self.closes = Some(Closes {
            inline: outcome.closes_inline,
            pending: outcome.closes_pending,
            inside_callbacks: outcome.closes_inside,
            request_completions: outcome.completions,
            inline_returns: outcome.inline_returns,
        });
        self.consumer(outcome);
    }

    fn consumer(&mut self, outcome: &Outcome) {
        self.consumer_findings.extend(outcome.listed().map(ToString::to_string));
        let unlisted = outcome.found as usize - outcome.listed().count();
        if unlisted > 0 {
            self.consumer_findings.push(format!("and {unlisted} more"));
        }
    }

    /// The machine is shut down.
    pub(super) fn found(&mut self, report: &ntsim::Report) {
        self.verifier_findings = report.findings.iter().map(ToString::to_string).collect();
        self.pool_left = PoolLeft::new(report);
    }

    /// The session did not come to its end.
    pub(super) fn failed(&mut self, error: &Error) {
        if let Error::Status { outcome: Some(outcome), .. } = error {
            self.consumer(outcome);
        }
        self.error = Some(error.to_string());
    }

    /// Whether every byte matched, every close obeyed the protocol and nothing was found.
    pub(super) fn passed(&self) -> bool {
        self.error.is_none()
            && self.crossings.len() == super::WAYS.len()
            && self.crossings.iter().all(|crossing| crossing.intact)
            && self.closes.is_some()
            && self.consumer_findings.is_empty()
            && self.verifier_findings.is_empty()
            && self.pool_left.is_empty()
    }

    /// Prints the whole as JSON, or for people what is not on the screen yet.
    pub(super) fn print(&mut self) -> Result<(), Failure> {
        self.passed = self.passed();
        if self.json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| Failure::work(error.to_string()))?;
            println!("{text}");
        } else {
            self.print_summary();
        }
        Ok(())
    }

    fn print_summary(&self) {
        println!();
        if let Some(version) = &self.ndk_version {
            let chunk = BinaryBytes(self.chunk_length.unwrap_or_default().into());
            line("adapters", format!("NDK {version}, chunks of at most {chunk}"));
        }
        if let Some(hash) = self.crossings.first().map(|crossing| &crossing.sha256_sent) {
            line("SHA-256", hash.clone());
        }
        let intact = self.crossings.iter().filter(|crossing| crossing.intact).count();
        line("arrived intact", format!("{intact} of {}", super::WAYS.len()));
        if let Some(part) = self.write_to_memcpy {
            line("RDMA Write", format!("{:.0} % of memcpy's bandwidth", part * 100.0));
        }
        if let Some(Registrations { made, invalidated_by_answers, refills }) = &self.smb_direct {
            line(
                "SMB Direct",
                format!(
                    "{made} fast registrations, {invalidated_by_answers} invalidated by their answers; \
                     SRQ refilled {refills} times"
                ),
            );
        }
        if let Some(closes) = &self.closes {
            let Closes { inline, pending, inside_callbacks, .. } = closes;
            line(
                "closes",
                format!("{inline} inline, {pending} pending, {inside_callbacks} from inside callbacks"),
            );
        }
        if let Some(peak) = self.peak_resident_bytes {
            line("memory", format!("{} resident at most", BinaryBytes(peak)));
        }
        list("consumer found", &self.consumer_findings);
        list("verifier found", &self.verifier_findings);
        line("pool left", self.pool_left.to_string());
        if let Some(error) = &self.error {
            line("ended early", error.clone());
        }
    }
}
