//! An end that does step by step what its owner says: its peer may be a program of another author.

use core::net::SocketAddr;
use core::time::Duration;

use protocol::{
    Endpoint, INVALIDATES, ManualRequest, OpenReport, Outcome, PRIVATE_DATA, PartRequest, SOLICITS, Step,
    StepReport, StepRequest, VERSION, control,
};
use zerocopy::IntoBytes;

use crate::status::{IO_TIMEOUT, SUCCESS};
use crate::{Client, Completion, Error};

/// An end that does as it is told. Calls block, but not for longer than ten seconds.
#[derive(Clone, Debug)]
pub struct Manual {
    client: Client,
}

/// A memory of a [`Manual`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    number: u32,
    /// The token by which the peer names it.
    pub token: u32,
    /// The place of the first byte, as the peer names it.
    pub address: u64,
}

/// A part of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    memory: u32,
    offset: u32,
    length: u32,
}

impl Memory {
    /// So many bytes of the memory from `offset` on.
    #[must_use]
    pub const fn part(&self, offset: u32, length: u32) -> Part {
        Part { memory: self.number, offset, length }
    }
}

/// A message that has arrived in the receive that was posted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its bytes.
    pub length: u32,
    /// The token of this side that it has ended.
    pub invalidated: Option<u32>,
}

/// A place in the memory of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address.
    pub address: u64,
    /// The token.
    pub token: u32,
}

impl Client {
    /// Opens the adapter of an end, which neither connects nor listens yet.
    ///
    /// # Errors
    /// The status with which it failed, and what was seen until everything was closed again.
    pub fn open_manual(self, own: Endpoint) -> Result<Manual, Error> {
        let what = "open a manual end";
        let request = ManualRequest { version: VERSION, own };
        let report: OpenReport = self.call(what, control::OPEN_MANUAL, &request)?;
        match report.status {
            SUCCESS => Ok(Manual { client: self }),
            status => Err(Error::Status { what, status, outcome: Some(Box::new(report.outcome)) }),
        }
    }
}

impl Manual {
    fn step(&self, what: &'static str, request: &StepRequest) -> Result<StepReport, Error> {
        let report: StepReport = self.client.call(what, control::STEP, request)?;
        match report.status {
            SUCCESS => Ok(report),
            status => Err(Error::Status { what, status, outcome: None }),
        }
    }

    fn post(&self, what: &'static str, step: Step, part: Part, request: StepRequest) -> Result<(), Error> {
        let Part { memory, offset, length } = part;
        let request = StepRequest { step: step.code(), memory, offset, length, ..request };
        self.step(what, &request).map(drop)
    }

    /// Makes memory of `length` bytes, which are zero; `flags` are the rights of the peer (`protocol::PEER_…`).
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn memory(&self, length: u32, flags: u32) -> Result<Memory, Error> {
        let request = StepRequest { length, flags, ..StepRequest::new(Step::Memory) };
        let StepReport { memory, token, address, .. } = self.step("register memory", &request)?;
        Ok(Memory { number: memory, token, address })
    }

