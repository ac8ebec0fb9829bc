//! The built driver as softndk's side: it runs in a simulated machine whose sockets are the host's, and the harness driver
//! is its consumer.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use interop::{Counts, Rights};
use iwarp::ddp::Stag;
use iwarp::rdmap::SendKind;
use ntsim::Machine;
use protocol::{Endpoint, MANUAL_DEPTH, Outcome, PEER_INVALIDATES, PEER_READS, PEER_WRITES};
use runner::{Client, Fixture, Images, Manual, Memory, Remote};

use super::meeting::{Counted, DATA, Ours, PATIENCE, Place, Side, must};
use crate::failure::CommandError;

/// The interface index of the adapter.
const INDEX: u32 = 12;

/// The room of a receive.
const RECEIVE: u32 = 1 << 16;

/// The room for what is sent, written and read.
const SCRATCH: u32 = 1 << 20;

/// A machine in which the drivers run.
pub(super) struct Driver {
    fixture: Fixture,
    listening: Option<DriverSide>,
}

impl Driver {
    /// Boots the machine; its adapter has the host's loopback address, and asks for CRCs or does not.
    pub(super) fn boot(images: &Images, crc: bool) -> Result<Self, CommandError> {
        let place = runner::Place::new(INDEX, IpAddr::V4(Ipv4Addr::LOCALHOST)).wire().crc(crc);
        let fixture = Fixture::on(Machine::builder().host_sockets().boot(), images, &[place]);
        let fixture = fixture.map_err(|(error, _)| work(error))?;
        Ok(Self { fixture, listening: None })
    }

    /// Shuts the machine down; nothing may have been found in it.
    pub(super) fn shut_down(self) -> Result<(), CommandError> {
        let Self { fixture, listening } = self;
        drop(listening);
        let found = fixture.shut_down();
        if found.is_clean() { Ok(()) } else { Err(CommandError::work(found.to_string())) }
    }

    fn open(&self) -> Result<DriverSide, CommandError> {
        let own = Endpoint::new(INDEX, IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let manual = Client::open(&self.fixture).and_then(|client| client.open_manual(own)).map_err(work)?;
        let inbox = manual.memory(RECEIVE * MANUAL_DEPTH, 0).map_err(work)?;
        for slot in 0..MANUAL_DEPTH {
            manual.receive(inbox.part(slot * RECEIVE, RECEIVE)).map_err(work)?;
        }
        let scratch = manual.memory(SCRATCH, 0).map_err(work)?;
        Ok(DriverSide {
            manual,
            private: vec![],
            inbox,
            slot: 0,
            scratch,
            used: 0,
            reads: VecDeque::new(),
            exposed: BTreeMap::new(),
            is_over: false,
            sent: Counts::default(),
            received: Counts::default(),
        })
    }
}

impl Ours for Driver {
    type Side = DriverSide;

    fn connect(&mut self, at: SocketAddr) -> Result<DriverSide, CommandError> {
        let mut side = self.open()?;
        side.private = side.manual.connect(at, DATA).map_err(work)?;
        Ok(side)
    }

    fn listen(&mut self) -> Result<u16, CommandError> {
        let side = self.open()?;
        let port = side.manual.listen().map_err(work)?.port();
        self.listening = Some(side);
        Ok(port)
    }

    fn accept(&mut self) -> Result<DriverSide, CommandError> {
        let mut side = self.listening.take().ok_or_else(|| CommandError::work("nothing listens"))?;
        let data = side.manual.accept(PATIENCE, DATA).map_err(work)?;
        side.private = data.ok_or_else(|| CommandError::work("the guest does not connect"))?;
        Ok(side)
    }
}

/// A connection of the driver, of which the harness driver does what is said here.
pub(super) struct DriverSide {
    manual: Manual,
    private: Vec<u8>,
    /// The receives, one behind the other, and the one that is filled next.
    inbox: Memory,
    slot: u32,
    /// The place for what leaves from here and for what is read, and how much of it is in use.
    scratch: Memory,
    used: u32,
    /// The reads that are outstanding: where they go to, and how long they are.
    reads: VecDeque<(u32, u32)>,
    /// Memory that the peer is let at, and its length, by tokens.
    exposed: BTreeMap<u32, (Memory, usize)>,
    is_over: bool,
    sent: Counts,
    received: Counts,
}

impl DriverSide {
    /// Finds room in the scratch memory, all of which is free when no read is outstanding.
    fn room(&mut self, length: usize) -> Result<u32, CommandError> {
        if self.reads.is_empty() {
            self.used = 0;
        }
        let (at, length) = (self.used, u32::try_from(length).unwrap_or(u32::MAX));
        let used = at.checked_add(length).filter(|used| *used <= SCRATCH);
        self.used = used.ok_or_else(|| CommandError::work("no more room for what is moved"))?;
        Ok(at)
    }

    /// Puts bytes where they leave from.
    fn put(&mut self, mut bytes: Vec<u8>) -> Result<runner::Part, CommandError> {
        must(self.reads.is_empty(), "a read is awaited before something else is posted")?;
        let (at, length) = (self.room(bytes.len())?, bytes.len() as u32);
        self.manual.put(&self.scratch, at, &mut bytes).map_err(work)?;
        Ok(self.scratch.part(at, length))
    }

