//! Machines for the crate's own tests.

use ntsim_core::boot::{Builder, Machine};
use ntsim_core::subsystem::Subsystem;

/// A machine with NT and the network.
pub(crate) fn builder() -> Builder<Machine> {
    static PARTS: std::sync::OnceLock<Vec<&dyn Subsystem>> = std::sync::OnceLock::new();
    Builder::new(PARTS.get_or_init(|| {
        let all: [&[&dyn Subsystem]; 3] = [nt::SUBSYSTEMS, &[&ndk::Ndk], crate::SUBSYSTEMS];
        all.concat()
    }))
}
