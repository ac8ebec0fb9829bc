//! A network in a box: connections between the machines of one test, which nothing but the test disturbs.
//!
//! Whatever is to happen waits in the queue of the [manual](crate::manual) kernel, so [`pump`](crate::pump) carries
//! bytes. A test may cut what arrives ([`Pipe::cut`]), keep bytes on their way ([`Pipe::hold`]), and be a peer itself, by
//! the calls that the provider makes.

#![expect(unsafe_code, reason = "a network makes promises")]

mod end;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use softndk_kernel::network::{Batch, ConnectionEvents, LocalEnd, Network, PortEvents, Purpose};
use sys::status::{NTSTATUS, STATUS_SHARING_VIOLATION};

use crate::manual::enqueue;
use end::End;

/// The network, which all machines of a test share.
#[derive(Clone, Debug)]
pub struct Pipe(Arc<Mutex<Hub>>);

/// The part of the network that connections share.
#[derive(Debug)]
struct Hub {
    ports: HashMap<SocketAddr, Arc<Mutex<Taken>>>,
    next_port: u16,
    /// The most bytes of each indication, one after the other; `usize::MAX` cuts nothing.
    cuts: Vec<usize>,
    indications: usize,
    held: Vec<Arc<End>>,
    is_held: bool,
    /// The payload of a segment.
    segment: u32,
}

/// A port that is taken.
struct Taken {
    purpose: Purpose,
    events: Option<Arc<PortEvents<Pipe>>>,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.purpose)
    }
}

/// A batch, of this room.
#[derive(Debug)]
pub struct PipeBatch {
    bytes: Vec<u8>,
    length: usize,
    tag: u64,
}

/// A connection.
#[derive(Debug)]
pub struct PipeConnection(Arc<End>);

/// A port.
#[derive(Debug)]
pub struct PipePort {
    hub: Pipe,
    at: Arc<Mutex<Option<SocketAddr>>>,
}

/// Locks, also after a test has failed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Pipe {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipe {
    /// A network without connections.
    #[must_use]
    pub fn new() -> Self {
        let hub = Hub {
            ports: HashMap::new(),
            next_port: 50_000,
            cuts: vec![usize::MAX],
            indications: 0,
            held: Vec::new(),
            is_held: false,
            segment: 1460,
        };
        Self(Arc::new(Mutex::new(hub)))
    }

    /// Sets the most bytes of each indication from now on, used in turns.
    pub fn cut(&self, cuts: &[usize]) {
        lock(&self.0).cuts = cuts.to_vec();
    }

    /// Sets the payload of a segment (EMSS), for connections that open later.
    pub fn set_segment(&self, segment: u32) {
        lock(&self.0).segment = segment;
    }

    /// Keeps all batches that are sent from now on with TCP, or lets them go on.
    pub fn hold(&self, holds: bool) {
        let held = {
            let mut hub = lock(&self.0);
            hub.is_held = holds;
            if holds { Vec::new() } else { std::mem::take(&mut hub.held) }
        };
        for end in held {
            enqueue(move || end.carry());
        }
    }

    /// The most bytes of the next indication.
    fn next_cut(&self) -> usize {
        let mut hub = lock(&self.0);
        hub.indications = hub.indications.wrapping_add(1);
        let turn = hub.indications % hub.cuts.len();
        hub.cuts[turn].max(1)
    }

    /// The address with a port of its own, if it has none; `None` if the one that it names is taken.
    fn claim(&self, address: SocketAddr) -> Option<SocketAddr> {
        let mut hub = lock(&self.0);
        let mut address = address;
        while address.port() == 0 {
            hub.next_port += 1;
            let tried = SocketAddr::new(address.ip(), hub.next_port);
            if !hub.ports.contains_key(&tried) {
                address = tried;
            }
        }
        (!hub.ports.contains_key(&address)).then_some(address)
    }
}

impl Batch for PipeBatch {
    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn set_length(&mut self, length: usize) {
        self.length = length.min(self.bytes.len());
    }

