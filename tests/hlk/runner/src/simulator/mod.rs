//! The simulator as a host: both drivers in [`ntsim`], and a scenario under a schedule.

pub mod explore;
mod fixture;
mod host;

pub use fixture::{Fixture, Images, Place};
