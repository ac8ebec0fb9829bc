//! `cargo xtask bench --wire`: the built driver over the host's TCP, in turns with a stream of Winsock Kernel's sockets in
//! the same simulator, and with TCP of the host alone.
//!
//! The stream, which the harness driver pumps, shows what the simulator's sockets leave of the host's; the driver can't
//! be faster. Where they leave too little, a part of it says nothing of the driver.

mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::process;

use ntsim::{Machine, ex::pool, ndk};
use protocol::{Endpoint, Flow, FlowReport, PUMP_LENGTH};
use runner::{Error, Fixture, Images, Measuring, Place};

use self::report::Report;
use super::transfers::{LENGTHS, outstanding};
use super::{Options, bar, failed, host_tcp};
use crate::{build, failure::CommandError};

/// The part of the host's TCP below which a stream of Winsock Kernel's sockets is no measure.
const LEAST_OF_HOST: f64 = 0.55;

/// The operations, each of which moves its bytes the same way.
const FLOWS: [(Flow, &str); 3] =
    [(Flow::Send, "Send/Receive"), (Flow::Write, "RDMA Write"), (Flow::Read, "RDMA Read")];

/// The ends without sums and with them, by the last bytes of their addresses.
const PAIRS: [(&str, [u8; 2]); 2] = [("without CRC", [2, 3]), ("with CRC", [4, 5])];

/// The ends of a stream of sockets.
const SOCKETS: [u8; 2] = [6, 7];

const PORT: u16 = 5445;

/// The amount of measuring.
#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    /// The one length that is measured; all of them without it.
    length: Option<u32>,
    /// Bytes of one flow, where an operation is long.
    bytes: u32,
    /// Operations of one flow, where they are short.
    operations: u32,
}

impl Plan {
    const FULL: Self = Self { rounds: 7, length: None, bytes: 64 << 20, operations: 20_000 };
    const QUICK: Self = Self { rounds: 1, length: None, bytes: 4 << 20, operations: 500 };

    fn lengths(&self) -> Vec<u32> {
        self.length.map_or(LENGTHS.to_vec(), |length| vec![length])
    }

    /// Operations of one flow.
    fn count(&self, length: u32) -> u32 {
        (self.bytes / length).min(self.operations).max(outstanding(length))
    }

    /// Sends of the streams that it is measured against.
    fn sends(&self) -> u32 {
        (self.bytes / PUMP_LENGTH).max(1)
    }
}

/// Operations of one length over one pair of ends, in one round, in bytes per second.
struct Group {
    pair: &'static str,
    length: u32,
    /// TCP of the host.
    host: f64,
    /// The stream of Winsock Kernel's sockets.
    sockets: f64,
    /// Send, Write and Read.
    flows: [f64; FLOWS.len()],
    /// Blocks of pool that any driver allocated during these.
    allocations: u64,
}

/// Builds the drivers and measures.
pub(super) fn bench(options: &Options) -> Result<(), CommandError> {
    let images = build::build()?;
    let mut plan = if options.quick { Plan { rounds: 3, ..Plan::QUICK } } else { Plan::FULL };
    plan.length = options.length;
    plan.rounds = options.rounds.map_or(plan.rounds, NonZeroUsize::get);
    let report = measure(&images, plan)?;
    report.print(options.json)?;
    report.verdict()
}

/// A quick run, of which only the counts matter: every message arrived, nothing was allocated for it.
pub(super) fn smoke(images: &build::Images) -> Result<(), CommandError> {
    measure(images, Plan::QUICK)?.correct()
}

/// Measures in rounds, each on a machine of its own.
fn measure(images: &build::Images, plan: Plan) -> Result<Report, CommandError> {
    let bar = bar(plan.rounds * PAIRS.len() * plan.lengths().len());
    let (mut rounds, mut findings) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        rounds.push(round(images, plan, &bar, &mut findings)?);
    }
    bar.finish_and_clear();
    Ok(Report::of(&rounds, findings))
}

