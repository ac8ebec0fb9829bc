//! The Ethernet switch between the driver's adapters, as far as it is no call of NDIS: addresses, the format of frames,
//! the packet filter, the counters, and the state machine of a port.
//!
//! The driver keeps net buffer lists and locks, and asks these types under its lock. Nothing here blocks, allocates or
//! calls out, so every method may be called up to DISPATCH_LEVEL.
//!
//! # Layers, each using only those below it
//!
//! | module | knows |
//! |---|---|
//! | `data_path` | pause, restart and removal of a port, with the NBLs that are outstanding |
//! | `counters` | frames and octets by class of address |
//! | `filter` | the packet filter and multicast list of a port |
//! | `frame` | lengths of frames |
//! | `address` | addresses and their classes |

#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::as_conversions)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a test that goes wrong is seen to"
    )
)]

#[cfg(test)]
extern crate std;

mod address;
mod counters;
mod data_path;
mod filter;
mod frame;

pub use address::{Address, AddressClass, LENGTH as ADDRESS_LENGTH};
pub use counters::{ClassCounters, FrameCounters};
pub use data_path::{DataPath, Disposition, Pause};
pub use filter::{Filter, MULTICAST_ADDRESSES, SUPPORTED as SUPPORTED_FILTERS};
pub use frame::{HEADER, LONGEST, MTU, is_legal_length};
