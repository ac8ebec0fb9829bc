//! A stream of bytes from one end of a connection to the other, hashed at both ends.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use ntsim::io::{File, StatusError};
use ntsim::sched;
use runner::Error;
use runner::transfer::{Hash, Transfer};
use sha2::{Digest, Sha256};
use sys::status::STATUS_SUCCESS;
use sys::tdi::TDI_EVENT_RECEIVE;

use crate::event::Taken;
use crate::fixture::failed;
use crate::request::{Request, receive, send};
use crate::{Pair, event};

/// Bytes of one request.
const CHUNK: usize = 256 << 10;
/// Requests under way at each end.
const WINDOW: usize = 4;
/// The time without arriving data after which the transfer is given up.
const DATA_TIMEOUT: Duration = Duration::from_secs(30);

/// The far client's way of taking arriving data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// By receive requests that wait for it.
    Requests,
    /// By a handler that is shown it.
    Events,
}

/// Moves `length` bytes of `source` from the near end of `pair` to its far end, and tells `progress` of what
/// arrives.
///
/// # Errors
///
/// The failure of the near side or the far side.
///
/// # Panics
///
/// If a thread of the transfer panics.
pub fn run(
    pair: &Pair,
    way: Way,
    source: impl Read + Send,
    length: u64,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Transfer, Error> {
    let started = Instant::now();
    let watch = match way {
        Way::Requests => None,
        Way::Events => Some(watch(&pair.far_address)?),
    };
    let (sent, arrived) = thread::scope(|scope| {
        let near = scope.spawn(|| transmit(&pair.near, source, length));
        let arrived = match watch {
            None => collect(&pair.far, length, &progress),
            Some(watch) => await_all(&pair.far_address, watch, length, &progress),
        };
        let sent = near.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, Error>((sent?, arrived?))
    })?;
    Ok(Transfer { bytes: length, time: started.elapsed(), sent, arrived })
}

/// Sends everything; returns what it hashes to.
fn transmit(file: &File, mut source: impl Read, length: u64) -> Result<Hash, Error> {
    let _attached = sched::attach("near client");
    let mut digest = Sha256::new();
    let mut under_way = VecDeque::new();
    let mut left = length;
    while left > 0 {
        if under_way.len() == WINDOW {
            finish(under_way.pop_front())?;
        }
        let mut chunk = vec![0; chunk_of(left)];
        source.read_exact(&mut chunk)?;
        digest.update(&chunk);
        left -= chunk.len() as u64;
        under_way.push_back((chunk.len(), send(file, chunk)));
    }
    while !under_way.is_empty() {
        finish(under_way.pop_front())?;
    }
    Ok(digest.finalize().into())
}

fn finish(sent: Option<(usize, Request)>) -> Result<(), Error> {
    let Some((sent, request)) = sent else { return Ok(()) };
    let completed = request.wait();
    if completed.status != STATUS_SUCCESS {
        return Err(failed("send", completed.status));
    }
    if completed.information != sent {
        return Err(Error::Short { what: "send", arrived: completed.information, sent });
    }
    Ok(())
}

/// The length of the next chunk of `left` bytes.
fn chunk_of(left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK)
}

/// Receives everything by requests, of which never more wait than what is still to come.
fn collect(file: &File, length: u64, progress: impl Fn(u64)) -> Result<Hash, Error> {
    let mut digest = Sha256::new();
    let mut under_way = VecDeque::new();
    let (mut asked, mut left) = (0, length);
    while left > 0 {
        // A receive completes with less than it asked for; what it leaves is asked for again.
        while under_way.len() < WINDOW && asked < left {
            let chunk = chunk_of(left - asked);
            asked += chunk as u64;
            under_way.push_back((chunk, receive(file, u32::try_from(chunk).unwrap_or(u32::MAX))));
        }
        let Some((chunk, request)) = under_way.pop_front() else { break };
        let completed = request.wait();
        if completed.status != STATUS_SUCCESS {
            return Err(failed("receive", completed.status));
        }
        digest.update(&completed.data[..completed.information]);
        asked -= chunk as u64;
        left -= completed.information as u64;
        progress(completed.information as u64);
    }
    Ok(digest.finalize().into())
}

/// A handler's hash of everything so far, and how much that was, at each of its calls.
struct Watch {
    digest: &'static Mutex<Sha256>,
    shown: Receiver<usize>,
}

/// Lets a handler of the address take what arrives.
fn watch(address: &File) -> Result<Watch, Error> {
    let digest: &'static Mutex<Sha256> = Box::leak(Box::default());
    let (tell, shown) = channel();
    let tell = Mutex::new(tell);
    let handler = move |data: &[u8], _available: usize| {
        if let (Ok(mut digest), Ok(tell)) = (digest.lock(), tell.lock()) {
            digest.update(data);
            // The waiter may have given up.
            let _ = tell.send(data.len());
        }
        Taken::bytes(data.len())
    };
    event::on_receive(address, Box::leak(Box::new(handler))).map_err(set)?;
    Ok(Watch { digest, shown })
}

/// Waits until the handler was shown everything, and takes it back.
fn await_all(address: &File, watch: Watch, length: u64, progress: impl Fn(u64)) -> Result<Hash, Error> {
    let mut left = length;
    while left > 0 {
        let Ok(shown) = watch.shown.recv_timeout(DATA_TIMEOUT) else {
            let [arrived, sent] =
                [length - left, length].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
            return Err(Error::Short { what: "receive event", arrived, sent });
        };
        left -= shown as u64;
        progress(shown as u64);
    }
    event::off(address, TDI_EVENT_RECEIVE).map_err(set)?;
    let digest = watch.digest.lock().map(|digest| digest.clone()).unwrap_or_default();
    Ok(digest.finalize().into())
}

fn set(status: StatusError) -> Error {
    failed("set a receive handler", status.0)
}
