//! iWARP as an engine without I/O: MPA (RFC 5044, RFC 6581), DDP (RFC 5041) and RDMAP (RFC 5040) of one connection.
//!
//! Bytes of a stream of TCP go in, and come out as requests of the peer; messages go in, and come out as headers with
//! ranges of payload. The engine never touches payload: it names byte ranges, and its caller moves them. It has no
//! clock, socket, lock or allocation, so every function may be called up to DISPATCH_LEVEL; one stream is used by one
//! caller at a time.
//!
//! # Layers, each using only those below it
//!
//! | module | knows |
//! |---|---|
//! | `stream` | a connection: the one door |
//! | `send`, `receive` | messages cut into FPDUs; segments in their order |
//! | `reads` | the reads that are outstanding |
//! | `fault` | the ways in which a stream ends before its time, and the answer to each |
//! | `mpa` | the start of a connection: request, reply, agreement |
//! | `fpdu` | frames in a stream: length, padding, sum |
//! | `rdmap` | operations, Read Requests, Terminates |
//! | `ddp` | headers of segments, tagged and untagged |
//! | `crc`, `bytes`, `ring`, `timer` | CRC32C; short runs of bytes; bounded queues; times |
//!
//! # Left out
//!
//! Markers (a peer that demands them is refused), the Send and empty-FPDU forms of the first FPDU, and the extensions
//! of RFC 7306. iWARP has no secret: a peer that can guess a token can use it, so the network has to be trusted
//! (RFC 5040 section 8, RFC 5042).

#![no_std]
#![deny(clippy::as_conversions)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a test that goes wrong is seen to"
    )
)]

#[cfg(any(test, feature = "fuzz"))]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
pub mod crc;
pub mod ddp;
pub mod fault;
pub mod fpdu;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
#[cfg(any(test, feature = "fuzz"))]
mod harness;
pub mod mpa;
pub mod rdmap;
mod reads;
mod receive;
mod ring;
mod send;
mod stream;
mod timer;

pub use bytes::Bytes;
pub use reads::MOST as MOST_READS;
pub use receive::{Segment, SegmentEnd};
pub use send::{Cut, HEADER, Origin};
pub use stream::{Message, PostError, State, StateError, Step, Stream, Transition};
pub use timer::{Deadline, KEEPALIVE, Timer};
