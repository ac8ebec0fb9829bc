//! `cargo xtask run --tdi`: two TDI clients, one on either adapter.

mod report;

use std::net::SocketAddr;
use std::time::Instant;

use ntsim::Machine;
use runner::{Error, Images};
use tdi_client::transfer::{self, Way};
use tdi_client::{Fixture, Pair, flight};

use self::report::Report;
use super::options::{Options, Route, Source};
use super::{memory, progress, reopen};
use crate::{dump, failure::CommandError};

/// The ways in which the far client takes the file.
const WAYS: [Way; 2] = [Way::Requests, Way::Events];

/// Moves the file.
pub(super) fn run(
    options: &Options,
    route: Route,
    source: &Source,
    images: &Images,
) -> Result<(), CommandError> {
    let mut report = Report::new(source, route, options.json);
    let booted = Instant::now();
    let fixture = Fixture::boot(Machine::builder(), images, [route.near, route.far])
        .map_err(|error| CommandError::work(error.to_string()))?;
    report.phase("boot", booted.elapsed());
    let outcome = cross(&fixture, options, route, source, &mut report);
    let stopping = Instant::now();
    let found = fixture.end();
    report.phase("halt, unload", stopping.elapsed());
    report.found(&found);
    report.run.peak_resident_bytes = memory::peak();
    if let Err(error) = outcome {
        report.run.error = Some(error.to_string());
    }
    report.print()?;
    if report.passed() { Ok(()) } else { Err(CommandError::work("the run failed")) }
}

/// Connects, moves the file across in every way, disconnects, connects again, and goes with everything in
/// flight.
fn cross(
    fixture: &Fixture,
    options: &Options,
    route: Route,
    source: &Source,
    report: &mut Report,
) -> Result<(), Error> {
    let far = SocketAddr::new(route.far, route.port);
    let opening = Instant::now();
    let pair = fixture.pair(SocketAddr::new(route.near, 0), far).map_err(status("connect"))?;
    report.phase("open, connect", opening.elapsed());
    for way in WAYS {
        let bar = progress::bar(report::name(way), source.length);
        let moved = transfer::run(&pair, way, reopen(&source.path)?, source.length, |bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        report.crossed(way, &moved);
    }
    dump::write(options.dump.as_deref())?;
    let releasing = Instant::now();
    pair.release().map_err(status("disconnect"))?;
    report.phase("release", releasing.elapsed());
    let leaving = Instant::now();
    abandon(fixture, pair, far)?;
    report.phase("cleanup, close", leaving.elapsed());
    Ok(())
}

/// Connects again, and closes everything with requests of all kinds in flight.
fn abandon(fixture: &Fixture, pair: Pair, far: SocketAddr) -> Result<(), Error> {
    pair.establish(far).map_err(status("connect again"))?;
    flight::launch(fixture, pair, far)?.land()
}

fn status(what: &'static str) -> impl Fn(ntsim::io::StatusError) -> Error {
    move |status| Error::Status { what, status: status.0, outcome: None }
}
