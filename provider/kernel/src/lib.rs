//! The kernel services that the provider uses.
//!
//! A crate of its own, so that the provider, the driver and the test kernel have one and the same trait: the
//! provider's unit tests are built with a second copy of the provider, whose traits would not be these.
//!
//! # Layers
//!
//! | module | contents |
//! |---|---|
//! | `services` ⇄ [`event`] | the trait of the services; events for trace sessions, which it writes |
//! | [`network`] | TCP, for connections to other machines |

#![no_std]

pub mod event;
pub mod network;
mod services;

pub use network::{Network, NoNetwork};
pub use services::{Dpc, Event, Kernel, Mapping, Routine, Timer, Unmapped};
