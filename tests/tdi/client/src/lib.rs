//! A kernel client of the legacy transport: what drivers do with `TdiBuild…` and `IoCallDriver`, to the built
//! softndk.sys in the simulator.
//!
//! `cargo xtask run --tdi` and the integration tests share it, so that what a user sees is what is tested:
//!
//! - [`Fixture`]: a machine with the driver and two adapters, and the files that clients open there;
//! - [`request`]: the requests, each with what its parameters lead to;
//! - [`datagram`]: those about datagrams;
//! - [`event`]: a client's event handlers;
//! - [`transfer`]: a stream of bytes from one end of a connection to the other, hashed at both ends;
//! - [`flight`]: files that go while everything is in flight;
//! - [`stress`]: many connections, killed at random points;
//! - [`scenario`]: what clients do at once, and what must hold then;
//! - [`explore`]: a scenario under a schedule that is chosen from a seed.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | [`explore`] | a scenario under a seed |
//! | [`flight`], [`scenario`] | what clients do at once |
//! | [`stress`], [`transfer`] | connections that are killed; a stream of bytes |
//! | `any`, [`event`], `fixture` | arbitrary requests; handlers; the machine and its files |
//! | [`datagram`], `together`, `violation` | requests about datagrams; threads that begin at once; what must not happen |
//! | [`request`] | the requests |

#![cfg(not(windows))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

mod any;
pub mod datagram;
pub mod event;
pub mod explore;
mod fixture;
pub mod flight;
pub mod request;
pub mod scenario;
pub mod stress;
mod together;
pub mod transfer;
mod violation;

pub use fixture::{DEVICE, Fixture, Pair, attribute};
pub use request::{Completed, Request};
pub use violation::Violation;
