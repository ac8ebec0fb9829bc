//! `cargo xtask connect`: the side that has the file.

use core::net::SocketAddr;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::time::Instant;

use protocol::Level;
use runner::exchange::{Offer, check_name};
use runner::transfer::Hash;
use runner::{Client, Error, Fixture, Session};
use sha2::{Digest, Sha256};

use super::machine::{check, end, own_address};
use super::{CHUNK, Common, crossing, unusable};
use crate::failure::CommandError;
use crate::run::options::{Route, Source, shown};
use crate::run::report::Report;
use crate::run::{memory, progress};

/// The peer, and the file.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address and port at which `cargo xtask serve` listens.
    at: SocketAddr,
    /// The file that goes there, and comes back.
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Connects, sends the file in every way, and has it back in every way.
pub(crate) fn connect(options: &Options) -> Result<(), CommandError> {
    let Options { at, file, common } = options;
    let source = Source::open(file)?;
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    check_name(&name).map_err(|error| CommandError::Usage(format!("{}: {error}", shown(file))))?;
    check(*at)?;
    if at.port() == 0 {
        return Err(CommandError::Usage(format!("{at}: name the port at which it listens")));
    }
    let own = own_address(*at)?;
    common.check(Some(file))?;
    let images = common.images()?;
    let hashing = Instant::now();
    let hash = digest(&source).map_err(|error| CommandError::Usage(format!("{}: {error}", shown(file))))?;
    let hashing = hashing.elapsed();

    let booted = common.boot(&images, own.ip())?;
    let connecting = Instant::now();
    let session = Client::open(&booted.fixture).and_then(|client| client.connect_peer(end(own), *at, CHUNK));
    let session = match session {
        Ok(session) => session,
        Err(error) => return Err(nothing_left(booted.fixture, unusable::opening(*at, &error))),
    };
    let route = Route { near: own.ip(), far: at.ip(), port: at.port() };
    let mut report = Report::of_peers(&name, source.length, route, common.json);
    report.phase("hash", hashing);
    report.phase("boot", booted.took);
    report.phase("connect", connecting.elapsed());
    report.opened(session.report());
    let offer = Offer { name, length: source.length, hash };
    let outcome = cross(&session, &offer, &source, &mut report);
    finish(booted.fixture, session, *at, outcome, &mut report)
}

fn cross(session: &Session, offer: &Offer, source: &Source, report: &mut Report) -> Result<(), Error> {
    offer.make(session)?;
    crossing::out(session, source, report)?;
    crossing::into(session, source.length, offer.hash, report, |_| Ok(()))
}

/// The digest of the whole file.
fn digest(source: &Source) -> std::io::Result<Hash> {
    let bar = progress::bar("hash", source.length);
    let mut file = BufReader::new(File::open(&source.path)?);
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; CHUNK as usize]);
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        digest.update(&buffer[..length]);
        bar.inc(length as u64);
    }
    bar.finish_and_clear();
    Ok(digest.finalize().into())
}

/// Shuts down a machine in which nothing came about, for a reason that stands unless it finds something.
pub(super) fn nothing_left(fixture: Fixture, why: CommandError) -> CommandError {
    let found = fixture.shut_down();
    match found.capture_error {
        _ if !found.is_clean() => CommandError::work(format!("{why}\n{found}")),
        Some(error) => CommandError::Usage(error),
        None => why,
    }
}

/// Closes the session, shuts the machine down and prints the report.
pub(super) fn finish(
    fixture: Fixture,
    session: Session,
    peer: SocketAddr,
    outcome: Result<(), Error>,
    report: &mut Report,
) -> Result<(), CommandError> {
    if let Ok(counters) = session.counters() {
        report.counted(&counters);
    }
    let closing = Instant::now();
    match session.close(Level::Dispatch) {
        Ok(closed) => report.closed(&closed),
        Err(error) => report.failed(&error),
    }
    report.phase("close", closing.elapsed());
    let stopping = Instant::now();
    let found = fixture.shut_down();
    report.phase("halt, unload", stopping.elapsed());
    report.run.found(&found);
    report.run.peak_resident_bytes = memory::peak();
    let ended = outcome.map_err(|error| {
        report.failed(&error);
        unusable::midway(peer, &error)
    });
    report.print()?;
    ended?;
    if !report.is_intact() {
        return Err(CommandError::work(
            "a digest is another one: a byte has changed on its way, or FILE while it was read",
        ));
    }
    if !report.passed() {
        return Err(CommandError::work("the run failed"));
    }
    found.capture_error.map_or(Ok(()), |error| Err(CommandError::Usage(error)))
}
