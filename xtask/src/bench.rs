//! `cargo xtask bench`: measures the built driver through its dispatch tables, side by side with what it
//! can't be faster than, in the same run.

mod notifications;
mod objects;
mod report;
mod statistics;
mod threads;
mod transfers;

use std::net::{IpAddr, Ipv4Addr};

use indicatif::{ProgressBar, ProgressStyle};
use ntsim::{Machine, ex::pool, ndk};
use protocol::Endpoint;
use runner::{Error, Fixture, Images, Measuring, Place};

use self::report::Report;
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

    /// Steps of the progress bar.
    fn steps(&self) -> usize {
        self.rounds * (transfers::LENGTHS.len() + 2) + objects::KINDS.len() + 2 * self.successors.len()
    }
}

/// Builds the drivers and measures.
pub(crate) fn bench(options: &Options) -> Result<(), CommandError> {
    let images = build::build()?;
    let report = measure(&images, if options.quick { &Plan::QUICK } else { &Plan::FULL })?;
    report.print(options.json)?;
    report.verdict()
}

/// A quick run, of which only the counts matter: every message arrived, nothing was allocated for it.
pub(crate) fn smoke(images: &build::Images) -> Result<(), CommandError> {
    let step = crate::step::Step::start("measure, quickly");
    let report = measure(images, &Plan::QUICK)?;
    step.done();
    report.verdict()
}

fn measure(images: &build::Images, plan: &Plan) -> Result<Report, CommandError> {
    let images = Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") };
    // Pages of their own for blocks are there to find mistakes, and cost more than what is measured.
    let machine = Machine::builder().special_pool(0).boot();
    ndk::set_checks(ndk::Checks::None);
    let place = |(index, address, _)| Place::new(index, address);
    let places: Vec<_> = ADAPTERS.into_iter().map(place).collect();
    let places = places.into_iter().chain(IMMEDIATE.map(|end| place(end).immediate()));
    let places: Vec<_> = places.collect();
    let fixture = Fixture::on(machine, &images, &places).map_err(|(error, _)| failed(&error))?;
    let report = series(&fixture, plan);
    let found = fixture.shut_down();
    let mut report = report.map_err(|error| failed(&error))?;
    report.findings.extend(found.findings.iter().map(ToString::to_string));
    report.findings.extend(found.pool.iter().map(ToString::to_string));
    Ok(report)
}

fn failed(error: &Error) -> CommandError {
    CommandError::work(error.to_string())
}

fn series(fixture: &Fixture, plan: &Plan) -> Result<Report, Error> {
    let open = |ends: [(u32, IpAddr, u16); 2]| {
        let [near, far] = ends.map(|(index, address, port)| Endpoint::new(index, address, port));
        Measuring::open(fixture, near, far)
    };
    let (measuring, immediate) = (open(ADAPTERS)?, open(IMMEDIATE)?);
    let bar = bar(plan.steps());
    let before = pool::usage().allocations;
    let transfers = transfers::measure(&measuring, plan, &bar)?;
    let threads = threads::measure(&measuring, plan, &bar)?;
    let notifications = notifications::measure([&measuring, &immediate], plan, &bar)?;
    let allocations = pool::usage().allocations - before;
    let objects = objects::measure(&measuring, plan, &bar)?;
    bar.finish_and_clear();
    let outcome = measuring.close()?;
    let immediate = immediate.close()?;
    let findings = outcome.listed().chain(immediate.listed()).map(ToString::to_string).collect();
    Ok(Report { rounds: plan.rounds, transfers, threads, notifications, allocations, objects, findings })
}

fn bar(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    match ProgressStyle::with_template("measure {wide_bar} {pos}/{len} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