/// An address of the host that no other process of this program has.
fn address(host: u8) -> IpAddr {
    let [_, _, high, low] = process::id().to_be_bytes();
    // The networks 127.0 and 127.255 are other programs'.
    IpAddr::V4(Ipv4Addr::new(127, high.clamp(1, 254), low, host))
}

fn round(
    images: &build::Images,
    plan: Plan,
    bar: &indicatif::ProgressBar,
    findings: &mut Vec<String>,
) -> Result<Vec<Group>, CommandError> {
    let images = Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") };
    // Pages of their own for blocks are there to find mistakes, and cost more than what is measured.
    let machine = Machine::builder().special_pool(0).host_sockets().boot();
    ndk::set_checks(ndk::Checks::None);
    let place = |host: u8| Place::new(host.into(), address(host)).wire().immediate();
    let [off, on] = PAIRS.map(|(_, hosts)| hosts.map(place));
    let places: Vec<_> = off.map(|place| place.crc(false)).into_iter().chain(on).collect();
    let fixture = Fixture::on(machine, &images, &places).map_err(|(error, _)| failed(&error))?;
    let measured = groups(&fixture, plan, bar, findings);
    let found = fixture.shut_down();
    findings.extend(found.findings.iter().map(ToString::to_string));
    findings.extend(found.pool.iter().map(ToString::to_string));
    measured
}

fn groups(
    fixture: &Fixture,
    plan: Plan,
    bar: &indicatif::ProgressBar,
    findings: &mut Vec<String>,
) -> Result<Vec<Group>, CommandError> {
    let mut groups = Vec::new();
    for (pair, hosts) in PAIRS {
        let [near, far] = hosts.map(|host| Endpoint::new(host.into(), address(host), PORT));
        let measuring = Measuring::open(fixture, near.with_port(0), far).map_err(|error| failed(&error))?;
        // The windows of TCP grow meanwhile, as those of what it is measured against.
        for (flow, _) in FLOWS {
            measuring.flow(flow, (1 << 20, 2), 16).map_err(|error| failed(&error))?;
        }
        for length in plan.lengths() {
            groups.push(group(fixture, &measuring, (pair, length), plan)?);
            bar.inc(1);
        }
        let outcome = measuring.close().map_err(|error| failed(&error))?;
        findings.extend(outcome.listed().map(ToString::to_string));
    }
    Ok(groups)
}

/// Measures one length beside both streams.
fn group(
    fixture: &Fixture,
    measuring: &Measuring,
    (pair, length): (&'static str, u32),
    plan: Plan,
) -> Result<Group, CommandError> {
    let host = host_tcp::bytes_per_second(address(SOCKETS[1]), plan.sends());
    let host = host.map_err(|error| CommandError::work(format!("TCP of the host: {error}")))?;
    let ends = SOCKETS.map(|host| Endpoint::new(host.into(), address(host), PORT));
    let sockets = runner::pump(fixture, ends[0], ends[1], plan.sends());
    let sockets = rate(sockets, plan.sends(), PUMP_LENGTH).map_err(|error| failed(&error))?;
    let before = pool::usage().allocations;
    let mut flows = [0.0; FLOWS.len()];
    for ((flow, _), place) in FLOWS.into_iter().zip(&mut flows) {
        let count = plan.count(length);
        let report = measuring.flow(flow, (length, outstanding(length)), count);
        *place = rate(report, count, length).map_err(|error| failed(&error))?;
    }
    let allocations = pool::usage().allocations - before;
    Ok(Group { pair, length, host, sockets, flows, allocations })
}

/// Bytes per second.
fn rate(report: Result<FlowReport, Error>, count: u32, length: u32) -> Result<f64, Error> {
    let FlowReport { ticks, frequency } = report?;
    Ok(f64::from(count) * f64::from(length) * frequency as f64 / ticks.max(1) as f64)
}
