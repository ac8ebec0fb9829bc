//! Memory that a peer may name.

use std::collections::BTreeMap;
use std::ops::Range;

use iwarp::ddp::Stag;
use iwarp::fault::AccessError;

/// The rights of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// It may read.
    pub read: bool,
    /// It may write.
    pub write: bool,
}

impl Rights {
    /// Both rights.
    pub const ALL: Self = Self { read: true, write: true };
}

#[derive(Debug)]
struct Region {
    /// The place of the first byte, as the peer names it.
    base: u64,
    bytes: Vec<u8>,
    rights: Rights,
}

/// Regions by their tokens. No token is given twice.
#[derive(Debug, Default)]
pub struct Memory {
    regions: BTreeMap<u32, Region>,
    given: u32,
}

impl Memory {
    /// Registers memory whose first byte the peer names `base`.
    pub fn register(&mut self, base: u64, bytes: Vec<u8>, rights: Rights) -> Stag {
        self.given += 1;
        let stag = (self.given << 8) | 0x5A;
        self.regions.insert(stag, Region { base, bytes, rights });
        Stag(stag)
    }

    /// Ends a token; returns whether there was one.
    pub fn invalidate(&mut self, stag: Stag) -> bool {
        self.regions.remove(&stag.0).is_some()
    }

    /// The bytes of a region.
    pub fn bytes(&self, stag: Stag) -> Option<&[u8]> {
        self.regions.get(&stag.0).map(|region| region.bytes.as_slice())
    }

    /// The bytes that a peer reads.
    pub(crate) fn read(&self, stag: Stag, offset: u64, length: u32) -> Result<&[u8], AccessError> {
        let region = self.regions.get(&stag.0).ok_or(AccessError::UnknownStag)?;
        let range = region.range(offset, u64::from(length))?;
        if region.rights.read { Ok(&region.bytes[range]) } else { Err(AccessError::Rights) }
    }

    /// The bytes that a peer writes.
    pub(crate) fn write(&mut self, stag: Stag, offset: u64, length: u16) -> Result<&mut [u8], AccessError> {
        let region = self.regions.get_mut(&stag.0).ok_or(AccessError::UnknownStag)?;
        let range = region.range(offset, u64::from(length))?;
        if region.rights.write { Ok(&mut region.bytes[range]) } else { Err(AccessError::Rights) }
    }
}

impl Region {
    fn range(&self, offset: u64, length: u64) -> Result<Range<usize>, AccessError> {
        let first = offset.checked_sub(self.base).ok_or(AccessError::Bounds)?;
        let end = first.checked_add(length).ok_or(AccessError::Wrap)?;
        let within = |place| usize::try_from(place).ok().filter(|place| *place <= self.bytes.len());
        within(first).zip(within(end)).map(|(first, end)| first..end).ok_or(AccessError::Bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_is_named_from_its_base() {
        let mut memory = Memory::default();
        let stag = memory.register(100, vec![1, 2, 3, 4], Rights { read: true, write: false });
        assert_eq!(memory.read(stag, 101, 3), Ok(&[2, 3, 4][..]));
        assert_eq!(memory.read(stag, 101, 4), Err(AccessError::Bounds));
        assert_eq!(memory.read(stag, 99, 1), Err(AccessError::Bounds));
        assert_eq!(memory.read(Stag(1), 100, 1), Err(AccessError::UnknownStag));
        assert_eq!(memory.write(stag, 100, 1), Err(AccessError::Rights));
        assert!(memory.invalidate(stag) && !memory.invalidate(stag));
    }
}
