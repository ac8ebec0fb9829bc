//! The engine of iWARP alone, over TCP of the host: a peer for implementations that were not made here.
//!
//! Nothing of the provider or the drivers is in it. An [`Endpoint`] is one connection with its memory; a thread uses it.
//! `cargo xtask interop` plays one against Linux siw in a guest, whose program is `peer.c`; the messages between the two
//! are [`Order`]s.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `endpoint` | a connection: the engine, a socket, memory |
//! | `error` | errors |
//! | `counts`, `event`, `memory`, `order` | FPDUs by operation; events; registered memory; the messages to `peer.c` |

#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

mod counts;
mod endpoint;
mod error;
mod event;
mod memory;
mod order;

pub use counts::{Counts, OPERATIONS};
pub use endpoint::{Endpoint, Settings};
pub use error::Error;
pub use event::Event;
pub use memory::{Memory, Rights};
pub use order::{Order, Task};
