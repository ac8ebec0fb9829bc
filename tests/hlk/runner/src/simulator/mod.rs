//! The simulator as a host: both drivers in [`ntsim`], a scenario under a schedule, and the events of both.

pub mod events;
pub mod explore;
mod fixture;
mod host;

pub use fixture::{Fixture, Images, Place};
