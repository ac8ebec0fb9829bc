//! Objects that NDIS makes for drivers: locks, timers, memory descriptor lists; each rule broken once.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use ntsim_core::sched::{self, Irql};
use sys::ndis::*;
use sys::status::*;
use sys::wdm::EX_POOL_PRIORITY;

use super::miniport::{Break, Fixture, HANDLE, head, zeroed};
use crate::ndis::configuration::{
    NdisCloseConfiguration, NdisOpenConfigurationEx, NdisReadConfiguration, NdisWriteConfiguration,
};
use crate::ndis::lifecycle::NdisMResetComplete;
use crate::ndis::mdl::{NdisAllocateMdl, NdisFreeMdl};
use crate::ndis::memory::{NdisAllocateMemoryWithTagPriority, NdisFreeMemoryWithTagPriority};
use crate::ndis::rw_lock::*;
use crate::ndis::timer::*;

const TAG: u32 = u32::from_le_bytes(*b"tseT");

/// The rules that were found broken after `f`, which gets the adapter's handle.
fn found(f: impl FnOnce(NDIS_HANDLE)) -> Vec<&'static str> {
    let fixture = Fixture::boot(Break::Nothing);
    f(HANDLE.load(Ordering::SeqCst));
    fixture.finish().rules()
}

fn allocate(handle: NDIS_HANDLE) -> *mut c_void {
    unsafe { NdisAllocateMemoryWithTagPriority(handle, 64, TAG, EX_POOL_PRIORITY::NormalPoolPriority) }
}

#[test]
fn oldest_version_of_ndis_6_is_accepted_and_one_that_never_was_is_not() {
    let oldest = Fixture::boot(Break::OldestVersion);
    assert_eq!(oldest.registered, NDIS_STATUS_SUCCESS);
    assert!(oldest.finish().is_clean());
    let none = Fixture::boot(Break::NoVersion);
    assert_eq!(none.registered, NDIS_STATUS_BAD_VERSION);
    assert!(none.finish().is_clean());
}

