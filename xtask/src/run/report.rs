//! The report of a run between the adapters, for people and for machines.

use core::time::Duration;

use indicatif::BinaryBytes;
use protocol::{Operation, Outcome, SessionCounters, SessionReport, TransferCounters};
use runner::Error;
use runner::transfer::Transfer;
use serde::Serialize;

use super::format::{line, list, rate, speed};
use super::options::{Route, Source};
use super::run_report::{Pass, RunReport, print_json};
use crate::failure::CommandError;

/// The name of an operation.
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
    #[serde(flatten)]
    pub(super) run: RunReport,
    /// The number of crossings that there are to be.
    #[serde(skip)]
    ways: usize,
    /// The NDK version that the adapters speak.
    ndk_version: Option<String>,
    /// Bytes.
    chunk_length: Option<u32>,
    crossings: Vec<Crossing>,
    /// RDMA Write's bandwidth as a part of memcpy's.
    write_to_memcpy: Option<f64>,
    smb_direct: Option<Registrations>,
    closes: Option<Closes>,
    /// The consumer's findings.
    consumer_findings: Vec<String>,
}

/// The ways in which a file crosses to a peer in another machine.
const PEER_WAYS: usize = super::peer::WAYS.len();

/// The result of registering by work requests.
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

/// The direction of a crossing, of the two that there are with a peer in another machine.
#[derive(Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    /// To the peer.
    Out,
    /// From the peer.
    In,
}

/// One way across.
#[derive(Serialize)]
pub(super) struct Crossing {
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(flatten)]
    pass: Pass,
    /// The operation that moved the bytes alone, from post to completion.
    operation_seconds: f64,
    operation_bytes_per_second: Option<f64>,
}

impl Crossing {
    /// `tally` counts ticks, of which there are `frequency` in a second.
    pub(super) fn new(way: Operation, moved: &Transfer, tally: TransferCounters, frequency: u64) -> Self {
        let operation_seconds = if frequency == 0 { 0.0 } else { tally.ticks as f64 / frequency as f64 };
        let mut pass = Pass::new(moved);
        pass.intact &= tally.bytes == moved.bytes;
        Self {
            operation: name(way),
            direction: None,
            pass,
            operation_seconds,
            operation_bytes_per_second: rate(tally.bytes, operation_seconds),
        }
    }

    /// A crossing to a peer in another machine, or from it. The operation alone is timed on the side that posts it: a Send
    /// and a Write on the side that has the bytes, a Read, also one of SMB Direct, on the other one.
    pub(super) fn directed(
        way: Operation,
        direction: Direction,
        moved: &Transfer,
        tally: TransferCounters,
        frequency: u64,
    ) -> Self {
        let posted = match way {
            Operation::Send | Operation::Write | Operation::Copy => Direction::Out,
            Operation::Read | Operation::SmbDirect => Direction::In,
        };
        let counted = if posted == direction { tally } else { TransferCounters::default() };
        let mut crossing = Self::new(way, moved, counted, frequency);
        // The records that cross by Send are counted with the chunks.
        crossing.pass.intact =
            moved.sent == moved.arrived && (posted != direction || tally.bytes >= moved.bytes);
        Self { direction: Some(direction), ..crossing }
    }

    /// The line's name.
    fn label(&self) -> String {
        match self.direction {
            None => self.operation.to_owned(),
            Some(Direction::Out) => format!("out  {}", self.operation),
            Some(Direction::In) => format!("in   {}", self.operation),
        }
    }
}

impl Report {
    pub(super) fn new(source: &Source, route: Route, json: bool) -> Self {
        Self::over(RunReport::new(source, route, json), super::WAYS.len())
    }

    /// The report of a file that goes to a peer in another machine and comes back.
    pub(super) fn of_peers(file: &str, length: u64, route: Route, json: bool) -> Self {
        Self::over(RunReport::of_file(file.to_owned(), length, route, json), 2 * PEER_WAYS)
    }

    const fn over(run: RunReport, ways: usize) -> Self {
        Self {
            run,
            ways,
            ndk_version: None,
            chunk_length: None,
            crossings: Vec::new(),
            write_to_memcpy: None,
            smb_direct: None,
            closes: None,
            consumer_findings: Vec::new(),
        }
    }

    /// A phase without data is over.
    pub(super) fn phase(&mut self, name: &'static str, took: Duration) {
        self.run.phase(name, took, ("", &format!("{:>18}", "operation alone")));
    }

    /// The session is open.
    pub(super) fn opened(&mut self, session: &SessionReport) {
        let version = session.near.version.min(session.far.version);
        self.ndk_version = Some(format!("{}.{}", version >> 16, version & 0xffff));
        self.chunk_length = Some(session.chunk_length);
    }

    /// The file is across.
    pub(super) fn crossed(&mut self, crossing: Crossing) {
        if !self.run.json {
            let alone = format!("{:>18}", speed(crossing.operation_bytes_per_second));
            crossing.pass.print(&crossing.label(), &alone);
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

    /// The session did not come to its end.
    pub(super) fn failed(&mut self, error: &Error) {
        if let Error::Status { outcome: Some(outcome), .. } = error {
            self.consumer(outcome);
        }
        self.run.error = Some(error.to_string());
    }

    fn passes(&self) -> impl ExactSizeIterator<Item = &Pass> {
        self.crossings.iter().map(|crossing| &crossing.pass)
    }

    /// Returns whether every byte that has crossed so far has matched.
    pub(super) fn is_intact(&self) -> bool {
        self.passes().all(|pass| pass.intact)
    }

    /// Returns whether every byte matched, every close obeyed the protocol and nothing was found.
    pub(super) fn passed(&self) -> bool {
        self.run.passed(self.passes(), self.ways)
            && self.closes.is_some()
            && self.consumer_findings.is_empty()
    }

    /// Prints the whole as JSON, or for people what is not on the screen yet.
    pub(super) fn print(&mut self) -> Result<(), CommandError> {
        self.run.conclude(self.passed());
        if self.run.json {
            return print_json(self);
        }
        self.print_summary();
        Ok(())
    }

    fn print_summary(&self) {
        println!();
        if let Some(version) = &self.ndk_version {
            let chunk = BinaryBytes(self.chunk_length.unwrap_or_default().into());
            line("adapters", format!("NDK {version}, chunks of at most {chunk}"));
        }
        self.run.print_arrivals(self.passes(), self.ways);
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
        self.run.print_memory();
        list("consumer found", &self.consumer_findings);
        self.run.print_end();
    }
}
