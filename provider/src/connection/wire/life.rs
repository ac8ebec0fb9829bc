//! The time for which TCP's connection or port is there: for the reasons of a close that is pending (TD-8).

#![forbid(unsafe_code)]

use crate::object::OnNetwork;
use crate::sync::{AtomicU32, Ordering};

/// Not begun, or closed.
const NONE: u32 = 0;
/// Begun.
const OPEN: u32 = 1;
/// TCP was asked to close it.
const CLOSING: u32 = 2;

/// See the module's head. A debugger reads the number.
pub(super) struct TcpLife(AtomicU32);

impl TcpLife {
    /// Not begun.
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    /// TCP is about to be asked for it.
    pub(super) fn begin(&self) {
        self.0.store(OPEN, Ordering::Release);
    }

    /// TCP is about to be asked to close it.
    pub(super) fn close(&self) {
        let _was_open = self.0.compare_exchange(OPEN, CLOSING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// It is closed.
    pub(super) fn closed(&self) {
        self.0.store(NONE, Ordering::Release);
    }

    /// The state, with the sends that TCP has, unless it is closed.
    pub(super) fn on_network(&self, sends: u32) -> Option<OnNetwork> {
        match self.0.load(Ordering::Acquire) {
            NONE => None,
            state => Some(OnNetwork { sends, closing: state == CLOSING }),
        }
    }
}
