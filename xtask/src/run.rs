//! `cargo xtask run`: boots the drivers in the simulator and moves a file through them, in every way that
//! NDKPI has; or with `--tdi` over the legacy path.

mod format;
mod legacy;
mod memory;
mod options;
mod peer;
mod progress;
mod report;
mod run_report;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Instant;

use protocol::{Level, Operation, Outcome, SessionCounters, TransferCounters};
use runner::transfer::{self, Transfer};
use runner::{Client, Error, Fixture, Images, Place, Session};

pub(crate) use self::options::Options;
use self::options::{Route, Source};
pub(crate) use self::peer::{ConnectOptions, ServeOptions, connect, serve};
use self::report::{Crossing, Report};
use crate::{build, dump, failure::CommandError};

/// The interface indices of the two adapters.
const NEAR_INDEX: u32 = 12;
const FAR_INDEX: u32 = 15;

/// The longest chunk that is moved at once: about what a processor's cache holds. Larger ones are slower,
/// by any way across.
const CHUNK: u32 = 1 << 20;

/// The ways across, the first of which is what the others are measured against.
const WAYS: [Operation; 5] =
    [Operation::Copy, Operation::Send, Operation::Write, Operation::Read, Operation::SmbDirect];

/// Builds the drivers and moves the file.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let route = options.route()?;
    let given = options.file.as_deref().map(Source::open).transpose()?;
    let images = match &options.images {
        Some(folder) => build::Images { folder: folder.clone() },
        None => build::build()?,
    };
    let source = match given {
        Some(source) => source,
        None => Source::open(&images.image("softndk"))?,
    };
    let images = Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") };
    if let Some(path) = &options.dump {
        dump::prepare(path)?;
    }
    if options.tdi {
        legacy::run(options, route, &source, &images)
    } else {
        rdma(options, route, &source, &images)
    }
}

/// Moves the file through NDKPI.
fn rdma(options: &Options, route: Route, source: &Source, images: &Images) -> Result<(), CommandError> {
    let mut report = Report::new(source, route, options.json);
    let booted = Instant::now();
    let places = [Place::new(NEAR_INDEX, route.near), Place::new(FAR_INDEX, route.far)];
    let fixture = Fixture::boot(images, &places).map_err(|error| CommandError::work(error.to_string()))?;
    report.phase("boot", booted.elapsed());

    let outcome = cross(&fixture, options, source, &mut report);

    let stopping = Instant::now();
    let found = fixture.shut_down();
    report.phase("halt, unload", stopping.elapsed());
    report.run.found(&found);
    report.run.peak_resident_bytes = memory::peak();
    if let Err(error) = outcome {
        report.failed(&error);
    }
    report.print()?;
    if report.passed() { Ok(()) } else { Err(CommandError::work("the run failed")) }
}

/// Opens a session, moves the file across in every way, and closes the session.
fn cross(fixture: &Fixture, options: &Options, source: &Source, report: &mut Report) -> Result<(), Error> {
    let opening = Instant::now();
    let client = Client::open(fixture)?;
    let [near, far] = options.route_ends(NEAR_INDEX, FAR_INDEX);
    let session = client.open_session(near, far, CHUNK)?;
    report.opened(session.report());
    report.phase("open, connect", opening.elapsed());
    for way in WAYS {
        let bar = progress::bar(report::name(way), source.length);
        let moved = move_file(&session, way, source, &bar)?;
        bar.finish_and_clear();
        let counters = session.counters()?;
        report.crossed(Crossing::new(way, &moved, tally(&counters, way), counters.frequency));
    }
    report.counted(&session.counters()?);
    dump::write(options.dump.as_deref())?;
    let closing = Instant::now();
    let outcome: Outcome = session.close(Level::Dispatch)?;
    report.closed(&outcome);
    report.phase("close", closing.elapsed());
    Ok(())
}

fn move_file(
    session: &Session,
    way: Operation,
    source: &Source,
    bar: &indicatif::ProgressBar,
) -> Result<Transfer, Error> {
    let file = reopen(&source.path)?;
    transfer::run(session, way, file, source.length, |bytes| bar.inc(bytes))
}

fn reopen(path: &Path) -> Result<impl Read + Send, std::io::Error> {
    File::open(path).map(BufReader::new)
}

fn tally(counters: &SessionCounters, way: Operation) -> TransferCounters {
    match way {
        Operation::Send => counters.send,
        Operation::Write => counters.write,
        Operation::Read => counters.read,
        Operation::Copy => counters.copy,
        Operation::SmbDirect => counters.smb_direct,
    }
}
