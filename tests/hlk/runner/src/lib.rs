//! Boots softndk.sys and ndkhlk.sys in the simulator and talks to the harness driver.
//!
//! `cargo xtask run` and the integration tests share it, so that what a user sees is what is tested:
//!
//! - [`Fixture`]: a machine with both drivers and two adapters, and how it is shut down;
//! - [`Client`]: a handle to the harness driver, its control codes as methods;
//! - [`explore`]: a scenario under a schedule that is chosen from a seed;
//! - [`Measuring`]: two connected ends, and what was timed on them;
//! - [`transfer`]: a stream of bytes from one adapter to the other, hashed at both ends;
//! - [`storm`]: many connections with traffic, closed in the middle of it.

#![cfg(not(windows))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

mod client;
mod error;
pub mod explore;
mod fixture;
mod measure;
pub mod storm;
pub mod transfer;

pub use client::{Client, Session};
pub use error::Error;
pub use fixture::{Fixture, Images, Place};
pub use measure::{Measuring, Samples, Series};