    fn length(&self) -> usize {
        self.length
    }

    fn set_tag(&mut self, tag: u64) {
        self.tag = tag;
    }

    fn tag(&self) -> u64 {
        self.tag
    }
}

impl Drop for PipePort {
    fn drop(&mut self) {
        // A port that has begun is dropped after `closed`, which has forgotten it.
        assert!(lock(&self.at).is_none(), "a port is closed before it is dropped");
    }
}

// SAFETY: the calls up come from the queue of the manual kernel, one after the other and in the order of the trait's
// module; what is given back once is kept in an `Option`.
unsafe impl Network for Pipe {
    type Connection = PipeConnection;
    type Port = PipePort;
    type Batch = PipeBatch;

    fn connection(&self) -> Result<PipeConnection, NTSTATUS> {
        Ok(PipeConnection(Arc::new(End::new(self.clone()))))
    }

    fn batch(&self, room: usize) -> Result<PipeBatch, NTSTATUS> {
        Ok(PipeBatch { bytes: vec![0; room], length: 0, tag: 0 })
    }

    fn port(&self) -> Result<PipePort, NTSTATUS> {
        Ok(PipePort { hub: self.clone(), at: Arc::default() })
    }

    fn connect(on: &PipeConnection, from: LocalEnd, to: SocketAddr, events: ConnectionEvents<Self>) {
        on.0.begin(events);
        let end = on.0.clone();
        enqueue(move || end.connect(from, to));
    }

    fn send(on: &PipeConnection, batch: PipeBatch) {
        on.0.send(batch);
    }

    fn resume(on: &PipeConnection) {
        on.0.resume();
    }

    fn finish(on: &PipeConnection) {
        on.0.finish();
    }

    fn abort(on: &PipeConnection) {
        let end = on.0.clone();
        enqueue(move || end.abort());
    }

    fn segment(on: &PipeConnection) -> u32 {
        lock(&on.0.hub().0).segment
    }

    fn open(port: &PipePort, at: SocketAddr, purpose: Purpose, events: PortEvents<Self>) {
        let hub = port.hub.clone();
        let events = Arc::new(events);
        // Taken at once, so that a close finds it.
        let taken = hub.claim(at);
        if let Some(at) = taken {
            let entry = Taken { purpose, events: Some(events.clone()) };
            lock(&hub.0).ports.insert(at, Arc::new(Mutex::new(entry)));
            *lock(&port.at) = Some(at);
        }
        let place = port.at.clone();
        enqueue(move || {
            let outcome = match taken {
                Some(at) if events.bound(at) => Ok(()),
                Some(_) | None => Err(STATUS_SHARING_VIOLATION),
            };
            events.opened(outcome);
            if outcome.is_ok() {
                return;
            }
            *lock(&place) = None;
            match taken {
                Some(at) => {
                    drop(events);
                    hub.forget(at);
                }
                None => end_port(events),
            }
        });
    }

    fn close(port: &PipePort) {
        let at = lock(&port.at).take();
        if let Some(at) = at {
            let hub = port.hub.clone();
            enqueue(move || hub.forget(at));
        }
    }
}

impl Pipe {
    /// A port is closed: its last call.
    fn forget(&self, at: SocketAddr) {
        let taken = lock(&self.0).ports.remove(&at);
        let events = taken.and_then(|taken| lock(&taken).events.take());
        if let Some(events) = events {
            end_port(events);
        }
    }

    /// The listener at an address.
    fn listener(&self, at: SocketAddr) -> Option<Arc<PortEvents<Self>>> {
        let taken = lock(&self.0).ports.get(&at).cloned()?;
        let taken = lock(&taken);
        if taken.purpose == Purpose::Listen { taken.events.clone() } else { None }
    }
}

/// The last call of a port, when no other one of it runs.
fn end_port(events: Arc<PortEvents<Pipe>>) {
    match Arc::try_unwrap(events) {
        Ok(events) => events.closed(),
        Err(events) => enqueue(move || end_port(events)),
    }
}
