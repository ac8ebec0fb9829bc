//! Machines for the crate's own tests.

use ntsim_core::boot::{Builder, Machine};
use ntsim_core::subsystem::Subsystem;

/// A machine with the NDK layer.
pub(crate) fn builder() -> Builder<Machine> {
    const PARTS: &[&dyn Subsystem] = &[&crate::Ndk];
    Builder::new(PARTS)
}
