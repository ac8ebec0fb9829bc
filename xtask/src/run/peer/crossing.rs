//! The file in one direction, in every way.

use core::cell::Cell;
use std::time::Instant;

use protocol::Operation;
use runner::exchange::{hear_arrived, tell_arrived, tell_lost};
use runner::transfer::{self, Hash, Transfer};
use runner::{Error, Session};

use super::WAYS;
use crate::run::report::{Crossing, Direction, Report, name};
use crate::run::{options::Source, progress, reopen, tally};

/// Sends the file to the peer in every way. What the peer says that it got is compared with what was read.
pub(super) fn out(session: &Session, source: &Source, report: &mut Report) -> Result<(), Error> {
    for way in WAYS {
        let bar = progress::bar(name(way), source.length);
        let started = Instant::now();
        let file = reopen(&source.path)?;
        let sent = transfer::transmit(session, way, file, source.length, |bytes| bar.inc(bytes))?;
        let arrived = hear_arrived(session)?;
        bar.finish_and_clear();
        let moved = Transfer { bytes: source.length, time: started.elapsed(), sent, arrived };
        crossed(session, way, Direction::Out, &moved, report)?;
    }
    Ok(())
}

/// Takes a file of `length` bytes with the digest `expected` in every way; `keep` gets its bytes, the first time. The peer
/// is told where they cannot be kept.
pub(super) fn into(
    session: &Session,
    length: u64,
    expected: Hash,
    report: &mut Report,
    mut keep: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let first = Cell::new(true);
    for way in WAYS {
        let bar = progress::bar(name(way), length);
        let started = Instant::now();
        let mut lost = None;
        let arrived = transfer::collect(session, way, length, |chunk| {
            bar.inc(chunk.len() as u64);
            if first.get() && lost.is_none() {
                lost = keep(chunk).err();
            }
            Ok(())
        })?;
        if let Some(error) = lost {
            tell_lost(session, &error.to_string())?;
            return Err(error);
        }
        first.set(false);
        tell_arrived(session, &arrived)?;
        bar.finish_and_clear();
        let moved = Transfer { bytes: length, time: started.elapsed(), sent: expected, arrived };
        crossed(session, way, Direction::In, &moved, report)?;
    }
    Ok(())
}

fn crossed(
    session: &Session,
    way: Operation,
    direction: Direction,
    moved: &Transfer,
    report: &mut Report,
) -> Result<(), Error> {
    let counters = session.counters()?;
    report.crossed(Crossing::directed(way, direction, moved, tally(&counters, way), counters.frequency));
    Ok(())
}
