//! `cargo xtask bench`: measures the built driver through its dispatch tables, side by side with what it
//! can't be faster than, and with an earlier driver, in the same run.

mod compared;
mod host_tcp;
mod notifications;
mod objects;
mod report;
mod side_by_side;
mod statistics;
mod threads;
mod transfers;
mod wire;

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
    path::PathBuf,
};

use indicatif::{ProgressBar, ProgressStyle};
use ntsim::{Machine, ex::pool, ndk};
use protocol::Endpoint;
use runner::{Error, Fixture, Images, Measuring, Place};

use self::compared::Compared;
use self::report::{Figures, Report};
use crate::{build, failure::CommandError};

/// Interface index, address and port: of the adapter that connects, and of the one that listens.
const ADAPTERS: [(u32, IpAddr, u16); 2] =
    [(12, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 0), (15, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 5445)];

/// As above, of the pair that has `ImmediateNotification` set.
const IMMEDIATE: [(u32, IpAddr, u16); 2] =
    [(13, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)), 0), (16, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4)), 5445)];

/// The options of a measurement.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Take a few seconds: fewer samples, and thousands of objects in place of hundreds of thousands.
    #[arg(long)]
    quick: bool,
    /// Measure the driver that was built in DIR, a checkout of an earlier commit, in turns with this one's; may be given
    /// several times.
    #[arg(long, value_name = "DIR")]
    before: Vec<PathBuf>,
    /// The number of rounds.
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,
    /// Measure over TCP of the host, beside a stream of Winsock Kernel's sockets in the same simulator and TCP of the host
    /// alone, without CRC and with it.
    #[arg(long, conflicts_with = "before")]
    wire: bool,
    /// Measure operations of this length alone.
    #[arg(long, value_name = "BYTES", requires = "wire", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    length: Option<u32>,
}

/// The amount of measuring.
struct Plan {
    /// The number of rounds; operations that are compared are measured in turns.
    rounds: usize,
    /// The approximate time of one series of transfers, in microseconds.
    microseconds: u64,
    /// Samples of one way between two threads.
    exchanges: usize,
    /// Samples of a notification that a thread sleeps for.
    notifications: usize,
    /// Objects of each kind that are created and closed.
    objects: usize,
    /// The numbers of successors that an antecedent is closed over.
    successors: &'static [usize],
}

impl Plan {
    const FULL: Self = Self {
        rounds: 11,
        microseconds: 20_000,
        exchanges: 20_000,
        notifications: 5_000,
        objects: 1000,
        successors: &[1, 1000, 100_000],
    };
    const QUICK: Self = Self {
        rounds: 3,
        microseconds: 2_000,
        exchanges: 2_000,
        notifications: 500,
        objects: 100,
        successors: &[1, 1000],
    };

    /// Steps of the progress bar for each driver.
    fn steps(&self) -> usize {
        self.rounds + objects::KINDS.len() + 2 * self.successors.len()
    }
}

/// Builds the drivers and measures.
pub(crate) fn bench(options: &Options) -> Result<(), CommandError> {
    if options.wire {
        return wire::bench(options);
    }
    let images = build::build()?;
    let before = options.before.iter().map(|folder| Compared::before(folder));
    let drivers: Vec<_> = before.chain([Ok(Compared::built(&images))]).collect::<Result<_, _>>()?;
    let mut plan = if options.quick { Plan::QUICK } else { Plan::FULL };
    plan.rounds = options.rounds.map_or(plan.rounds, NonZeroUsize::get);
    let report = measure(&images, &drivers, &plan)?;
    report.print(options.json)?;
    report.verdict()
}

/// A quick run, of which only the counts matter: every message arrived, nothing was allocated for it.
pub(crate) fn smoke(images: &build::Images) -> Result<(), CommandError> {
    let step = crate::step::Step::start("measure, quickly");
    let report = measure(images, &[Compared::built(images)], &Plan::QUICK)?;
    step.done();
    report.verdict()
}

/// The same over TCP of the host.
pub(crate) fn smoke_over_wire(images: &build::Images) -> Result<(), CommandError> {
    let step = crate::step::Step::start("measure over TCP, quickly");
    wire::smoke(images)?;
    step.done();
    Ok(())
}

