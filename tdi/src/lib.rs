//! The legacy transport: TDI file objects over the RDMA provider.
//!
//! Legacy clients open address objects, connection endpoints and control channels, and send them requests.
//! This crate is what becomes of those, down to the provider's queue pairs, and above all how they end.
//!
//! # Layers, each using only those below it
//!
//! | module | knows |
//! |---|---|
//! | `transport` | files: create, requests, cleanup, close |
//! | `pump` | doing what a state machine asks for |
//! | `endpoint` | the state machine of a connection endpoint |
//! | `world` | all files, under one lock |
//! | `query` | what a client can ask |
//! | `queue`, `slab`, `event` | requests that wait; files by number; a client's handlers |
//! | `ndk` | the network over NDK's tables |
//! | `ea`, `address` | what clients write: attributes of a create, transport addresses |
//! | `request`, `network` | what is needed of the carrier of requests, and of the network |
//!
//! # How a file ends
//!
//! A file counts what refers to it: each request from its dispatch until its completion has *returned*,
//! also while a pumper or a cancel routine has it in hand, and of an address each handler that runs.
//!
//! | step | by | what follows |
//! |---|---|---|
//! | new requests are refused with STATUS_FILE_CLOSED | cleanup | also between cleanup and close |
//! | an endpoint's connection is closed, the peer told; what waits completes in its order with STATUS_CANCELLED once the link is gone | cleanup, through the pumper | the association is dropped |
//! | an address's handlers are taken, its listener goes, its listens complete with STATUS_ADDRESS_CLOSED | cleanup | its connections stay, and keep its port |
//! | the count is zero | cleanup waits for that | the cleanup's own request completes |
//! | the file is forgotten | close, or the last of: its link, its associations | nothing waits |
//!
//! # Locks
//!
//! One, over all files (`World`). Nothing is called out of this crate under it but
//! [`Request::arm`], [`Request::disarm`] and [`Request::run`], which call nobody.
//!
//! # Statuses on which the sources disagree, and what was chosen
//!
//! | when | status | instead of |
//! |---|---|---|
//! | a request between cleanup and close | STATUS_FILE_CLOSED | STATUS_CANCELLED, STATUS_INVALID_HANDLE |
//! | requests that wait at a cleanup | STATUS_CANCELLED | letting them finish |
//! | requests that wait when this side aborts | STATUS_CONNECTION_ABORTED | STATUS_CANCELLED, STATUS_FILE_CLOSED |
//! | requests that wait when the peer aborts | STATUS_CONNECTION_RESET | STATUS_CONNECTION_ABORTED |
//! | a receive after the peer's release | STATUS_GRACEFUL_DISCONNECT | success with no bytes |
//! | a connect or release that takes too long | STATUS_IO_TIMEOUT | STATUS_TIMEOUT, which is a success |
//! | a second associate | STATUS_INVALID_CONNECTION, STATUS_CONNECTION_ACTIVE when connected | STATUS_INVALID_PARAMETER |
//! | a port in use | STATUS_SHARING_VIOLATION | STATUS_ADDRESS_ALREADY_EXISTS |
//!
//! # What is not there
//!
//! - Datagrams and expedited data, which the provider information does not promise; handlers for them are
//!   kept and never called. The same holds of error and chained-receive events.
//! - TDI_DISCONNECT_WAIT, and sends that disconnect: STATUS_INVALID_PARAMETER.
//! - Addresses name one interface: the unspecified address is not local.
//! - An address that is shared has no access list of its own: whoever may open the device may share it. Two
//!   creates that share an address and race find one of them refused.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    test,
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

pub mod address;
pub mod ea;
mod endpoint;
mod event;
pub mod ndk;
pub mod network;
mod pump;
mod query;
mod queue;
mod request;
mod slab;
#[cfg(test)]
mod tests;
mod transport;
mod world;

pub use endpoint::News;
pub use network::{Adopted, System};
pub use query::Answer;
pub use request::{Command, Request, Ticket};
pub use slab::Id;
pub use transport::{Entered, Transport};
