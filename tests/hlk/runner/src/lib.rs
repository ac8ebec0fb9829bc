//! Drives the harness driver `ndkhlk.sys`, on Windows and in the simulator.
//!
//! All but a few calls is the same on both sides, so that what runs on Windows is tested on Linux. What differs stands
//! behind two traits: [`Device`], an open handle to the harness driver, and [`Host`], the machine around it, with its adapters ([`Control`]). `ndkhlk.exe`
//! implements them by Win32; for the simulator they are implemented here, in a module that Windows does not compile.
//!
//! - [`Client`]: a handle to the harness driver, its control codes as methods;
//! - [`Measuring`]: two connected ends, and what was timed on them;
//! - [`PeerListener`] and [`Client::connect_peer`]: a session whose other side is in another machine;
//! - [`Manual`]: an end that does step by step what its owner says, for peers of other authors;
//! - [`exchange`]: what the two sides of such a session tell each other about a file;
//! - [`transfer`]: a stream of bytes from one adapter to the other, hashed at both ends;
//! - [`stress`]: many connections with traffic, closed in the middle of it;
//! - [`suite`]: scenarios, one after the other, that a [`Selection`] chose, between the ends of a [`Pair`];
//! - [`report`]: what came of them, as text, TAP, JUnit and JSON;
//! - [`command`]: the commands of `ndkhlk.exe`, up to the [exit code](Exit).
//!
//! In the simulator alone:
//!
//! - `Fixture`: a machine with both drivers and two adapters, and how it is shut down;
//! - `explore`: a scenario under a schedule that is chosen from a seed;
//! - `over_wire`: the ways that the connections of a scenario go.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `simulator` | both traits for the simulator |
//! | [`command`] | the commands of `ndkhlk.exe` |
//! | [`exchange`], `peer` | a file that is offered to a peer; a session with one |
//! | `manual`, `measure`, [`report`], [`stress`], [`transfer`], `transport` | a manual end; a measuring; reports; a stress run; a transfer; the legacy transport |
//! | `pair`, [`suite`] | two adapters with their addresses; scenarios one after the other |
//! | `client`, `selection` | the control codes as methods; scenarios by name |
//! | `driver_service`, `host` | the service of a driver; the machine around the harness driver |
//! | `device`, `error`, `rdma_state` | an open handle; errors; whether RDMA is on |
//! | [`archive`], `driver_package`, `exit`, `own_addresses`, [`shell`], `status` | ZIP files; a package's files; exit codes; addresses to give; PowerShell and programs; statuses in words |

#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

pub mod archive;
mod client;
pub mod command;
mod device;
mod driver_package;
mod driver_service;
mod error;
pub mod exchange;
mod exit;
mod host;
mod manual;
mod measure;
mod own_addresses;
mod pair;
mod peer;
pub mod rdma_state;
pub mod report;
mod selection;
pub mod shell;
#[cfg(not(windows))]
mod simulator;
mod status;
pub mod stress;
pub mod suite;
pub mod transfer;
mod transport;

pub use client::{Client, Session};
pub use device::{Completion, Device};
pub use driver_package::is_driver_package;
pub use driver_service::{DriverService, load_driver, unload_driver};
pub use error::Error;
pub use exit::Exit;
pub use host::{Adapter, Control, Host, Shortage};
pub use manual::{Arrival, Manual, Memory, Part, Remote};
pub use measure::{Measuring, Samples, Series, pump};
pub use own_addresses::{PREFIX, Taken, own_addresses};
pub use pair::{NoPair, PORT, Pair};
pub use peer::{Incoming, PeerListener};
pub use selection::{Selection, UnknownName, level_name, name};
pub use transport::TRANSPORT;

#[cfg(not(windows))]
pub use simulator::{Fixture, Images, Place, events, explore, over_wire};
