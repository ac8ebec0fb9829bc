//! The layout of what all objects begin with.

use core::mem::offset_of;

use super::{Core, registry};
use crate::kernel::Kernel;

/// Offsets from an object's address, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct CoreLayout {
    /// Of the kind, an NDK_OBJECT_TYPE of four bytes.
    pub kind: usize,
    /// Of the word that counts what holds the object; see [`lifetime`](crate::lifetime).
    pub lifetime: usize,
    /// Of the pointer to the object before it in the registry, null in the first.
    pub before: usize,
    /// Of the pointer to the next one, null in the last.
    pub after: usize,
    /// The size: where the part of the object's kind begins at the earliest.
    pub size: usize,
}

impl CoreLayout {
    /// The layout on the kernel `K`.
    pub(crate) const fn of<K: Kernel>() -> Self {
        let place = offset_of!(Core<K>, place);
        let (before, after) = registry::neighbours_at::<K>();
        Self {
            kind: offset_of!(Core<K>, kind),
            lifetime: offset_of!(Core<K>, lifetime),
            before: place.saturating_add(before),
            after: place.saturating_add(after),
            size: size_of::<Core<K>>(),
        }
    }
}