#[test]
fn lock_in_the_memory_of_the_driver_restores_the_level() {
    let found = found(|_| unsafe {
        let mut lock: NDIS_RW_LOCK = zeroed();
        let (mut one, mut two): (LOCK_STATE, LOCK_STATE) = (zeroed(), zeroed());
        NdisInitializeReadWriteLock(&mut lock);
        NdisAcquireReadWriteLock(&mut lock, 0, &mut one);
        NdisAcquireReadWriteLock(&mut lock, 0, &mut two);
        assert_eq!((sched::irql(), one.OldIrql, two.OldIrql), (Irql::DISPATCH, 0, 2));
        NdisReleaseReadWriteLock(&mut lock, &mut two);
        NdisReleaseReadWriteLock(&mut lock, &mut one);
        NdisAcquireReadWriteLock(&mut lock, 1, &mut one);
        NdisReleaseReadWriteLock(&mut lock, &mut one);
        assert_eq!(sched::irql(), Irql::PASSIVE);
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn lock_that_is_misused_is_found() {
    let found = found(|handle| unsafe {
        let mut lock: NDIS_RW_LOCK = zeroed();
        let mut state: LOCK_STATE = zeroed();
        // Not initialised.
        NdisAcquireReadWriteLock(&mut lock, 0, &mut state);
        let made = NdisAllocateRWLock(handle);
        let (mut one, mut two): (LOCK_STATE_EX, LOCK_STATE_EX) = (zeroed(), zeroed());
        NdisAcquireRWLockRead(made, &mut one, 0);
        // With a state that is in use, and for writing while it is read by the same thread.
        NdisAcquireRWLockRead(made, &mut one, NDIS_RWL_AT_DISPATCH_LEVEL);
        NdisAcquireRWLockWrite(made, &mut two, NDIS_RWL_AT_DISPATCH_LEVEL);
        // With a state that it was not acquired with.
        NdisReleaseRWLock(made, &mut two);
        // While it is held.
        NdisFreeRWLock(made);
        sched::lower(Irql::PASSIVE);
    });
    assert_eq!(found, ["NdisRwLock"; 5]);
}

#[test]
fn lock_that_is_left_or_freed_twice_is_found() {
    let found = found(|handle| unsafe {
        let made = NdisAllocateRWLock(handle);
        NdisFreeRWLock(made);
        NdisFreeRWLock(made);
        NdisAllocateRWLock(handle);
    });
    assert_eq!(found, ["NdisRwLock"; 2]);
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "efiapi" fn count(_: *mut c_void, context: *mut c_void, _: *mut c_void, _: *mut c_void) {
    assert_eq!(sched::irql(), Irql::DISPATCH);
    RUNS.fetch_add(context.addr(), Ordering::SeqCst);
}

fn timer(handle: NDIS_HANDLE, size: usize) -> NDIS_HANDLE {
    RUNS.store(0, Ordering::SeqCst);
    let characteristics = NDIS_TIMER_CHARACTERISTICS {
        Header: head(NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS, 1, size),
        AllocationTag: TAG,
        TimerFunction: Some(count),
        FunctionContext: ptr::without_provenance_mut(1),
    };
    let mut made = ptr::null_mut();
    let status = unsafe { NdisAllocateTimerObject(handle, &characteristics, &mut made) };
    assert_eq!(status == NDIS_STATUS_SUCCESS, size == 0x18);
    made
}

fn wait_for(runs: usize) {
    while RUNS.load(Ordering::SeqCst) < runs {
        sched::block(Some(core::time::Duration::from_millis(1)));
    }
}

#[test]
fn timer_runs_with_its_context_until_it_is_cancelled() {
    let found = found(|handle| unsafe {
        let timer = timer(handle, 0x18);
        assert_eq!(NdisSetTimerObject(timer, -10_000, 0, ptr::null_mut()), 0);
        wait_for(1);
        assert_eq!(NdisSetTimerObject(timer, -10_000, 1, ptr::without_provenance_mut(100)), 0);
        wait_for(301);
        assert_eq!(NdisCancelTimerObject(timer), 1);
        let runs = RUNS.load(Ordering::SeqCst);
        sched::block(Some(core::time::Duration::from_millis(5)));
        assert_eq!(RUNS.load(Ordering::SeqCst), runs);
        NdisFreeTimerObject(timer);
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn timer_that_is_misused_is_found() {
    let found = found(|handle| unsafe {
        timer(handle, 0x10);
        let made = timer(handle, 0x18);
        NdisSetTimerObject(made, -1_000_000_000, 1000, ptr::null_mut());
        let before = sched::raise(Irql::DISPATCH);
        NdisCancelTimerObject(made);
        sched::lower(before);
        NdisSetTimerObject(made, -1_000_000_000, 0, ptr::null_mut());
        // While it is set, and then once more.
        NdisFreeTimerObject(made);
        NdisFreeTimerObject(made);
        // Left when the adapter is halted.
        timer(handle, 0x18);
    });
    assert_eq!(found, ["NdisObjectHeader", "NdisTimer", "NdisTimer", "NdisTimer", "NdisTimer"]);
}

#[test]
fn list_describes_nonpaged_pool_and_is_freed_once() {
    let clean = found(|handle| unsafe {
        let memory = allocate(handle);
        let list = NdisAllocateMdl(handle, memory, 64);
        assert_eq!(((*list).ByteCount, (*list).MappedSystemVa), (64, memory));
        NdisFreeMdl(list);
        NdisFreeMemoryWithTagPriority(handle, memory, TAG);
    });
    assert!(clean.is_empty(), "{clean:?}");
    let broken = found(|handle| unsafe {
        static GLOBAL: [u8; 8] = [0; 8];
        let list = NdisAllocateMdl(handle, GLOBAL.as_ptr().cast_mut().cast(), 8);
        NdisFreeMdl(list);
        NdisFreeMdl(list);
    });
    assert_eq!(broken, ["NdisMdl"; 2]);
}

#[test]
fn memory_that_is_freed_with_another_tag_is_found() {
    let found = found(|handle| unsafe { NdisFreeMemoryWithTagPriority(handle, allocate(handle), TAG + 1) });
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn reset_that_was_not_asked_for_is_found() {
    let found = found(|handle| unsafe { NdisMResetComplete(handle, NDIS_STATUS_SUCCESS, 0) });
    assert_eq!(found, ["NdisStateTransition"]);
}

#[test]
fn keyword_that_is_written_is_read_again() {
    let clean = found(|handle| unsafe {
        let object = NDIS_CONFIGURATION_OBJECT {
            Header: head(NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT, 1, 0x18),
            NdisHandle: handle,
            Flags: 0,
        };
        let (mut open, mut status, mut read) = (ptr::null_mut(), 0, ptr::null_mut());
        assert_eq!(NdisOpenConfigurationEx(&object, &mut open), NDIS_STATUS_SUCCESS);
        let mut name: Vec<u16> = "Depth\0".encode_utf16().collect();
        let keyword = sys::wdm::UNICODE_STRING { Length: 10, MaximumLength: 12, Buffer: name.as_mut_ptr() };
        let mut value: NDIS_CONFIGURATION_PARAMETER = zeroed();
        value.ParameterType = NDIS_PARAMETER_TYPE::NdisParameterInteger;
        value.ParameterData.IntegerData = 77;
        NdisWriteConfiguration(&mut status, open, &keyword, &value);
        assert_eq!(status, NDIS_STATUS_SUCCESS);
        NdisReadConfiguration(&mut status, &mut read, open, &keyword, value.ParameterType);
        assert_eq!((status, (*read).ParameterData.IntegerData), (NDIS_STATUS_SUCCESS, 77));
        value.ParameterType = NDIS_PARAMETER_TYPE(9);
        NdisWriteConfiguration(&mut status, open, &keyword, &value);
        assert_eq!(status, NDIS_STATUS_NOT_SUPPORTED);
        NdisCloseConfiguration(open);
    });
    assert!(clean.is_empty(), "{clean:?}");
}
