//! The legacy transport: TDI file objects over the RDMA provider.
//!
//! Legacy clients open address objects, connection endpoints and control channels, and send them requests.
//! This crate is what becomes of those, down to the provider's queue pairs, and above all how they end.
//!
//! # Layers, each using only those below it
//!
//! | module | knows |
//! |---|---|
//! | `transport`, `open`, `cleanup` | files: create, requests, cleanup, close |
//! | `datagram` | what is sent without a connection |
//! | `drive` | doing what a state machine asks for |
//! | `call` | calling handlers, and taking over what they give away |
//! | `endpoint` | the state machine of a connection endpoint |
//! | `state`, `address_object`, `listen` | all files, under one lock |
//! | `query`, `set` | what a client can ask, and set |
//! | `queue`, `slab`, `event` | requests that wait; files by number; a client's handlers |
//! | `ndk` | the network over NDK's tables |
//! | `access` | who may share an address |
//! | `ea`, `address`, `user` | what clients write: attributes of a create, transport addresses, a program's requests |
//! | `request`, `network` | what is needed of the carrier of requests, and of the network |
//! | `completion_status` | with which statuses a request may end |
//! | `trace` | what is left of connections, for the kernel debugger |
//!
//! # How a file ends
//!
//! A file counts what refers to it: each request from its dispatch until its completion has *returned*,
//! also while a drive loop or a cancel routine has it in hand; a request that a handler gave away, from the moment in
//! which the transport takes it over; each handler that gets the context of the file, from the decision to call it
//! until it has returned (`call`): of an address those that were registered there, of an endpoint those that concern
//! its connection; and of an address each datagram from there that is not being delivered yet.
//!
//! | step | by | what follows |
//! |---|---|---|
//! | new requests are refused with STATUS_FILE_CLOSED | cleanup | also between cleanup and close |
//! | an endpoint's connection is closed, the peer told; what waits completes in its order with STATUS_CANCELLED once the link is gone | cleanup, through the drive loop | the association is dropped |
//! | an address's handlers are taken, its shares of listeners go, what waits for datagrams completes in its order with STATUS_CANCELLED, its listens with STATUS_ADDRESS_CLOSED | cleanup | its connections stay, and keep its port |
//! | the count is zero | cleanup waits for that | the cleanup's own request completes |
//! | the file is forgotten | close, or the last of: its link, its associations | nothing waits |
//!
//! The last adapter of an address goes before its file in another way: the address object loses all that it owned of
//! the address (`address_object`), what waits on it and what comes later completes with STATUS_ADDRESS_CLOSED, its
//! connections are aborted, and the file stays until its client closes it. Time limits live in the requests that
//! they limit, and go with them (`endpoint::deadline`).
//!
//! # Locks
//!
//! One, over all files (`TransportState`). Nothing is called out of this crate under it but
//! [`Request::arm`], [`Request::disarm`] and [`Request::run`], which call nothing.
//!
//! docs/tdi.md has the statuses that were chosen where the sources disagree, and the list of what is not supported.

#![cfg_attr(not(any(test, feature = "fuzz")), no_std)]
#![cfg_attr(not(any(test, feature = "fuzz")), deny(unsafe_code, clippy::as_conversions))]
#![cfg_attr(
    any(test, feature = "fuzz"),
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::multiple_unsafe_ops_per_block,
        clippy::panic,
        clippy::std_instead_of_alloc,
        clippy::std_instead_of_core,
        clippy::unreachable,
        clippy::unwrap_used,
        reason = "tests run on the host, where a panic is a failed test"
    )
)]

extern crate alloc;

mod access;
pub mod address;
mod address_object;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
mod call;
mod cleanup;
pub mod completion_status;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
mod datagram;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
mod drive;
pub mod ea;
mod endpoint;
#[expect(unsafe_code, reason = "a client's handlers are called by their address")]
mod event;
mod listen;
#[expect(unsafe_code, reason = "NDK's tables are called")]
pub mod ndk;
#[expect(unsafe_code, reason = "links take bytes by their address")]
pub mod network;
mod number;
mod open;
mod query;
mod queue;
#[expect(unsafe_code, reason = "a request has its bytes by their address")]
mod request;
mod set;
mod slab;
mod state;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), allow(dead_code, reason = "the fuzz target needs a part of what tests do"))]
mod tests;
mod trace;
#[expect(unsafe_code, reason = "a deferred call has the transport as its context")]
mod transport;
pub mod user;

pub use access::Opener;
pub use datagram::{MAX_DATAGRAM, Source};
pub use endpoint::LinkEvents;
pub use network::{HandlerIrp, System};
pub use query::Answer;
pub use request::{Command, Request, RequestId};
pub use slab::Id;
#[cfg(any(test, feature = "fuzz"))]
pub use tests::hostile::run as fuzz_requests;
pub use transport::{Entered, Transport};
