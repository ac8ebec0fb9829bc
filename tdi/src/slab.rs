//! The files, by a number that a file object carries in place of a pointer.
//!
//! A number has a generation, so that a request on a file that is gone finds nothing, whatever has taken
//! its place; nothing that a client does with a stale file object can reach freed memory.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use provider::number::usize_from;
use provider::{NoMemory, Within as _};

/// Names a file. Never zero as a raw number, so that an empty `FsContext` names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// From 1.
    index: u32,
    generation: u32,
}

impl Id {
    /// The number that goes into `FsContext`.
    #[must_use]
    pub const fn to_raw(self) -> u64 {
        let ([a, b, c, d], [e, f, g, h]) = (self.index.to_le_bytes(), self.generation.to_le_bytes());
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The file that a number names, if it names one.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = raw.to_le_bytes();
        let (index, generation) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if index == 0 { None } else { Some(Self { index, generation }) }
    }

    /// Returns whether it stands behind `other` in the order of iteration.
    pub(crate) const fn follows(self, other: Self) -> bool {
        self.index > other.index
    }

    fn place(self) -> usize {
        usize_from(self.index).saturating_sub(1)
    }
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
    /// The next free place, if this one is.
    next_free: Option<u32>,
}

/// Values by [`Id`].
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Option<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: None }
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and `value` is given back, to be dropped without a lock held.
    pub(crate) fn insert(&mut self, value: T) -> Result<Id, (NoMemory, T)> {
        if let Some(index) = self.free
            && let Some(slot) = self.slots.get_mut(usize_from(index).saturating_sub(1))
        {
            self.free = slot.next_free.take();
            slot.value = Some(value);
            return Ok(Id { index, generation: slot.generation });
        }
        let index = u32::try_from(self.slots.len()).ok().and_then(|length| length.checked_add(1));
        let Some(index) = index.filter(|_| self.slots.try_reserve(1).is_ok()) else {
            return Err((NoMemory, value));
        };
        let slot = Slot { generation: 0, value: Some(value), next_free: None };
        match self.slots.push_within(slot) {
            Err(Slot { value: Some(value), .. }) => Err((NoMemory, value)),
            Ok(()) | Err(_) => Ok(Id { index, generation: 0 }),
        }
    }

    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        let slot = self.slots.get(id.place())?;
        slot.value.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.place())?;
        slot.value.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// Takes a value out; its number names nothing from now on.
    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        let slot = self.slots.get_mut(id.place()).filter(|slot| slot.generation == id.generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = self.free.replace(id.index);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().zip(1_u32..).filter_map(|(slot, index)| {
            slot.value.as_ref().map(|value| (Id { index, generation: slot.generation }, value))
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Id, &mut T)> {
        self.slots.iter_mut().zip(1_u32..).filter_map(|(slot, index)| {
            let generation = slot.generation;
            slot.value.as_mut().map(|value| (Id { index, generation }, value))
        })
    }
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
