//! Winsock Kernel: how a driver registers as a client, obtains the provider, and through it the RDMA side
//! of an adapter.
//!
//! There are no sockets: the functions that would make one answer STATUS_NOT_SUPPORTED. Everything around
//! them is there, as a consumer of RDMA adapters needs it: registration, waiting for the provider,
//! releasing it, and the client control code that leads to `WskOpenNdkAdapter`.

mod client;
mod ndk;
mod provider;

#[cfg(test)]
mod tests;

use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

/// The functions of this folder: those that `netio.sys` exports, and those of the provider's tables.
const EXPORTS: &[&[Export]] = &[client::EXPORTS, ndk::EXPORTS, provider::EXPORTS];

/// The network programming interface of Winsock Kernel.
pub(crate) struct Wsk;

impl Subsystem for Wsk {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        client::inspect();
    }
}
