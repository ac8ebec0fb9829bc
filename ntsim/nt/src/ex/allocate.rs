//! Allocating and freeing pool.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::sched::local;
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{
    EX_POOL_PRIORITY, POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED,
    POOL_FLAG_UNINITIALIZED, POOL_FLAGS, POOL_TYPE, signature,
};

use super::pool::{self, Kind, Request, Tag};

/// The bit of a `POOL_TYPE` that stands for paged pool.
const PAGED: i32 = 1;
/// The bit of a `POOL_TYPE` that stands for memory that can't be executed.
const NO_EXECUTE: i32 = 512;

exports! {
    "ntoskrnl.exe", signature;

    /// Allocates from the pool that the flags name, zeroed unless they say otherwise; null without memory.
    #[irql(PASSIVE..=HIGH)]
    fn ExAllocatePool2(flags: POOL_FLAGS, size: usize, tag: u32) -> *mut c_void {
        let kind = match flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED) {
            POOL_FLAG_PAGED => Kind::Paged,
            POOL_FLAG_NON_PAGED => Kind::NonPaged,
            POOL_FLAG_NON_PAGED_EXECUTE => {
                executable(flags, tag);
                Kind::NonPaged
            }
            _ => return ptr::null_mut(),
        };
        pool::allocate(Request { size, tag: Tag(tag), kind, zeroed: flags & POOL_FLAG_UNINITIALIZED == 0 })
    }

    /// Allocates from the pool of a type; null without memory.
    #[irql(PASSIVE..=HIGH)]
    fn ExAllocatePoolWithTag(kind: POOL_TYPE, size: usize, tag: u32) -> *mut c_void {
        allocate_typed(kind, size, tag)
    }

    /// As [`ExAllocatePoolWithTag`]; the priority matters only when memory is scarce.
    #[irql(PASSIVE..=HIGH)]
    fn ExAllocatePoolWithTagPriority(
        kind: POOL_TYPE,
        size: usize,
        tag: u32,
        _priority: EX_POOL_PRIORITY,
    ) -> *mut c_void {
        allocate_typed(kind, size, tag)
    }

    /// Frees a block of any tag.
    #[irql(PASSIVE..=HIGH)]
    fn ExFreePool(address: *mut c_void) {
        // SAFETY: who frees a block promises not to use it any more.
        unsafe { pool::free(address, None) };
    }

    /// Frees a block of the given tag; of any, if that is zero.
    #[irql(PASSIVE..=HIGH)]
    fn ExFreePoolWithTag(address: *mut c_void, tag: u32) {
        // SAFETY: who frees a block promises not to use it any more.
        unsafe { pool::free(address, (tag != 0).then_some(Tag(tag))) };
    }
}

pub(super) fn allocate_typed(pool: POOL_TYPE, size: usize, tag: u32) -> *mut c_void {
    let kind = if pool.0 & PAGED != 0 { Kind::Paged } else { Kind::NonPaged };
    if kind == Kind::NonPaged && pool.0 & NO_EXECUTE == 0 {
        executable(pool.0 as u64, tag);
    }
    pool::allocate(Request { size, tag: Tag(tag), kind, zeroed: false })
}

/// Bug check 0xC4, code 0x2000: address of the caller, pool type, tag.
#[cold]
fn executable(pool: u64, tag: u32) {
    let caller = local::innermost().map_or(0, |entry| entry.return_address().bits());
    verifier::report(
        Finding::new("ExecutablePool")
            .bugcheck(Bugcheck { code: 0xC4, parameters: [0x2000, caller, pool, u64::from(tag)] })
            .text(format!("executable pool asked for, tag '{}'", Tag(tag))),
    );
}

#[cfg(test)]
mod tests {
    use ntsim_core::address::Va;
    use ntsim_core::boot::ShutdownReport;
    use ntsim_core::sched::{self, Irql};

