//! NDIS 6: what a miniport driver and NDIS are to each other.
//!
//! Layouts come from published symbol files of `ndis.sys` (Windows 10 1909, where nothing else is said), values
//! from windows-sys, mingw-w64 and the Windows 8.1 kit. Only what an Ethernet miniport with RDMA meets is
//! here, at the level of NDIS 6.50 and later.

mod adapter;
mod base;
mod buffer;
mod configuration;
mod driver;
mod error_log;
pub mod functions;
mod interrupt;
mod link;
mod media;
mod ndk;
mod oid;
mod pnp;
mod statistics;
mod synchronization;

pub use adapter::*;
pub use base::*;
pub use buffer::*;
pub use configuration::*;
pub use driver::*;
pub use error_log::*;
pub use interrupt::*;
pub use link::*;
pub use media::*;
pub use ndk::*;
pub use oid::*;
pub use pnp::*;
pub use statistics::*;
pub use synchronization::*;

pub use functions::NDIS_IO_WORKITEM_ROUTINE;
// The functions themselves exist nowhere else.
#[cfg(windows)]
pub use functions::*;

/// The types of the functions that miniport drivers import.
pub mod signature {
    pub use super::functions::signature::*;
}
