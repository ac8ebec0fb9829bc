//! Machines and an emulated function for the crate's own tests.

use crate::boot::{Builder, Machine};
use crate::exports;

/// A machine without any part of the kernel.
pub(crate) fn builder() -> Builder<Machine> {
    Builder::new(&[])
}

exports! {
    "ntoskrnl.exe";

    /// Does nothing.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeDoNothing() {}
}