    use super::*;
    use crate::ex::{self, Faults};
    use crate::ke::{
        KeAcquireSpinLockAtDpcLevel, KeInitializeDpc, KeInitializeTimer, KeInsertQueueDpc, KeSetTimer,
    };

    const TAG: u32 = u32::from_le_bytes(*b"Test");

    fn codes(report: &ShutdownReport) -> Vec<(u32, u64)> {
        report.findings.iter().filter_map(|f| f.bugcheck).map(|b| (b.code, b.parameters[0])).collect()
    }

    #[test]
    fn block_is_zeroed_unless_asked_not_to_be() {
        let machine = crate::testing::builder().boot();
        unsafe {
            for (flags, expected) in
                [(POOL_FLAG_NON_PAGED, 0), (POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 0xA5)]
            {
                let block = ExAllocatePool2(flags, 100, TAG).cast::<u8>();
                assert_eq!(core::slice::from_raw_parts(block, 100), [expected; 100]);
                ExFreePoolWithTag(block.cast(), TAG);
            }
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn fresh_pool_not_zeroed_holds_the_builders_pattern() {
        let machine = crate::testing::builder().fresh_pool(0).boot();
        unsafe {
            let block = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 100, TAG).cast::<u8>();
            assert_eq!(core::slice::from_raw_parts(block, 100), [0; 100]);
            ExFreePool(block.cast());
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn blocks_are_aligned_as_on_windows() {
        let machine = crate::testing::builder().special_pool(8).boot();
        unsafe {
            let blocks: Vec<_> =
                (0..16).map(|n| (n, ExAllocatePool2(POOL_FLAG_PAGED, 1 + n * 700, TAG))).collect();
            for (n, block) in blocks {
                let alignment = if n < 8 && 1 + n * 700 >= 4096 { 4096 } else { 16 };
                assert!(Va::of(block).is_multiple_of(alignment));
                ExFreePool(block);
            }
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn mistakes_in_asking_are_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            ExFreePool(ExAllocatePool2(POOL_FLAG_PAGED, 0, TAG));
            ExFreePool(ExAllocatePool2(POOL_FLAG_PAGED, 1, 0));
            ExFreePool(ExAllocatePoolWithTag(POOL_TYPE::NonPagedPool, 1, TAG));
            let old = sched::raise(Irql::DISPATCH);
            let paged = ExAllocatePool2(POOL_FLAG_PAGED, 1, TAG);
            sched::lower(old);
            let old = sched::raise(Irql::HIGH);
            let nonpaged = ExAllocatePool2(POOL_FLAG_NON_PAGED, 1, TAG);
            sched::lower(old);
            ExFreePool(paged);
            ExFreePool(nonpaged);
        }
        assert_eq!(
            codes(&machine.shutdown()),
            [(0xC4, 0), (0xC2, 0x9B), (0xC4, 0x2000), (0xC4, 1), (0xC4, 2)]
        );
    }

    #[test]
    fn mistakes_in_freeing_are_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
            ExFreePool(block.byte_add(16));
            ExFreePoolWithTag(block, TAG + 1);
            ExFreePoolWithTag(block, TAG);
            ExFreePool(0x1234 as *mut c_void);
            let paged = ExAllocatePool2(POOL_FLAG_PAGED, 64, TAG);
            let old = sched::raise(Irql::DISPATCH);
            ExFreePool(paged);
            sched::lower(old);
        }
        assert_eq!(
            codes(&machine.shutdown()),
            [(0xC4, 0x16), (0xC2, 0xA), (0xC4, 0x13), (0xC4, 0x10), (0xC4, 0x11)]
        );
    }

    #[test]
    fn writing_around_a_block_is_found_when_it_is_freed() {
        for special in [0, 10] {
            let machine = crate::testing::builder().special_pool(special).boot();
            unsafe {
                for offset in [-1, 40] {
                    let block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 40, TAG);
                    block.cast::<u8>().offset(offset).write(1);
                    ExFreePool(block);
                }
            }
            let report = machine.shutdown();
            let kinds: Vec<_> = report.findings.iter().map(|f| f.bugcheck.unwrap().parameters[3]).collect();
            assert_eq!(kinds, [0x23, 0x24]);
        }
    }

