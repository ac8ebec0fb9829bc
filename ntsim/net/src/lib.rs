//! The network side of the kernel: NDIS, the IP helper of TCP/IP, and the network programming interface of Winsock
//! Kernel as far as RDMA consumers need it.
//!
//! For the author of an NDIS miniport driver: boot a machine with the parts of `nt`, `ndk` and [`SUBSYSTEMS`]; add
//! adapters and start them with [`ndis::add_adapters`] and [`ndis::start_adapters`].
//!
//! # Example
//!
//! ```
//! use ntsim_core::boot::{Builder, Machine};
//! use softndk_ntsim_net::{SUBSYSTEMS, ndis};
//!
//! let machine: Machine = Builder::new(&[nt::SUBSYSTEMS, ndk::SUBSYSTEMS, SUBSYSTEMS]).boot();
//! ndis::add_adapters([ndis::AdapterConfig::new(7, ["10.0.0.7".parse().unwrap()])]);
//! // In place of the null pointer: the driver object of a miniport driver, which has registered in its DriverEntry.
//! // Its adapters are initialised and restarted when this returns.
//! assert!(ndis::start_adapters(core::ptr::null_mut()).is_err());
//! assert!(ndis::adapter(7).is_none(), "no driver runs it");
//! assert!(machine.shutdown().is_clean());
//! ```
//!
//! # Layers
//!
//! A module uses those below it only.
//!
//! | module | contents |
//! |---|---|
//! | `wsk` | Winsock Kernel: registration, and the interface by which RDMA consumers open adapters |
//! | `ndis` | NDIS |
//! | `ip_helper` | interfaces, their addresses, notifications of changes |

#![cfg(not(windows))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    clippy::std_instead_of_alloc,
    reason = "a tool that runs in user mode: a broken invariant of its own stops it loudly"
)]
#![cfg_attr(
    test,
    allow(
        clippy::multiple_unsafe_ops_per_block,
        clippy::undocumented_unsafe_blocks,
        reason = "a test plays a driver: its calls belong together, and break rules on purpose"
    )
)]

#[expect(unsafe_code, reason = "exports take addresses, as those of Windows do")]
pub mod ip_helper;
#[expect(unsafe_code, reason = "exports take addresses, as those of Windows do")]
pub mod ndis;
#[cfg(test)]
mod testing;
#[expect(unsafe_code, reason = "exports take addresses, as those of Windows do")]
pub mod wsk;

use ntsim_core::subsystem::Subsystem;

/// The parts of the network, in the order in which they are booted.
pub const SUBSYSTEMS: &[&dyn Subsystem] = &[&ip_helper::IpHelper, &ndis::NdisLibrary, &wsk::Wsk];
