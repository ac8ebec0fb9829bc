//! The layout of what all objects begin with, and of the references that hold objects.

use core::mem::offset_of;

use super::{Core, ObjectRef, ObjectType, registry};
use crate::kernel::Kernel;

/// Offsets from an object's address, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct CoreLayout {
    /// Of the kind, an NDK_OBJECT_TYPE of four bytes.
    pub kind: usize,
    /// Of the word that counts what holds the object; see [`lifetime`](crate::lifetime).
    pub lifetime: usize,
    /// Of the time at which it was closed while something held it, in units of 100 ns since boot; 0 before.
    pub pending_since: usize,
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
            pending_since: offset_of!(Core<K>, pending_since),
            before: place.saturating_add(before),
            after: place.saturating_add(after),
            size: size_of::<Core<K>>(),
        }
    }
}

/// Offsets from the address of a reference that holds an object, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct RefLayout {
    /// Of the object's address.
    pub object: usize,
    /// Of the kind of the hold, of four bytes: 0 is a successor's. What is none has another kind, or a null address.
    pub kind: usize,
}

impl RefLayout {
    /// The layout on the kernel `K`; it is the same for all types of objects, of which `B` is one.
    pub(crate) const fn of<K: Kernel, B: ObjectType<K>>() -> Self {
        Self { object: ObjectRef::<K, B>::OBJECT, kind: ObjectRef::<K, B>::KIND }
    }
}