    /// Waits for the request that was posted first.
    fn done(&self) -> Result<(), CommandError> {
        let until = Instant::now() + PATIENCE;
        while !self.manual.done().map_err(work)? {
            must(Instant::now() < until, "a request of the driver's ends in time")?;
        }
        Ok(())
    }

    fn memory(&mut self, length: usize, flags: u32) -> Result<(Memory, Place), CommandError> {
        let memory = self.manual.memory(length as u32, flags).map_err(work)?;
        self.exposed.insert(memory.token, (memory, length));
        Ok((memory, Place { stag: Stag(memory.token), offset: memory.address }))
    }
}

impl Side for DriverSide {
    fn private(&self) -> &[u8] {
        &self.private
    }

    fn send(&mut self, kind: SendKind, bytes: Vec<u8>) -> Result<(), CommandError> {
        let part = self.put(bytes)?;
        self.manual.send(part, kind.solicited, kind.invalidate.map(|stag| stag.0)).map_err(work)?;
        self.sent.add(opcode(kind));
        self.done()
    }

    fn received(&mut self, kind: SendKind) -> Result<Vec<u8>, CommandError> {
        let until = Instant::now() + PATIENCE;
        let arrival = loop {
            if let Some(arrival) = self.manual.arrival().map_err(work)? {
                break arrival;
            }
            must(Instant::now() < until, "a message comes in time")?;
        };
        // NDK does not say whether a message asked for an event: tshark counts those that did.
        must(arrival.invalidated == kind.invalidate.map(|stag| stag.0), "the message ends what it should")?;
        self.received.add(opcode(kind));
        let at = self.slot * RECEIVE;
        let bytes = self.manual.get(&self.inbox, at, arrival.length as usize).map_err(work)?;
        self.manual.receive(self.inbox.part(at, RECEIVE)).map_err(work)?;
        self.slot = (self.slot + 1) % MANUAL_DEPTH;
        Ok(bytes)
    }

    fn expose(&mut self, mut bytes: Vec<u8>, rights: Rights) -> Result<Place, CommandError> {
        let read = if rights.read { PEER_READS } else { 0 };
        let write = if rights.write { PEER_WRITES } else { 0 };
        let (memory, place) = self.memory(bytes.len(), read | write)?;
        self.manual.put(&memory, 0, &mut bytes).map_err(work)?;
        Ok(place)
    }

    fn expose_once(&mut self, length: usize) -> Result<Place, CommandError> {
        let flags = PEER_READS | PEER_WRITES | PEER_INVALIDATES;
        self.memory(length, flags).map(|(_, place)| place)
    }

    fn exposed(&mut self, place: Place) -> Result<Vec<u8>, CommandError> {
        let (memory, length) =
            self.exposed.get(&place.stag.0).ok_or_else(|| CommandError::work("no such memory"))?;
        self.manual.get(memory, 0, *length).map_err(work)
    }

    fn was_written(&mut self) {
        self.received.add(WRITE);
    }

    fn was_read(&mut self) {
        self.received.add(READ_REQUEST);
        self.sent.add(READ_RESPONSE);
    }

    fn read(&mut self, from: Place, length: u32) -> Result<(), CommandError> {
        let at = self.room(length as usize)?;
        self.manual.read(self.scratch.part(at, length), remote(from)).map_err(work)?;
        self.reads.push_back((at, length));
        self.sent.add(READ_REQUEST);
        Ok(())
    }

    fn read_done(&mut self) -> Result<Vec<u8>, CommandError> {
        self.done()?;
        let (at, length) = self.reads.pop_front().ok_or_else(|| CommandError::work("nothing is read"))?;
        self.received.add(READ_RESPONSE);
        self.manual.get(&self.scratch, at, length as usize).map_err(work)
    }

    fn write(&mut self, to: Place, bytes: Vec<u8>) -> Result<(), CommandError> {
        let part = self.put(bytes)?;
        self.manual.write(part, remote(to)).map_err(work)?;
        self.sent.add(WRITE);
        self.done()
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        self.is_over = true;
        self.manual.disconnect().map_err(work)
    }

    fn finished(&mut self) -> Result<(), CommandError> {
        if self.is_over {
            return Ok(());
        }
        must(self.manual.peer_leaves(PATIENCE).map_err(work)?, "the peer disconnects")?;
        self.finish()
    }

    fn counts(&self) -> (Option<bool>, [Counted; 2]) {
        // NDK does not say what was agreed on: tshark sees it.
        (None, [self.sent, self.received].map(Counted::Messages))
    }

    fn close(self) -> Result<(), CommandError> {
        let outcome: Outcome = self.manual.close().map_err(work)?;
        let found: Vec<String> = outcome.listed().map(ToString::to_string).collect();
        must(outcome.found == 0, &format!("the harness finds nothing: {}", found.join("; ")))
    }
}

const WRITE: u8 = 0;
const READ_REQUEST: u8 = 1;
const READ_RESPONSE: u8 = 2;

/// The opcode of a Send (RFC 5040 section 4.1).
fn opcode(kind: SendKind) -> u8 {
    3 + u8::from(kind.invalidate.is_some()) + if kind.solicited { 2 } else { 0 }
}

const fn remote(place: Place) -> Remote {
    Remote { address: place.offset, token: place.stag.0 }
}

fn work(error: runner::Error) -> CommandError {
    CommandError::work(error.to_string())
}
