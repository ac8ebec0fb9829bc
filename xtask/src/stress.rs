//! `cargo xtask stress`: connections with traffic that end in the middle of it, again and again.

mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use protocol::{Endpoint, Level};
use runner::stress::{self, Ending, Plan};
use runner::{Fixture, Images, Place};

use self::report::Report;
use crate::{build, failure::CommandError};

/// The two adapters: interface index and address.
const NEAR: (u32, IpAddr) = (12, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
const FAR: (u32, IpAddr) = (15, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
/// The port of the first group.
const PORT: u16 = 5445;

/// Pairs of threads that drive the connections.
const GROUPS: u32 = 4;

/// The fraction of the provider's allocations that fails, in the second and each further turn of the endings.
const SHORTAGES: [f64; 5] = [0.0, 0.001, 0.0, 0.02, 0.1];

/// The time and load of the stress run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds to run; the round that is running then is played to its end.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Number of connections.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(4..=20_000))]
    connections: u32,
    /// Determines what is posted and which allocations fail.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Builds the drivers and stress runs.
pub(crate) fn stress(options: &Options) -> Result<(), CommandError> {
    let images = build::build()?;
    let images = Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") };
    let mut report = Report::new(options);
    let bar = progress(options.seconds);
    let began = Instant::now();
    let mut seed = options.seed;
    for shortage in SHORTAGES.into_iter().cycle() {
        turn(&images, options, shortage, &mut seed, &mut report, |round| {
            bar.set_position(began.elapsed().as_secs().min(options.seconds));
            bar.set_message(format!("round {round}"));
            began.elapsed() < Duration::from_secs(options.seconds)
        })?;
        if !report.is_clean() || began.elapsed() >= Duration::from_secs(options.seconds) {
            break;
        }
    }
    bar.finish_and_clear();
    report.print(began.elapsed())?;
    if report.is_clean() { Ok(()) } else { Err(CommandError::work("the stress runs left something behind")) }
}

/// Plays every ending from either level on one machine, as long as `goes_on` says so.
fn turn(
    images: &Images,
    options: &Options,
    shortage: f64,
    seed: &mut u32,
    report: &mut Report,
    goes_on: impl Fn(usize) -> bool,
) -> Result<(), CommandError> {
    let places = [NEAR, FAR].map(|(index, address)| Place::new(index, address));
    let mut fixture =
        Fixture::boot(images, &places).map_err(|error| CommandError::work(error.to_string()))?;
    let ends = [Endpoint::new(NEAR.0, NEAR.1, 0), Endpoint::new(FAR.0, FAR.1, PORT)];
    let plan = Plan {
        groups: GROUPS,
        connections: options.connections / GROUPS,
        results: 10,
        ending: Ending::Closed,
        level: Level::Passive,
        shortage,
        seed: 0,
    };
    for plan in plan.every_ending() {
        if !goes_on(report.rounds() + 1) {
            break;
        }
        let plan = Plan { seed: *seed, ..plan };
        *seed = seed.wrapping_add(1);
        let played = stress::round(&mut fixture, ends, &plan);
        if !report.played(&plan, played) {
            break;
        }
    }
    report.found(&fixture.shut_down());
    Ok(())
}

fn progress(seconds: u64) -> ProgressBar {
    let bar = ProgressBar::new(seconds);
    match ProgressStyle::with_template("stress {wide_bar} {pos}/{len} s  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