    /// Connects to a peer; returns the private data that it has answered with.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn connect(&self, peer: SocketAddr, data: &[u8]) -> Result<Vec<u8>, Error> {
        let request = StepRequest { end: Endpoint::at(0, peer), ..with_data(Step::Connect, data) };
        self.step("connect", &request).map(|report| private_data(&report))
    }

    /// Listens; returns the address.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn listen(&self) -> Result<SocketAddr, Error> {
        let report = self.step("listen", &StepRequest::new(Step::Listen))?;
        report.end.socket_address().ok_or(Error::Late("the address that is listened on"))
    }

    /// Accepts the peer that comes first; returns the private data that it has sent, or nothing if none comes in time.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn accept(&self, wait: Duration, data: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let request = StepRequest { milliseconds: milliseconds(wait), ..with_data(Step::Accept, data) };
        in_time(self.step("accept", &request).map(|report| private_data(&report)))
    }

    /// Posts a receive.
    ///
    /// # Errors
    /// The status of the post.
    pub fn receive(&self, into: Part) -> Result<(), Error> {
        self.post("receive", Step::Receive, into, StepRequest::new(Step::Receive))
    }

    /// Posts a Send, which may ask for a solicited event and may end a token of the peer's.
    ///
    /// # Errors
    /// The status of the post.
    pub fn send(&self, from: Part, solicited: bool, invalidate: Option<u32>) -> Result<(), Error> {
        let flags = if solicited { SOLICITS } else { 0 } | invalidate.map_or(0, |_| INVALIDATES);
        let token = invalidate.unwrap_or_default();
        self.post("send", Step::Send, from, StepRequest { flags, token, ..StepRequest::new(Step::Send) })
    }

    /// Posts an RDMA Write.
    ///
    /// # Errors
    /// The status of the post.
    pub fn write(&self, from: Part, to: Remote) -> Result<(), Error> {
        let Remote { address, token } = to;
        self.post("write", Step::Write, from, StepRequest { address, token, ..StepRequest::new(Step::Write) })
    }

    /// Posts an RDMA Read.
    ///
    /// # Errors
    /// The status of the post.
    pub fn read(&self, into: Part, from: Remote) -> Result<(), Error> {
        let Remote { address, token } = from;
        self.post("read", Step::Read, into, StepRequest { address, token, ..StepRequest::new(Step::Read) })
    }

    /// Waits for the result of the Send, Write or Read that was posted first; returns whether it has come.
    ///
    /// # Errors
    /// The status of the result.
    pub fn done(&self) -> Result<bool, Error> {
        let result = self.step("the result of a request", &StepRequest::new(Step::Await));
        in_time(result).map(|report| report.is_some())
    }

    /// Waits for a message; returns nothing if none has come yet.
    ///
    /// # Errors
    /// The status of the receive.
    pub fn arrival(&self) -> Result<Option<Arrival>, Error> {
        let report = in_time(self.step("a message", &StepRequest::new(Step::AwaitReceive)))?;
        Ok(report.map(|report| Arrival {
            length: report.length,
            invalidated: (report.invalidated != 0).then_some(report.token),
        }))
    }

    /// Disconnects.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn disconnect(&self) -> Result<(), Error> {
        self.step("disconnect", &StepRequest::new(Step::Disconnect)).map(drop)
    }

    /// Waits for the peer to disconnect; returns whether it has.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn peer_leaves(&self, wait: Duration) -> Result<bool, Error> {
        let milliseconds = milliseconds(wait);
        let request = StepRequest { milliseconds, ..StepRequest::new(Step::AwaitDisconnect) };
        in_time(self.step("the peer's disconnect", &request)).map(|report| report.is_some())
    }

    /// Puts bytes into a memory, from `offset` on.
    ///
    /// # Errors
    /// The status of the request.
    pub fn put(&self, memory: &Memory, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let request = PartRequest { memory: memory.number, offset };
        let outcome = self.client.control(control::PUT, request.as_bytes(), bytes);
        whole("put", &outcome, bytes.len())
    }

    /// Returns bytes of a memory, from `offset` on.
    ///
    /// # Errors
    /// The status of the request.
    pub fn get(&self, memory: &Memory, offset: u32, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length];
        let request = PartRequest { memory: memory.number, offset };
        let outcome = self.client.control(control::GET, request.as_bytes(), &mut bytes);
        whole("get", &outcome, length).map(|()| bytes)
    }

    /// Closes the end and its adapter; a connection is disconnected.
    ///
    /// # Errors
    /// The status of the request; what the closes came to is in the outcome.
    pub fn close(self) -> Result<Outcome, Error> {
        self.client.call("close the manual end", control::CLOSE_MANUAL, &[0_u8; 0])
    }
}

fn milliseconds(wait: Duration) -> u32 {
    wait.as_millis().try_into().unwrap_or(u32::MAX)
}

/// A step with as much of the private data as there is room for.
fn with_data(step: Step, data: &[u8]) -> StepRequest {
    let length = data.len().min(PRIVATE_DATA);
    let mut request = StepRequest { data_length: length as u32, ..StepRequest::new(step) };
    request.data[..length].copy_from_slice(&data[..length]);
    request
}

fn private_data(report: &StepReport) -> Vec<u8> {
    report.data.iter().copied().take(report.data_length as usize).collect()
}

/// A step that ran out of time has told nothing yet.
fn in_time<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(Error::Status { status: IO_TIMEOUT, .. }) => Ok(None),
        other => other.map(Some),
    }
}

fn whole(what: &'static str, outcome: &Completion, sent: usize) -> Result<(), Error> {
    match (outcome.status, outcome.information) {
        (SUCCESS, information) if information == sent => Ok(()),
        (SUCCESS, arrived) => Err(Error::Short { what, arrived, sent }),
        (status, _) => Err(Error::Status { what, status, outcome: None }),
    }
}
