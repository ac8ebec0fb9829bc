//! A stream of bytes from one adapter to the other, hashed at both ends.
//!
//! Two threads, one for either adapter, each with one chunk in hand: while the far one hashes what
//! arrived, the near one reads and hashes what comes next. So memory does not grow with the stream.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Operation;
use sha2::{Digest, Sha256};

use crate::{Error, Session};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The result of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Bytes moved.
    pub bytes: u64,
    /// The time that it took, with reading and hashing.
    pub time: Duration,
    /// The digest of what was read.
    pub sent: Hash,
    /// The digest of what arrived.
    pub arrived: Hash,
}

/// Moves `length` bytes of `source` across `session`, and tells `progress` of each chunk that arrived.
///
/// # Errors
/// What the near side or the far side failed with, whichever did so first.
///
/// # Panics
/// If a thread of the transfer panics.
pub fn run(
    session: &Session,
    operation: Operation,
    source: impl Read + Send,
    length: u64,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Transfer, Error> {
    let started = Instant::now();
    let (sent, arrived) = thread::scope(|scope| {
        let near = scope.spawn(|| transmit(session, operation, source, length, |_| ()));
        let far = collect(session, operation, length, |chunk| {
            progress(chunk.len() as u64);
            Ok(())
        });
        let near = near.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (near, far) {
            (Ok(sent), Ok(arrived)) => Ok((sent, arrived)),
            // A side that was cancelled, was so because the other one failed.
            (Err(near), Err(far)) if near.is_cancelled() => Err(far),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    })?;
    Ok(Transfer { bytes: length, time: started.elapsed(), sent, arrived })
}

/// Gives `length` bytes of `source` to the near adapter, and tells `progress` of each chunk that has left; the digest of
/// what was read.
///
/// # Errors
/// The status of a request, or what the source failed with.
pub fn transmit(
    session: &Session,
    operation: Operation,
    mut source: impl Read,
    length: u64,
    progress: impl Fn(u64),
) -> Result<Hash, Error> {
    let mut digest = Sha256::new();
    for_each_chunk(session, length, |chunk| {
        source.read_exact(chunk)?;
        digest.update(&*chunk);
        session.transmit(operation, chunk)?;
        progress(chunk.len() as u64);
        Ok(())
    })?;
    Ok(digest.finalize().into())
}

/// Takes `length` bytes from the far adapter, and gives each chunk to `sink`; the digest of what has arrived.
///
/// # Errors
/// The status of a request, or what the sink failed with.
pub fn collect(
    session: &Session,
    operation: Operation,
    length: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Hash, Error> {
    let mut digest = Sha256::new();
    for_each_chunk(session, length, |chunk| {
        session.collect(operation, chunk)?;
        digest.update(&*chunk);
        sink(chunk)
    })?;
    Ok(digest.finalize().into())
}

/// Cuts `length` bytes into chunks; both sides cut alike.
fn for_each_chunk(
    session: &Session,
    length: u64,
    mut each: impl FnMut(&mut [u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let most = u64::from(session.report().chunk_length);
    // Not zero, so that the pages are there before the first chunk is timed.
    let mut buffer = vec![0xa5; most.min(length) as usize];
    let mut left = length;
    while left > 0 {
        let chunk = left.min(most) as usize;
        each(&mut buffer[..chunk])?;
        left -= chunk as u64;
    }
    Ok(())
}
