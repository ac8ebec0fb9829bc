//! The legacy transport: TDI file objects over the RDMA provider.
//!
//! Legacy clients open address objects, connection endpoints and control channels, and send them requests.
//! This crate is what becomes of those, down to the provider's queue pairs, and above all how they end.
//!
//! # Layers, each using only those below it
//!
//! | module | knows |
//! |---|---|
//! | [`debugger`] | layouts and places for a debugger without private symbols |
//! | `open`, `cleanup`, `query`, `set`, `trace`, `drive` | create, cleanup and close; queries and sets; the actions that a state machine asks for |
//! | `listen` | pending listens, and the target of a connect request |
//! | `transport` ⇄ `state` ⇄ `datagram` ⇄ `handler_irp` ⇄ `address_object` | all files, under one lock; datagrams; handlers that run |
//! | `endpoint`, `access`, `ndk` | the state machine of a connection endpoint; the access check of shared addresses; the network over NDK's tables |
//! | `event`, `queue` | a client's handlers; requests that wait |
//! | `system` ⇄ `network` | the system that all runs on: requests, the network, and its callbacks |
//! | `call`, `user` | handlers that run; a program's requests |
//! | `ea`, `request` | attributes of a create; requests |
//! | `address`, `slab`, `link_events`, `completion_status` | transport addresses; files by number; events of links; permitted statuses |
//!
//! `tests/layers.rs` of the driver's package holds the imports to this table.
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
//! | lock | guards | taken while holding |
//! |---|---|---|
//! | `Inner::state` | all files, the `TransportState` | nothing |
//! | `Ndk::rnics` | the RNICs of the network, their addresses, and the ports that are being opened on them | nothing; `Inner::state`, to look for an address |
//! | `Port::state` | the phase of a listener, its shares and connections | nothing; `Inner::state`, to take a share |
//!
//! `tests/locks.rs` of the driver's package holds the names to the code. Nothing is called out of this crate under a
//! lock but [`Request::arm`], [`Request::disarm`] and [`Request::run`], which call nothing.
//!
//! docs/tdi.md has the statuses that were chosen where the sources disagree, and the list of what is not supported.

#![cfg_attr(not(any(test, feature = "fuzz")), no_std)]
#![deny(clippy::as_conversions)]
#![cfg_attr(
    any(test, feature = "fuzz"),
    allow(
        clippy::arithmetic_side_effects,
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
mod call;
mod cleanup;
pub mod completion_status;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
mod datagram;
pub mod debugger;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
mod drive;
pub mod ea;
mod endpoint;
#[expect(unsafe_code, reason = "a client's handlers are called by their address")]
mod event;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
mod handler_irp;
mod link_events;
mod listen;
#[expect(unsafe_code, reason = "NDK's tables are called")]
pub mod ndk;
#[expect(unsafe_code, reason = "links take bytes by their address")]
pub mod network;
mod open;
mod query;
mod queue;
#[expect(unsafe_code, reason = "a request has its bytes by their address")]
mod request;
mod set;
mod slab;
mod state;
#[expect(unsafe_code, reason = "a handler gives away requests by their address")]
pub mod system;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), allow(dead_code, reason = "the fuzz target needs a part of what tests do"))]
#[allow(unsafe_code, reason = "tests call the transport as drivers do")]
mod tests;
mod trace;
#[expect(unsafe_code, reason = "a DPC has the transport as its context")]
mod transport;
pub mod user;

pub use datagram::MAX_DATAGRAM;
pub use link_events::LinkEvents;
pub use query::Answer;
pub use request::{Command, Request, RequestId, Source};
pub use slab::Id;
pub use system::{HandlerIrp, Opener, System};
#[cfg(any(test, feature = "fuzz"))]
pub use tests::hostile::run as fuzz_requests;
pub use transport::{Entered, Transport};
