//! The state that the layer keeps of an object beyond the part that all objects have.

#![forbid(unsafe_code)]

use super::{Adapter, Connector, Cq, Listener, Memory, Qp, Srq, TrackedObject};

/// The state of an object that depends on its kind.
pub(crate) enum TypeState {
    /// An adapter's.
    Adapter(Adapter),
    /// A CQ's.
    Cq(Cq),
    /// A QP's.
    Qp(Qp),
    /// An SRQ's.
    Srq(Srq),
    /// A region's or window's.
    Memory(Memory),
    /// A listener's.
    Listener(Listener),
    /// A connector's.
    Connector(Connector),
    /// Nothing more.
    Plain,
}

impl TrackedObject {
    /// The state of a region or window; `None` for other objects.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        match &self.type_state {
            TypeState::Memory(memory) => Some(memory),
            _ => None,
        }
    }
}
