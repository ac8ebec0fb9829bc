//! Machines for the crate's own tests.

use ntsim_core::boot::{Builder, Machine};

/// A machine with NT.
pub(crate) fn builder() -> Builder<Machine> {
    Builder::new(&[crate::SUBSYSTEMS])
}
