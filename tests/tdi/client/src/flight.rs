//! Files that go while everything is in flight.

use std::net::SocketAddr;

use ntsim::io::{File, StatusError};
use runner::Error;
use sys::status::{STATUS_CANCELLED, STATUS_PENDING};
use sys::tdi::{TDI_DISCONNECT_RELEASE, TDI_QUERY_ACCEPT};

use crate::datagram::receive_datagram;
use crate::fixture::failed;
use crate::request::{Request, connect, disconnect, listen, receive, send};
use crate::{Fixture, Pair};

/// More than the peer's buffers hold, so that a send of it waits for receives.
const LONG: usize = 300_000;
/// Requests of one kind that wait at a time.
const EACH: usize = 4;

/// A file, with its requests.
struct Loaded {
    file: File,
    requests: Vec<Request>,
}

/// Receives of datagrams that wait on an address.
const DATAGRAMS: usize = 2;

/// Clients that have requests of every kind that can wait in flight.
#[must_use]
pub struct Flight {
    endpoints: Vec<Loaded>,
    addresses: [Loaded; 2],
}

impl core::fmt::Debug for Flight {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Flight").field("endpoints", &self.endpoints.len()).finish_non_exhaustive()
    }
}

/// Sends requests of every kind that can wait: sends and receives, receives of datagrams, a release, a listen,
/// and a connect that is never accepted. Some of the sends and receives are cancelled.
///
/// # Errors
///
/// The status of what has to succeed before.
pub fn launch(fixture: &Fixture, pair: Pair, far_at: SocketAddr) -> Result<Flight, Error> {
    let opened = |status: StatusError| failed("open an endpoint", status.0);
    let Pair { near, far, near_address, far_address } = pair;
    let mut requests: Vec<Request> = Vec::new();
    requests.extend((0..EACH).map(|_| send(&near, vec![1; LONG])));
    requests.extend((0..EACH).map(|_| receive(&near, 100)));
    // The last of either kind has not begun, so it goes alone.
    requests[EACH - 1].cancel();
    requests[2 * EACH - 1].cancel();
    // It waits for the sends.
    requests.push(disconnect(&near, TDI_DISCONNECT_RELEASE));
    let near = Loaded { file: near, requests };
    let far = Loaded { file: far, requests: Vec::new() };

    let asking = fixture.associated(&far_address, 0xC).map_err(opened)?;
    let offer = listen(&asking, TDI_QUERY_ACCEPT);
    let connecting = fixture.associated(&near_address, 0xD).map_err(opened)?;
    let connected = connect(&connecting, far_at);
    let status = offer.status();
    if status != 0 {
        return Err(failed("listen", status));
    }
    let listening = fixture.associated(&far_address, 0xE).map_err(opened)?;
    let listens = listen(&listening, 0);
    // The one that connects goes before the one that could accept, so that nothing but its cleanup ends it.
    let endpoints = vec![
        near,
        far,
        Loaded { file: connecting, requests: vec![connected] },
        Loaded { file: asking, requests: Vec::new() },
        Loaded { file: listening, requests: vec![listens] },
    ];
    let addresses = [near_address, far_address].map(|file| {
        let requests = (0..DATAGRAMS).map(|_| receive_datagram(&file, None, 100)).collect();
        Loaded { file, requests }
    });
    Ok(Flight { endpoints, addresses })
}

impl Flight {
    /// Closes all files, endpoints first, without another word.
    ///
    /// # Errors
    ///
    /// If a request outlives its file's cleanup, or completes in another way than tabled.
    pub fn land(self) -> Result<(), Error> {
        for Loaded { file, requests } in self.endpoints.into_iter().chain(self.addresses) {
            drop(file);
            for request in requests {
                let status = request.outcome().map_or(STATUS_PENDING, |outcome| outcome.status);
                if status != STATUS_CANCELLED {
                    return Err(failed("a request in flight at the cleanup of its file", status));
                }
            }
        }
        Ok(())
    }
}
