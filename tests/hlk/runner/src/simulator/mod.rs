//! The simulator as a host: both drivers in [`ntsim`], a scenario under a schedule, the ways that
//! its connections go, and the events of both.

pub mod events;
pub mod explore;
mod fixture;
mod host;
pub mod over_wire;

pub use fixture::{Fixture, Images, Place};