    #[test]
    fn writing_to_a_freed_heap_block_is_found_at_the_latest_at_shutdown() {
        let machine = crate::testing::builder().special_pool(0).boot();
        unsafe {
            let block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 40, TAG);
            ExFreePool(block);
            block.cast::<u8>().add(3).write(1);
        }
        let report = machine.shutdown();
        assert_eq!(report.findings[0].rule, "SpecialPool");
    }

    #[test]
    fn leaked_block_is_left_in_the_report() {
        let machine = crate::testing::builder().boot();
        unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, 40, TAG) };
        let report = machine.shutdown();
        assert_eq!((report.pool.len(), report.pool[0].size, report.pool[0].tag), (1, 40, Tag(TAG)));
    }

    #[test]
    fn usage_counts_what_is_live_and_what_ever_was() {
        let machine = crate::testing::builder().boot();
        let before = ex::pool::usage();
        unsafe {
            let blocks = [40, 60].map(|size| ExAllocatePool2(POOL_FLAG_NON_PAGED, size, TAG));
            let open = ex::pool::usage();
            assert_eq!((open.blocks - before.blocks, open.bytes - before.bytes), (2, 100));
            blocks.into_iter().for_each(|block| ExFreePool(block));
        }
        let after = ex::pool::usage();
        assert_eq!((after.blocks, after.bytes), (before.blocks, before.bytes));
        assert_eq!(after.allocations - before.allocations, 2);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn exactly_the_chosen_allocation_fails() {
        let machine = crate::testing::builder().boot();
        ex::inject(Faults::Nth(2), None);
        let mut failed = Vec::new();
        for n in 0..5 {
            unsafe {
                let block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 40, TAG);
                if block.is_null() { failed.push(n) } else { ExFreePool(block) }
            }
        }
        assert_eq!((failed, ex::injected()), (vec![2], (5, 1)));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn random_failures_repeat_with_their_seed() {
        let run = |seed| {
            let machine = crate::testing::builder().boot();
            ex::inject(Faults::Random { probability: 0.5, seed }, None);
            let pattern: Vec<bool> = (0..64)
                .map(|_| unsafe {
                    let block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 40, TAG);
                    if !block.is_null() {
                        ExFreePool(block);
                    }
                    block.is_null()
                })
                .collect();
            assert!(machine.shutdown().is_clean());
            pattern
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn allocations_of_other_images_do_not_fail() {
        let machine = crate::testing::builder().boot();
        ex::inject(Faults::Nth(0), Some("other.sys"));
        unsafe { ExFreePool(ExAllocatePool2(POOL_FLAG_NON_PAGED, 40, TAG)) };
        assert_eq!(ex::injected(), (0, 0));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn freeing_a_timer_that_is_set_a_queued_dpc_or_a_held_lock_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let timer = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
            KeInitializeTimer(timer.cast());
            KeSetTimer(timer.cast(), -100_000, ptr::null_mut());
            ExFreePool(timer);
            let old = sched::raise(Irql::DISPATCH);
            let dpc = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
            KeInitializeDpc(dpc.cast(), None, ptr::null_mut());
            KeInsertQueueDpc(dpc.cast(), ptr::null_mut(), ptr::null_mut());
            ExFreePool(dpc);
            let lock = ExAllocatePool2(POOL_FLAG_NON_PAGED, 8, TAG);
            KeAcquireSpinLockAtDpcLevel(lock.cast());
            ExFreePool(lock);
            sched::lower(old);
        }
        assert_eq!(codes(&machine.shutdown()), [(0xC7, 0), (0xC7, 1), (0xC4, 0x100B)]);
    }
}
