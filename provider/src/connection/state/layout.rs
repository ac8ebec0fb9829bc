//! The layout of the state of a connection, for a debugger without private symbols.

use core::mem::offset_of;

use super::State;
use super::phase::PerSide;
use crate::connection::end::{AntecedentRefs, End};
use crate::kernel::Kernel;

/// Offsets from the address of a state, in bytes. A pair is of the side that connected, and of the other one.
#[derive(Debug)]
#[repr(C)]
pub struct StateLayout {
    /// Of the phase, one byte: 0 requested, 1 accepted, 2 established, 3 ending, 4 disconnected, 5 refused, 6 failed.
    pub phase: usize,
    /// Of the references of the connectors to their QPs.
    pub qps: [usize; 2],
    /// Of the references of the connectors to their shared endpoints.
    pub shared: [usize; 2],
}

impl StateLayout {
    /// The layout on the kernel `K`.
    pub(in crate::connection) const fn of<K: Kernel>() -> Self {
        let ends = offset_of!(State<K>, ends);
        let active = ends.saturating_add(offset_of!(PerSide<End<K>>, active));
        let passive = ends.saturating_add(offset_of!(PerSide<End<K>>, passive));
        let ties = offset_of!(End<K>, ties);
        let qp = ties.saturating_add(offset_of!(AntecedentRefs<K>, qp));
        let shared = ties.saturating_add(offset_of!(AntecedentRefs<K>, shared));
        Self {
            phase: offset_of!(State<K>, phase),
            qps: [active.saturating_add(qp), passive.saturating_add(qp)],
            shared: [active.saturating_add(shared), passive.saturating_add(shared)],
        }
    }
}
