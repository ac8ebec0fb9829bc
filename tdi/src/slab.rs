//! The files, by a number that a file object carries in place of a pointer.
//!
//! A number has a generation, so that a request on a file that is gone finds nothing, whatever has taken
//! its place; nothing that a client does with a stale file object can reach freed memory.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::mem::offset_of;
use core::num::NonZeroU32;

use provider::number::usize_from;
use provider::{NoMemory, Within as _};

/// Names a file. Never zero as a raw number, so that an empty `FsContext` names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Id {
    index: NonZeroU32,
    generation: u32,
}

const _: () = assert!(size_of::<Option<Id>>() == size_of::<Id>(), "where there is none, the index is zero");

impl Id {
    /// The number that goes into `FsContext`.
    #[must_use]
    pub const fn to_raw(self) -> u64 {
        let ([a, b, c, d], [e, f, g, h]) = (self.index.get().to_le_bytes(), self.generation.to_le_bytes());
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The file that a number names, if it names one.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = raw.to_le_bytes();
        match NonZeroU32::new(u32::from_le_bytes([a, b, c, d])) {
            Some(index) => Some(Self { index, generation: u32::from_le_bytes([e, f, g, h]) }),
            None => None,
        }
    }

    /// Returns whether it stands behind `other` in the order of iteration.
    pub(crate) const fn follows(self, other: Self) -> bool {
        self.index.get() > other.index.get()
    }

    fn place(self) -> usize {
        usize_from(self.index.get()).saturating_sub(1)
    }
}

struct Slot<T> {
    generation: u32,
    place: Place<T>,
}

/// The contents of a slot. A debugger reads it: a byte that says which, then the value.
#[repr(C, u8)]
enum Place<T> {
    /// None; the number of the next free slot, if there is one.
    Free(Option<NonZeroU32>) = 0,
    Used(T) = 1,
}

impl<T> Slot<T> {
    fn get(&self, generation: u32) -> Option<&T> {
        match &self.place {
            Place::Used(value) if self.generation == generation => Some(value),
            Place::Used(_) | Place::Free(_) => None,
        }
    }

    fn get_mut(&mut self, generation: u32) -> Option<&mut T> {
        match &mut self.place {
            Place::Used(value) if self.generation == generation => Some(value),
            Place::Used(_) | Place::Free(_) => None,
        }
    }
}

/// The slots as a debugger finds them: the address of the first, and how many there are.
#[derive(Debug)]
#[repr(C)]
struct View {
    first: usize,
    count: usize,
}

/// Offsets for a debugger, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct SlabLayout {
    /// The size of a slot.
    pub slot: usize,
    /// From the address of a slot, of a byte that is 1 if it has a value.
    pub used: usize,
    /// From there, of the value.
    pub value: usize,
    /// From there, of the generation, of four bytes. The number of a value has it above that of the slot, from 1.
    pub generation: usize,
}

/// Values by [`Id`].
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Option<NonZeroU32>,
    view: View,
}

impl<T> Slab<T> {
    /// The offset of the address of the first slot; behind it is their number.
    pub(crate) const VIEW: usize = offset_of!(Self, view);

    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: None, view: View { first: 0, count: 0 } }
    }

    /// The layout of the slots.
    pub(crate) const fn layout() -> SlabLayout {
        let used = offset_of!(Slot<T>, place);
        SlabLayout {
            slot: size_of::<Slot<T>>(),
            used,
            value: used.saturating_add(align_of::<Place<T>>()),
            generation: offset_of!(Slot<T>, generation),
        }
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and `value` is given back, to be dropped without a lock held.
    pub(crate) fn insert(&mut self, value: T) -> Result<Id, (NoMemory, T)> {
        if let Some(index) = self.free
            && let Some(slot) = self.slots.get_mut(usize_from(index.get()).saturating_sub(1))
            && let Place::Free(next) = slot.place
        {
            self.free = next;
            slot.place = Place::Used(value);
            return Ok(Id { index, generation: slot.generation });
        }
        let count = u32::try_from(self.slots.len()).ok();
        let index = count.and_then(|count| NonZeroU32::MIN.checked_add(count));
        let Some(index) = index.filter(|_| self.slots.try_reserve(1).is_ok()) else {
            return Err((NoMemory, value));
        };
        let pushed = self.slots.push_within(Slot { generation: 0, place: Place::Used(value) });
        self.view = View { first: self.slots.as_ptr().addr(), count: self.slots.len() };
        match pushed {
            Err(Slot { place: Place::Used(value), .. }) => Err((NoMemory, value)),
            Ok(()) | Err(_) => Ok(Id { index, generation: 0 }),
        }
    }

    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        self.slots.get(id.place())?.get(id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.slots.get_mut(id.place())?.get_mut(id.generation)
    }

    /// Takes a value out; its number names nothing from now on.
    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        let slot = self.slots.get_mut(id.place())?;
        slot.get(id.generation)?;
        let Place::Used(value) = core::mem::replace(&mut slot.place, Place::Free(self.free)) else {
            return None;
        };
        slot.generation = slot.generation.wrapping_add(1);
        self.free = Some(id.index);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().zip(numbers()).filter_map(|(slot, index)| match &slot.place {
            Place::Used(value) => Some((Id { index, generation: slot.generation }, value)),
            Place::Free(_) => None,
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Id, &mut T)> {
        self.slots.iter_mut().zip(numbers()).filter_map(|(slot, index)| match &mut slot.place {
            Place::Used(value) => Some((Id { index, generation: slot.generation }, value)),
            Place::Free(_) => None,
        })
    }
}

/// The numbers of slots.
fn numbers() -> impl Iterator<Item = NonZeroU32> {
    core::iter::successors(Some(NonZeroU32::MIN), |number| number.checked_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_never_zero_and_reads_back() {
        let mut slab = Slab::new();
        let id = slab.insert('a').unwrap();
        assert_ne!(id.to_raw(), 0);
        assert_eq!(Id::from_raw(id.to_raw()), Some(id));
        assert_eq!(Id::from_raw(0), None);
    }

    #[test]
    fn stale_number_names_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert('a').unwrap();
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').unwrap();
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
        assert_eq!(slab.iter().map(|(id, _)| id).collect::<Vec<_>>(), [second]);
    }
}
