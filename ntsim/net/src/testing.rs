//! Machines for the crate's own tests.

use ntsim_core::boot::{Builder, Machine};

/// A machine with NT, the NDK layer and the network.
pub(crate) fn builder() -> Builder<Machine> {
    Builder::new(&[nt::SUBSYSTEMS, ndk::SUBSYSTEMS, crate::SUBSYSTEMS])
}
