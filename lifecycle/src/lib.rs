//! State machines of the driver's parts that come and go while several threads use them: the device of the legacy
//! transport, the events to NDIS, work items, the watch of addresses, sockets.
//!
//! The driver keeps each under a lock, asks it what to do there, and does that. Nothing here blocks, allocates or calls
//! out but where a method says so, so every other method may be called up to DISPATCH_LEVEL.
//!
//! # Layers
//!
//! | module | states of |
//! |---|---|
//! | `arrival`, `events`, `gate`, `shared_device`, `socket`, `socket_count`, `watching`, `work` | bytes that arrive at a connection; events to NDIS about an adapter; the sockets of an adapter; a device with adapters and files; the calls that bring a socket into use; what refers to a socket; a registration for changes; a work item |

#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::as_conversions)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that goes wrong is seen to"))]

mod arrival;
mod events;
mod gate;
#[cfg(all(test, loom))]
mod models;
mod shared_device;
mod socket;
mod socket_count;
mod watching;
mod work;

pub use arrival::{Arrival, Shown};
pub use events::Events;
pub use gate::Gate;
pub use shared_device::SharedDevice;
pub use socket::{PORT_TRIES, SetupEnd, SocketCall, SocketRole, SocketSetup};
pub use socket_count::SocketCount;
pub use watching::Watching;
pub use work::Work;
