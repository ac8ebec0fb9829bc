//! A kernel client of the legacy transport: what drivers do with `TdiBuild…` and `IoCallDriver`, to the built
//! softndk.sys in the simulator.
//!
//! `cargo xtask run --tdi` and the integration tests share it, so that what a user sees is what is tested:
//!
//! - [`Bed`]: a machine with the driver and two adapters, and the files that clients open there;
//! - [`request`]: the requests, each with what its parameters lead to;
//! - [`datagram`]: those about datagrams;
//! - [`event`]: a client's event handlers;
//! - [`transfer`]: a stream of bytes from one end of a connection to the other, hashed at both ends;
//! - [`flight`]: files that go while everything is in flight.
//! - [`storm`]: many connections, killed at random points.

#![cfg(not(windows))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

mod bed;
pub mod datagram;
pub mod event;
pub mod flight;
pub mod request;
pub mod storm;
pub mod transfer;

pub use bed::{Bed, DEVICE, Pair, attribute};
pub use request::{Completed, Request};
