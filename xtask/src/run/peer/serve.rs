//! `cargo xtask serve`: the side that the file goes to, and comes back from.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use runner::exchange::{self, Offer};
use runner::{Client, Error, Fixture, Incoming, PeerListener, Session};

use super::connect::{finish, nothing_left};
use super::machine::{check, end};
use super::received::Received;
use super::{CHUNK, Common, crossing, unusable};
use crate::failure::CommandError;
use crate::root;
use crate::run::options::{Route, Source, shown};
use crate::run::report::Report;

/// The address that is listened on if none is named: SMB Direct's port.
const AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5445);

/// The time of one wait for a peer.
const WAIT: Duration = Duration::from_secs(1);

/// The address, and the folder.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address and port to listen on: the address is one of this host's, a port of 0 is chosen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = AT)]
    at: SocketAddr,
    /// The folder that the file goes to; without it, target/softndk/received.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Listens until a peer has brought its file and has had it back.
pub(crate) fn serve(options: &Options) -> Result<(), CommandError> {
    let Options { at, dir, common } = options;
    check(*at)?;
    let folder = folder(dir.as_deref())?;
    common.check(None)?;
    let images = common.images()?;
    let booted = common.boot(&images, at.ip())?;
    let mut at = *at;
    let taken = match next(&booted.fixture, &mut at, &folder) {
        Ok(taken) => taken,
        Err(error) => return Err(nothing_left(booted.fixture, unusable::opening(at, &error))),
    };
    let Taken { session, peer, offer } = taken;
    let route = Route { near: peer.ip(), far: at.ip(), port: at.port() };
    let mut report = Report::of_peers(&offer.name, offer.length, route, common.json);
    report.phase("boot", booted.took);
    report.opened(session.report());
    let outcome = cross(&session, &offer, &folder, &mut report);
    finish(booted.fixture, session, peer, outcome, &mut report)
}

/// A file that a peer has offered, in a session that is open.
struct Taken {
    session: Session,
    peer: SocketAddr,
    offer: Offer,
}

/// Waits for a peer that offers a file. Each that does not is told in one line. The port is chosen once.
fn next(fixture: &Fixture, at: &mut SocketAddr, folder: &Path) -> Result<Taken, Error> {
    loop {
        let listener = Client::open(fixture)?.listen_peer(end(*at), CHUNK)?;
        *at = listener.local();
        // Those of a session that has failed were told with it.
        drop(fixture.machine().ended_connections());
        eprintln!("listening on {at}");
        let Some((session, peer)) = accept(fixture, &listener)? else { continue };
        match take_offer(&session, folder) {
            Ok(offer) => return Ok(Taken { session, peer, offer }),
            Err(error) => {
                eprintln!("{}", unusable::midway(peer, &error));
                session.close(protocol::Level::Passive)?;
            }
        }
    }
}

/// Takes the file that a peer offers, if there is a place for it.
fn take_offer(session: &Session, folder: &Path) -> Result<Offer, Error> {
    let offer = Offer::take(session)?;
    if folder.join(&offer.name).is_dir() {
        let reason = format!("{}: there is a folder of that name", offer.name);
        exchange::refuse(session, &reason)?;
        return Err(Error::Refused(reason));
    }
    Ok(offer)
}

/// Waits for a session; nothing if one has failed, and the listener with it. Connections that ended without a word of
/// iWARP are told, too.
fn accept(fixture: &Fixture, listener: &PeerListener) -> Result<Option<(Session, SocketAddr)>, Error> {
    // Those that were refused and have not ended, and those that have ended without having been refused yet.
    let (mut refused, mut ended) = (Vec::new(), Vec::new());
    loop {
        match listener.accept(WAIT)? {
            Incoming::Session(session, peer) => {
                ended.drain(..).for_each(tell_foreign);
                return Ok(Some((*session, peer)));
            }
            Incoming::Refused(peer, why) => {
                eprintln!("{peer}: refused: {why}");
                take(&mut ended, peer).unwrap_or_else(|| refused.push(peer));
            }
            Incoming::Failed(peer, error) => {
                let peer = peer.map_or_else(|| "a peer".to_owned(), |peer| peer.to_string());
                let why = unusable::reason(&error).map_or_else(|| error.to_string(), str::to_owned);
                eprintln!("{peer}: no session came about: {why}");
                return Ok(None);
            }
            // No connect request is left to be looked at: these have made none.
            Incoming::Nothing => ended.drain(..).for_each(tell_foreign),
        }
        for peer in fixture.machine().ended_connections() {
            take(&mut refused, peer).unwrap_or_else(|| ended.push(peer));
        }
    }
}

/// Takes a peer out of a list, if it is there.
fn take(list: &mut Vec<SocketAddr>, peer: SocketAddr) -> Option<()> {
    let at = list.iter().position(|one| *one == peer)?;
    list.swap_remove(at);
    Some(())
}

fn tell_foreign(peer: SocketAddr) {
    eprintln!("{peer}: refused: it does not speak iWARP");
}

/// Takes the file in every way, keeps it under its name, and sends it back in every way.
fn cross(session: &Session, offer: &Offer, folder: &Path, report: &mut Report) -> Result<(), Error> {
    let made = Received::new_in(folder);
    let file = match made {
        Ok(file) => file,
        Err(error) => {
            exchange::refuse(session, &format!("writing: {error}"))?;
            return Err(Error::Write(error));
        }
    };
    exchange::accept(session)?;
    crossing::into(session, offer.length, offer.hash, report, |chunk| {
        file.write(chunk).map_err(Error::Write)
    })?;
    let source = Source { path: file.path(), length: offer.length };
    crossing::out(session, &source, report)?;
    if report.is_intact() { file.keep(folder, &offer.name).map_err(Error::Write) } else { Ok(()) }
}

/// The folder, in which a file can be made.
fn folder(named: Option<&Path>) -> Result<PathBuf, CommandError> {
    let folder = named.map_or_else(|| root().join("target/softndk/received"), Path::to_owned);
    match fs::create_dir_all(&folder).and_then(|()| Received::new_in(&folder)) {
        Ok(_removed) => Ok(folder),
        Err(error) => Err(CommandError::Usage(format!("{}: {error}", shown(&folder)))),
    }
}
