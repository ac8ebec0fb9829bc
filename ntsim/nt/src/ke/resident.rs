//! Checks that objects the kernel uses at DISPATCH_LEVEL lie in memory that is resident at that level.

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::pageable;
use ntsim_core::verifier::{self, Finding};

/// Checks where an object is that is being initialised. Bug check 0xC4: 0xE1 for one that synchronises, 0x131
/// for a work item; its address.
#[inline]
pub(crate) fn check(code: u64, what: &str, object: Va) {
    if pageable::contains(object) {
        let bugcheck = Bugcheck { code: 0xC4, parameters: [code, object.bits(), 0, 0] };
        let text = format!("{what} at {object:#x} lies in pageable memory");
        verifier::report(Finding::new("PageableObject").bugcheck(bugcheck).text(text));
    }
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use crate::ex::{ExAllocatePool2, ExFreePool};
    use crate::io::{IoInitializeWorkItem, IoUninitializeWorkItem};
    use crate::ke::{KeInitializeDpc, KeInitializeMutex, KeInitializeSpinLock, KeInitializeTimer};

    #[test]
    fn objects_in_paged_pool_are_found() {
        for (flags, expected) in [(0x100, vec![0xE1, 0xE1, 0xE1, 0xE1, 0x131]), (0x40, vec![])] {
            let machine = crate::testing::builder().boot();
            unsafe {
                let block = ExAllocatePool2(flags, 0x100, 0x3130_3030);
                KeInitializeSpinLock(block.cast());
                KeInitializeMutex(block.cast(), 0);
                KeInitializeTimer(block.cast());
                KeInitializeDpc(block.cast(), None, ptr::null_mut());
                let item = block.wrapping_byte_add(0x80);
                IoInitializeWorkItem(ptr::null_mut(), item.cast());
                IoUninitializeWorkItem(item.cast());
                ExFreePool(block);
            }
            let codes = machine.shutdown().codes();
            assert_eq!(codes, expected);
        }
    }
}
