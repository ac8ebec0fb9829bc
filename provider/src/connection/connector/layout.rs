//! The layout of a connector, for a debugger without private symbols.

use core::mem::offset_of;

use super::attempts::Attempts;
use super::{Connector, Indicated, Role};
use crate::kernel::{self, Kernel};

/// Offsets from the address of a connector's own part, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct ConnectorLayout {
    /// Of the role, one byte: 0 if it connects, 1 if a listener indicated it.
    pub role: usize,
    /// Of the lock of the attempts of one that connects.
    pub attempts: usize,
    /// Of the link of the last attempt, from the lock's value.
    pub last: usize,
    /// Of the reference to the listener of one that was indicated.
    pub listener: usize,
    /// Of the link of one that was indicated.
    pub indicated: usize,
}

impl ConnectorLayout {
    /// The layout on the kernel `K`.
    pub(crate) const fn of<K: Kernel>() -> Self {
        let role = offset_of!(Connector<K>, role);
        // A tag of one byte, then the contents, aligned as the most aligned of them: `repr(C, u8)`.
        let content = role.saturating_add(align_of::<Role<K>>());
        Self {
            role,
            attempts: content,
            last: offset_of!(Attempts<K>, last),
            listener: content.saturating_add(offset_of!(Indicated<K>, listener)),
            indicated: content.saturating_add(offset_of!(Indicated<K>, link)),
        }
    }

    /// The offset of the value in the lock of the attempts.
    pub(crate) fn lock<K: Kernel>() -> usize {
        kernel::value_in_lock::<K, Attempts<K>>()
    }
}
