//! An RDMA provider behind NDKPI: object lifetimes, completion queues, queue pairs, memory, connections.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | [`ndkpi`] | C: the dispatch tables; raw arguments in, references out, results into NTSTATUS |
//! | [`debugger`] | layouts and places for a debugger without private symbols |
//! | [`rnic`] | an RNIC, as its driver handles it |
//! | `adapter` ⇄ `connection` ⇄ `queue_pair` | the objects, and the state of the RNIC that names them: they hold each other |
//! | `memory` | memory regions and windows of any protection domain |
//! | `completion` | completion queues of any adapter |
//! | `consumer`, `status` | contexts and completions of a consumer; the NTSTATUS of a failure |
//! | [`object`] | what all objects share: memory, antecedents, DPCs, close |
//! | [`lifetime`] | when an object may go: one atomic word |
//! | [`kernel`] | the services needed of a kernel: the trait of the crate `softndk-kernel` |
//! | `combiner`, `ring`, `rundown`, `set_once` | lock-free parts of the data path |
//! | `heap` | fallible allocation, shared pointers |
//! | `flags`, `limits`, [`number`], [`processor`], `socket_address`, `sync` | flag words; limits of requests; conversions of integers; processor sets; addresses as debuggers read them; atomics |
//!
//! `tests/layers.rs` holds the imports to this table.
//!
//! The crate is portable: no Windows call is made here, and the tests run it on the host.
//!
//! # Holders of objects
//!
//! | object | is held by (antecedent ◁ successor) |
//! |---|---|
//! | adapter | every CQ, PD, connector, listener, shared endpoint and logical address mapping |
//! | PD | its MRs, MWs, SRQs and QPs |
//! | CQ | the QPs that complete into it |
//! | SRQ | the QPs that take their receives from it |
//! | QP | the connector that connected or accepted with it, until it is closed or connects again; its connection, and what it invalidated, until that is drained |
//! | MR | the MW that is bound to it, until that is bound anew, invalidated or closed |
//! | MR, MW | its registration, until no transfer uses it; a work request that names it |
//! | listener | the connectors that it indicated |
//! | shared endpoint | the connectors connected from it |
//!
//! # Locks
//!
//! | lock | guards | taken while holding |
//! |---|---|---|
//! | `FabricState::endpoints` | addresses and ports in use, and the listeners there | nothing |
//! | `FabricState::rnics` | the RNICs of the fabric | nothing |
//! | `Outlet::taken` | the destinations of the connections from one shared endpoint | nothing |
//! | `Listener::state` | the binding and the connect requests of one listener | nothing; `Registry`, to explain a close |
//! | `Lookups` | requests that wait for an address of the RNIC | nothing |
//! | `Attachment::bound` | the connection attempt of one QP | nothing |
//! | `Srq::state` | the receives of one SRQ, and the QPs that wait for one | nothing |
//! | `RegistrationState::state` | the registration of one MR or MW | nothing |
//! | `Mr::fast` | the prepared fast registrations of one MR | nothing |
//! | `Mappings::all` | the mappings of an RNIC | nothing |
//! | `Table::free` | unused memory tokens | nothing |
//! | `Core::close` | the completion of a pending close | nothing |
//! | `Registry` | which objects exist | nothing |
//! | `Mw::bound_to` | the MR that a window is bound to | nothing; `Registry`, to explain a close |
//! | `Role::Active` | the attempts of one connector | nothing; `Registry`, to explain a close |
//! | `WireState` | the end of one connection over a network | nothing; `Registry` and `Role::Active`, to explain a close |
//! | `Wire::stream` | its engine | nothing |
//! | `Wire::port` | the port that it came to, until its request is there | nothing |
//! | `Startup::frame` | the frame that it awaits | nothing |
//! | `Batches::idle` | its batches that are not in flight | nothing |
//! | `WireTimer::setting` | its timer, and what that is set for | nothing |
//! | `WirePort::state` | the port of a listener or shared endpoint, and the connections to it without a request | nothing |
//! | `WireTransfers::flight` | the requests of one QP that are on their way | nothing |
//! | `WireTransfers::out` | the numbers of the batches that TCP has | nothing |
//! | `WireTransfers::terminate` | the Terminate of a peer | nothing |
//! | `Sinks::state` | the sinks of the reads of one connection | nothing |
//! | `Connection::state` | both ends of one connection attempt | nothing; `Registry` and `Role::Active`, to explain a close |
//!
//! But for that explanation no lock is taken while another is held, and no consumer is called with one held.
//! `tests/locks.rs` holds the names to the code. The data path (post,
//! transfer, complete, poll) takes none, but for that of an SRQ: see `ring` and `combiner`. Work
//! requests that register or invalidate memory take that of their region or window.

#![cfg_attr(not(any(test, loom)), no_std)]
#![deny(clippy::as_conversions)]
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

mod adapter;
pub mod combiner;
mod completion;
mod connection;
mod consumer;
pub mod debugger;
mod flags;
mod heap;
pub mod kernel;
pub mod lifetime;
mod limits;
#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "tests call the provider as consumers do")]
mod loom_tests;
mod memory;
pub mod ndkpi;
pub mod number;
pub mod object;
pub mod processor;
mod queue_pair;
mod ring;
pub mod rnic;
pub mod rundown;
mod set_once;
mod socket_address;
mod status;
mod sync;
#[cfg(all(test, not(loom)))]
#[allow(unsafe_code, reason = "tests call the provider as consumers do")]
mod tests;

pub use heap::{NoMemory, Shared, Within};
pub use kernel::Kernel;
pub use rnic::Rnic;
pub use socket_address::SocketAddress;
