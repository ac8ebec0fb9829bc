//! The state of a connector.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};

/// The state that the layer keeps of a connector.
#[derive(Default)]
pub(crate) struct Connector {
    disconnected: AtomicBool,
}

impl Connector {
    /// Returns whether the peer's disconnect has been told before; it is being told now.
    pub(crate) fn tells_again(&self) -> bool {
        self.disconnected.swap(true, Ordering::Relaxed)
    }
}
