//! Memory as a consumer has it: lent, so that no access to it survives its end.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::MDL;

use super::lent::{Lent, LentOne};
use super::{Side, call, virtual_address};
use crate::number::{u32_from, usize_from};

/// Memory with a list that describes it, as a consumer would have locked it.
pub(crate) struct Buffer {
    pub(crate) bytes: Lent<u8>,
    pub(crate) mdl: LentOne<MDL>,
}

impl Buffer {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let bytes = Lent::new(&bytes);
        let address = bytes.pointer().expose_provenance();
        let mdl = LentOne::new(MDL {
            Next: null_mut(),
            Size: 0x38,
            MdlFlags: sys::wdm::MDL_SOURCE_IS_NONPAGED_POOL,
            AllocationProcessorNumber: 0,
            Reserved: 0,
            Process: null_mut(),
            MappedSystemVa: virtual_address(address),
            StartVa: virtual_address(address & !0xFFF),
            ByteCount: u32::try_from(bytes.len()).unwrap(),
            ByteOffset: u32_from(address & 0xFFF),
        });
        Self { bytes, mdl }
    }

    /// Cuts the list in two at byte `at`; the second one, which the first continues in, is returned.
    pub(crate) fn split(&mut self, at: u32) -> LentOne<MDL> {
        let mut second = LentOne::new(*self.mdl);
        let middle = self.address() + usize_from(at);
        second.StartVa = virtual_address(middle & !0xFFF);
        second.ByteOffset = u32_from(middle & 0xFFF);
        second.MappedSystemVa = virtual_address(middle);
        second.ByteCount = self.mdl.ByteCount - at;
        self.mdl.ByteCount = at;
        self.mdl.Next = std::ptr::from_mut(&mut *second);
        second
    }

    pub(crate) fn address(&self) -> usize {
        self.bytes.as_ptr().expose_provenance()
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
        let address = NDK_SGE_ADDRESS { VirtualAddress: virtual_address(self.address()) };
        NDK_SGE { Address: address, Length: length, MemoryRegionToken: token }
    }
}