/// One round of what is measured in turns.
struct Round {
    transfers: Vec<transfers::Round>,
    threads: threads::Round,
    notifications: notifications::Round,
    /// Blocks of pool that any driver allocated meanwhile.
    allocations: u64,
}

/// Measures the drivers in turns, each on a machine that is booted for the round: where its memory lies is then not the
/// same in all rounds.
fn measure(images: &build::Images, drivers: &[Compared], plan: &Plan) -> Result<Report, CommandError> {
    let bar = bar(plan.steps() * drivers.len());
    let mut rounds: Vec<Vec<Round>> = drivers.iter().map(|_| Vec::new()).collect();
    let mut findings: Vec<Vec<String>> = drivers.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for ((driver, rounds), findings) in drivers.iter().zip(&mut rounds).zip(&mut findings) {
            rounds.push(on_machine(images, driver, findings, |ends| round(ends, plan))?);
            bar.inc(1);
        }
    }
    let mut figures = Vec::new();
    for ((driver, rounds), mut findings) in drivers.iter().zip(rounds).zip(findings) {
        let objects =
            on_machine(images, driver, &mut findings, |[ends, _]| objects::measure(ends, plan, &bar))?;
        figures.push(Figures::of(driver, &rounds, objects, findings));
    }
    bar.finish_and_clear();
    Ok(Report { rounds: plan.rounds, figures })
}

/// Boots a machine and measures between the ends of two pairs of adapters; those of the second have
/// `ImmediateNotification` set.
fn on_machine<R>(
    images: &build::Images,
    driver: &Compared,
    findings: &mut Vec<String>,
    measure: impl FnOnce([&Measuring; 2]) -> Result<R, Error>,
) -> Result<R, CommandError> {
    let images = Images { softndk: driver.image.clone(), ndkhlk: images.image("ndkhlk") };
    // Pages of their own for blocks are there to find mistakes, and cost more than what is measured.
    let machine = Machine::builder().special_pool(0).boot();
    ndk::set_checks(ndk::Checks::None);
    let place = |(index, address, _)| Place::new(index, address);
    let places: Vec<_> = ADAPTERS.into_iter().map(place).collect();
    let places = places.into_iter().chain(IMMEDIATE.map(|end| place(end).immediate()));
    let places: Vec<_> = places.collect();
    let fixture = Fixture::on(machine, &images, &places).map_err(|(error, _)| failed(&error))?;
    let measured = between(&fixture, findings, measure);
    let found = fixture.shut_down();
    findings.extend(found.findings.iter().map(ToString::to_string));
    findings.extend(found.pool.iter().map(ToString::to_string));
    measured.map_err(|error| failed(&error))
}

fn between<R>(
    fixture: &Fixture,
    findings: &mut Vec<String>,
    measure: impl FnOnce([&Measuring; 2]) -> Result<R, Error>,
) -> Result<R, Error> {
    let open = |ends: [(u32, IpAddr, u16); 2]| {
        let [near, far] = ends.map(|(index, address, port)| Endpoint::new(index, address, port));
        Measuring::open(fixture, near, far)
    };
    let (default, immediate) = (open(ADAPTERS)?, open(IMMEDIATE)?);
    let measured = measure([&default, &immediate])?;
    let (default, immediate) = (default.close()?, immediate.close()?);
    findings.extend(default.listed().chain(immediate.listed()).map(ToString::to_string));
    Ok(measured)
}

fn round(ends: [&Measuring; 2], plan: &Plan) -> Result<Round, Error> {
    let [default, _] = ends;
    // A machine that has just booted has work of its own yet, for which it allocates.
    notifications::measure(ends, &Plan::QUICK)?;
    let before = pool::usage().allocations;
    Ok(Round {
        transfers: transfers::measure(default, plan)?,
        threads: threads::measure(default, plan)?,
        notifications: notifications::measure(ends, plan)?,
        allocations: pool::usage().allocations - before,
    })
}

fn failed(error: &Error) -> CommandError {
    CommandError::work(error.to_string())
}

fn bar(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    match ProgressStyle::with_template("measure {wide_bar} {pos}/{len} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
