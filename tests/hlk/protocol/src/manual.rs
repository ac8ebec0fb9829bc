//! An end of which every step is a request of the runner's: for a peer that is a program of another author, whose protocol
//! the runner knows and the harness driver does not.
//!
//! The end has one QP, memories that are numbered in the order in which they were made, and two queues of requests, whose
//! results are taken in the order in which they were posted.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Endpoint;

/// The most bytes of private data that are told either way.
pub const PRIVATE_DATA: usize = 32;

/// The requests that either queue of a manual end holds.
pub const MANUAL_DEPTH: u32 = 8;

/// The peer may read the memory.
pub const PEER_READS: u32 = 1;
/// The peer may write the memory.
pub const PEER_WRITES: u32 = 2;
/// The memory is registered by a work request, so that a message of the peer can end its token; the end is connected.
pub const PEER_INVALIDATES: u32 = 4;
/// A Send asks for a solicited event.
pub const SOLICITS: u32 = 8;
/// A Send ends the token that is named.
pub const INVALIDATES: u32 = 16;

/// Opens an adapter, and makes the queues of a manual end.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ManualRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The end that is here; a port of 0 is chosen, and it is of no meaning for the side that connects.
    pub own: Endpoint,
}

/// A step of a manual end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// Makes memory of `length` bytes and registers it: `PEER_…` of the flags are its rights. Without any, it is for
    /// what is sent, received and read. The report names it.
    Memory = 1,
    /// Connects to `end` with the private data.
    Connect = 2,
    /// Listens; the report says where.
    Listen = 3,
    /// Accepts a peer that comes within `milliseconds`, with the private data.
    Accept = 4,
    /// Posts a receive into the part of a memory.
    Receive = 5,
    /// Posts a Send of the part of a memory.
    Send = 6,
    /// Posts a Write of the part of a memory to `address` by `token`.
    Write = 7,
    /// Posts a Read into the part of a memory from `address` by `token`.
    Read = 8,
    /// Waits for the result of the oldest Send, Write or Read; it stays the oldest after `STATUS_IO_TIMEOUT`.
    Await = 9,
    /// The same for the oldest receive.
    AwaitReceive = 10,
    /// Disconnects.
    Disconnect = 11,
    /// Waits for `milliseconds` for the peer to disconnect.
    AwaitDisconnect = 12,
}

impl Step {
    const ALL: [Self; 12] = [
        Self::Memory,
        Self::Connect,
        Self::Listen,
        Self::Accept,
        Self::Receive,
        Self::Send,
        Self::Write,
        Self::Read,
        Self::Await,
        Self::AwaitReceive,
        Self::Disconnect,
        Self::AwaitDisconnect,
    ];

    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for Step {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        Self::ALL.into_iter().find(|step| step.code() == value).ok_or(value)
    }
}

/// A step and its arguments; those that it does not name are of no meaning.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StepRequest {
    /// A [`Step`].
    pub step: u32,
    /// The number of a memory.
    pub memory: u32,
    /// The first byte of the part of it.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
    /// A place in the memory of the peer.
    pub address: u64,
    /// A token of the peer's.
    pub token: u32,
    /// `PEER_…`, [`SOLICITS`], [`INVALIDATES`].
    pub flags: u32,
    /// A time.
    pub milliseconds: u32,
    /// The bytes of `data` that count.
    pub data_length: u32,
    /// The address of the peer; its interface index counts for nothing.
    pub end: Endpoint,
    /// Private data.
    pub data: [u8; PRIVATE_DATA],
    /// Zero.
    pub reserved: u32,
}

impl StepRequest {
    /// A step without arguments.
    #[must_use]
    pub const fn new(step: Step) -> Self {
        Self {
            step: step.code(),
            memory: 0,
            offset: 0,
            length: 0,
            address: 0,
            token: 0,
            flags: 0,
            milliseconds: 0,
            data_length: 0,
            end: Endpoint { if_index: 0, address_length: 0, address: [0; 28] },
            data: [0; PRIVATE_DATA],
            reserved: 0,
        }
    }
}

/// The outcome of a step; what the step does not tell is zero.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StepReport {
    /// The NTSTATUS of the step.
    pub status: i32,
    /// The bytes that were received or moved.
    pub length: u32,
    /// The place by which a peer names a memory.
    pub address: u64,
    /// The token by which it does, or the one that a message has ended.
    pub token: u32,
    /// The number of a memory.
    pub memory: u32,
    /// Not zero if a message has ended a token.
    pub invalidated: u32,
    /// The bytes of `data` that count.
    pub data_length: u32,
    /// The address that is listened on, or that of the peer.
    pub end: Endpoint,
    /// The private data of the peer.
    pub data: [u8; PRIVATE_DATA],
    /// Zero.
    pub reserved: u32,
}

impl StepReport {
    /// A report of a step that tells nothing but its status.
    #[must_use]
    pub const fn new(status: i32) -> Self {
        Self {
            status,
            length: 0,
            address: 0,
            token: 0,
            memory: 0,
            invalidated: 0,
            data_length: 0,
            end: Endpoint { if_index: 0, address_length: 0, address: [0; 28] },
            data: [0; PRIVATE_DATA],
            reserved: 0,
        }
    }
}

/// A part of a memory, whose bytes go in or come out by the buffer that is described by an MDL.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PartRequest {
    /// The number of the memory.
    pub memory: u32,
    /// The first byte.
    pub offset: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_a_step_stands_for_it() {
        for (code, step) in (1..).zip(Step::ALL) {
            assert_eq!((step.code(), Step::try_from(code)), (code, Ok(step)));
        }
        assert_eq!(Step::try_from(0), Err(0));
        assert_eq!(Step::try_from(13), Err(13));
    }
}
