//! Checks of objects in a driver's memory: an object is used where it was initialised, and not initialised while it
//! is in use.
//!
//! The pages of the functions ask for objects that were initialised. On Windows an object that was not, or that was
//! copied to another place, or initialised again while it is queued, has links that lead elsewhere: the kernel writes
//! there.

use ntsim_core::address::Va;
use ntsim_core::verifier::{self, Finding};
use sys::wdm::DISPATCHER_HEADER;

use super::dispatcher::{self, kind};

/// Checks an object that is to be waited for or whose state is to change: the list in its header begins with itself,
/// as its initialisation left it. The waiters are kept elsewhere here.
///
/// # Safety
/// `object` is readable.
#[inline]
pub(super) unsafe fn check_initialised(object: *mut DISPATCHER_HEADER) {
    // SAFETY: the caller's promise.
    let list = unsafe { &raw mut (*object).WaitListHead };
    // SAFETY: as above.
    let header = unsafe { &*object };
    // A thread's header is the kernel's own.
    if header.Type == kind::THREAD || header.WaitListHead.Flink == list && header.WaitListHead.Blink == list {
        return;
    }
    let text = format!("the object at {object:p} was not initialised, or is a copy of one that was");
    verifier::report(Finding::new("ObjectNotInitialised").text(text));
}

/// Checks an object that is being initialised: no thread waits for it.
pub(super) fn check_unawaited(object: *mut DISPATCHER_HEADER) {
    if dispatcher::lock().is_awaited(object) {
        found("an object that a thread waits for", Va::of(object));
    }
}

/// Reports that an object is initialised while it is in use.
#[cold]
pub(super) fn found(what: &str, object: Va) {
    let text = format!("{what}, at {object}, is initialised again");
    verifier::report(Finding::new("ObjectInUse").text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::ptr;

    use ntsim_core::sched::{self, Irql};
    use sys::wdm::{EVENT_TYPE, KDPC, KEVENT, KTIMER, KWAIT_REASON, KernelMode};

    use super::*;
    use crate::ex::{ExAllocatePool2, ExFreePool};
    use crate::ke::dpc::{KeInitializeDpc, KeInsertQueueDpc};
    use crate::ke::object_exports::{KeInitializeEvent, KeSetEvent};
    use crate::ke::timer::{KeCancelTimer, KeInitializeTimer, KeSetTimer};
    use crate::ke::wait_exports::KeWaitForSingleObject;

    fn zeroed<T>() -> T {
        unsafe { MaybeUninit::zeroed().assume_init() }
    }

    fn wait(event: &mut KEVENT, timeout: i64) {
        let object = ptr::from_mut(event).cast();
        unsafe { KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, &timeout) };
    }

    #[test]
    fn object_that_was_not_initialised_or_moved_is_found() {
        let machine = crate::testing::builder().boot();
        let (mut zero, mut here): (KEVENT, KEVENT) = (zeroed(), zeroed());
        let mut timer: KTIMER = zeroed();
        unsafe {
            KeSetEvent(&mut zero, 0, 0);
            KeInitializeEvent(&mut here, EVENT_TYPE::NotificationEvent, 0);
            wait(&mut here, -1);
            let mut there = here;
            wait(&mut there, -1);
            KeSetTimer(&mut timer, -10_000_000, ptr::null_mut());
            KeCancelTimer(&mut timer);
        }
        assert_eq!(machine.shutdown().rules(), ["ObjectNotInitialised"; 3]);
    }

    #[test]
    fn dpc_that_was_not_initialised_is_found() {
        let machine = crate::testing::builder().boot();
        let mut dpc: KDPC = zeroed();
        assert_eq!(unsafe { KeInsertQueueDpc(&mut dpc, ptr::null_mut(), ptr::null_mut()) }, 0);
        assert_eq!(machine.shutdown().rules(), ["ObjectNotInitialised"]);
    }

    unsafe extern "efiapi" fn nothing(
        _: *mut KDPC,
        _: *mut core::ffi::c_void,
        _: *mut core::ffi::c_void,
        _: *mut core::ffi::c_void,
    ) {
    }

    #[test]
    fn timer_dpc_and_event_initialised_in_use_are_found() {
        let machine = crate::testing::builder().boot();
        let mut timer: KTIMER = zeroed();
        let mut dpc: KDPC = zeroed();
        let mut event: Box<KEVENT> = Box::new(zeroed());
        unsafe {
            KeInitializeTimer(&mut timer);
            KeSetTimer(&mut timer, -10_000_000, ptr::null_mut());
            KeInitializeTimer(&mut timer);
            KeCancelTimer(&mut timer);
            KeInitializeDpc(&mut dpc, Some(nothing), ptr::null_mut());
            let old = sched::raise(Irql::DISPATCH);
            KeInsertQueueDpc(&mut dpc, ptr::null_mut(), ptr::null_mut());
            KeInitializeDpc(&mut dpc, Some(nothing), ptr::null_mut());
            sched::lower(old);
            KeInitializeEvent(&mut *event, EVENT_TYPE::NotificationEvent, 0);
            let address = Va::of(&raw const *event);
            let waiter =
                sched::spawn("waiter", move || wait(&mut *address.ptr::<KEVENT>(), -5_000_000)).unwrap();
            while !dispatcher::lock().is_awaited(address.ptr()) {
                std::thread::yield_now();
            }
            KeInitializeEvent(&mut *event, EVENT_TYPE::NotificationEvent, 0);
            assert!(waiter.ends_within(core::time::Duration::from_secs(5)));
        }
        assert_eq!(machine.shutdown().rules(), ["ObjectInUse"; 3]);
    }

    #[test]
    fn freeing_the_dpc_of_a_timer_that_is_set_is_found() {
        let machine = crate::testing::builder().boot();
        let mut timer: KTIMER = zeroed();
        unsafe {
            let dpc: *mut KDPC = ExAllocatePool2(0x40, size_of::<KDPC>(), 0x3130_3030).cast();
            KeInitializeDpc(dpc, Some(nothing), ptr::null_mut());
            KeInitializeTimer(&mut timer);
            KeSetTimer(&mut timer, -10_000_000, dpc);
            ExFreePool(dpc.cast());
            KeCancelTimer(&mut timer);
        }
        let report = machine.shutdown();
        assert_eq!(report.rules(), ["PoolLiveObject"]);
        assert_eq!(report.findings[0].bugcheck.unwrap().parameters[0], 1);
    }
}
