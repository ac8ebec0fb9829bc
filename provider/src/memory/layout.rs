//! The layout of windows and of the token table, for a debugger without private symbols.

use core::mem::offset_of;

use super::registration_state::RegistrationState;
use super::slot::{Parent, Registration, Slot};
use super::table::Table;
use super::window::{Mw, Region};
use super::{ProtectionDomain, Token};
use crate::kernel::{self, Kernel};
use crate::rundown::Rundown;

/// Offsets of what ties a window to its region, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct WindowLayout {
    /// From the address of a window's own part, of the lock of its reference to the region that it was bound to when it
    /// was closed.
    pub bound_to: usize,
    /// From there, of the number of its slot, of four bytes.
    pub slot: usize,
    /// From the address of a token table, of the pointer to its array of pointers to chunks of slots.
    pub chunks: usize,
    /// Slots in a chunk.
    pub slots_in_chunk: usize,
    /// The size of a slot.
    pub slot_size: usize,
    /// From the address of a slot, of the words of its two shards: the highest bit, that its registration is valid, and how
    /// many transfers use it.
    pub pins: [usize; 2],
    /// From there, of the reference of its registration to the region that the window is bound to.
    pub parent: usize,
    /// From there, of the token of that region, of four bytes: an index, and below it a key of `key_bits` bits.
    pub token: usize,
    /// See `token`.
    pub key_bits: usize,
}

impl WindowLayout {
    /// The layout on the kernel `K`, with protection domains of type `P`.
    pub(crate) const fn of<K: Kernel, P: ProtectionDomain<K>>() -> Self {
        const {
            assert!(
                size_of::<Option<Parent<K, P>>>() == size_of::<Parent<K, P>>(),
                "it lies where the option does"
            )
        };
        let owner = offset_of!(Mw<K, P>, registration_state);
        let value = offset_of!(Slot<K, P>, registration).saturating_add(Rundown::<Registration<K, P>>::VALUE);
        let parent = value.saturating_add(offset_of!(Registration<K, P>, parent));
        let [initiator, target] = Rundown::<Registration<K, P>>::WORDS;
        let words = offset_of!(Slot<K, P>, registration);
        Self {
            bound_to: offset_of!(Mw<K, P>, bound_to),
            slot: owner.saturating_add(offset_of!(RegistrationState<K, P>, slot)),
            chunks: offset_of!(Table<K, P>, chunks),
            slots_in_chunk: Table::<K, P>::SLOTS_IN_CHUNK,
            slot_size: size_of::<Slot<K, P>>(),
            pins: [words.saturating_add(initiator), words.saturating_add(target)],
            parent: parent.saturating_add(offset_of!(Parent<K, P>, region)),
            token: parent.saturating_add(offset_of!(Parent<K, P>, token)),
            key_bits: Token::KEY_BITS,
        }
    }

    /// The offset of the reference in the lock of `bound_to`.
    pub(crate) fn region_in_lock<K: Kernel, P: ProtectionDomain<K>>() -> usize {
        kernel::value_in_lock::<K, Region<K, P>>()
    }
}
