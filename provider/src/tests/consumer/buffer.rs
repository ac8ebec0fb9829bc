//! Memory as a consumer has it: lent, so that no access to it survives its end.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::{MDL, PVOID};

use super::lent::{Lent, LentOne};
use super::{Side, call};

/// Memory with a list that describes it, as a consumer would have locked it.
pub(crate) struct Buffer {
    pub(crate) bytes: Lent<u8>,
    pub(crate) mdl: LentOne<MDL>,
}

impl Buffer {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let bytes = Lent::new(&bytes);
        let address = bytes.pointer() as usize;
        let mdl = LentOne::new(MDL {
            Next: null_mut(),
            Size: 0x38,
            MdlFlags: sys::wdm::MDL_SOURCE_IS_NONPAGED_POOL,
            AllocationProcessorNumber: 0,
            Reserved: 0,
            Process: null_mut(),
            MappedSystemVa: address as PVOID,
            StartVa: (address & !0xFFF) as PVOID,
            ByteCount: u32::try_from(bytes.len()).unwrap(),
            ByteOffset: (address & 0xFFF) as u32,
        });
        Self { bytes, mdl }
    }

    /// Cuts the list in two at byte `at`; the second one, which the first continues in, is returned.
    pub(crate) fn split(&mut self, at: u32) -> LentOne<MDL> {
        let mut second = LentOne::new(*self.mdl);
        let middle = self.address() + at as usize;
        second.StartVa = (middle & !0xFFF) as PVOID;
        second.ByteOffset = (middle & 0xFFF) as u32;
        second.MappedSystemVa = middle as PVOID;
        second.ByteCount = self.mdl.ByteCount - at;
        self.mdl.ByteCount = at;
        self.mdl.Next = std::ptr::from_mut(&mut *second);
        second
    }

    pub(crate) fn address(&self) -> usize {
        self.bytes.as_ptr() as usize
    }

    /// Registers the whole buffer; returns the region and its token.
    pub(crate) fn register(&mut self, side: &Side, flags: u32) -> (*mut NDK_MR, u32) {
        let mr = side.create_mr();
        let (mdl, length) = (std::ptr::from_mut(&mut *self.mdl), self.bytes.len());
        assert_eq!(call!(mr, NdkRegisterMr, mdl, length, flags, None, null_mut()), STATUS_SUCCESS);
        (mr, call!(mr, NdkGetLocalTokenFromMr))
    }

    pub(crate) fn sge(&self, token: u32) -> NDK_SGE {
        let length = u32::try_from(self.bytes.len()).unwrap();
        let address = NDK_SGE_ADDRESS { VirtualAddress: self.address() as PVOID };
        NDK_SGE { Address: address, Length: length, MemoryRegionToken: token }
    }
}
