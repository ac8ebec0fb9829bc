//! Events, semaphores and mutexes.

use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::sched::{self, Irql};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{
    BOOLEAN, DISPATCHER_HEADER, EVENT_TYPE, KEVENT, KMUTANT, KPRIORITY, KSEMAPHORE, LIST_ENTRY, signature,
};

use super::dispatcher::{self, kind};
use super::{lock_order, object_state, resident};

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises an event.
    #[irql(PASSIVE..=HIGH)]
    fn KeInitializeEvent(event: *mut KEVENT, kind: EVENT_TYPE, state: BOOLEAN) {
        let kind = match kind {
            EVENT_TYPE::SynchronizationEvent => kind::SYNCHRONIZATION_EVENT,
            _ => kind::NOTIFICATION_EVENT,
        };
        // SAFETY: the caller passes an event of its own.
        unsafe { initialise(event.cast(), kind, size_of::<KEVENT>(), i32::from(state != 0)) };
    }

    /// Signals an event; its state before.
    #[irql(PASSIVE..=HIGH)]
    fn KeSetEvent(event: *mut KEVENT, _increment: KPRIORITY, wait: BOOLEAN) -> i32 {
        let irql = sched::irql();
        if irql > Irql::DISPATCH || wait != 0 && irql > Irql::APC {
            let parameters = [0x80, u64::from(irql.0), Va::of(event).bits(), 0];
            found("IrqlKeSetEvent", parameters, format!("KeSetEvent called at {irql}, Wait = {wait}"));
        }
        // SAFETY: the caller passes an initialised event.
        unsafe { set(event.cast(), 1) }
    }

    /// Makes an event not signaled.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeClearEvent(event: *mut KEVENT) {
        // SAFETY: the caller passes an initialised event.
        unsafe { set(event.cast(), 0) };
    }

    /// Makes an event not signaled; its state before.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeResetEvent(event: *mut KEVENT) -> i32 {
        // SAFETY: the caller passes an initialised event.
        unsafe { set(event.cast(), 0) }
    }

    /// An event's state.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeReadStateEvent(event: *mut KEVENT) -> i32 {
        // SAFETY: the caller passes an initialised event.
        unsafe { state(event.cast()) }
    }

    /// Initialises a semaphore. `wdm.h` allows DISPATCH_LEVEL, the page does not:
    /// <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-keinitializesemaphore>.
    #[irql(PASSIVE..=PASSIVE)]
    fn KeInitializeSemaphore(semaphore: *mut KSEMAPHORE, count: i32, limit: i32) {
        // SAFETY: the caller passes a semaphore of its own.
        unsafe { initialise(semaphore.cast(), kind::SEMAPHORE, size_of::<KSEMAPHORE>(), count) };
        // SAFETY: as above.
        unsafe { (*semaphore).Limit = limit };
    }

    /// Adds to a semaphore's count; its count before.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeReleaseSemaphore(
        semaphore: *mut KSEMAPHORE,
        _increment: KPRIORITY,
        adjustment: i32,
        _wait: BOOLEAN,
    ) -> i32 {
        // SAFETY: the caller passes a semaphore.
        unsafe { object_state::check_initialised(semaphore.cast()) };
        let mut locked = dispatcher::lock();
        // SAFETY: the caller passes an initialised semaphore; the lock is held.
        let known = unsafe { &mut *semaphore };
        let before = known.Header.SignalState;
        match before.checked_add(adjustment).filter(|count| adjustment > 0 && *count <= known.Limit) {
            Some(count) => {
                known.Header.SignalState = count;
                // SAFETY: the semaphore begins with its header.
                unsafe { locked.signaled(semaphore.cast()) };
            }
            None => {
                drop(locked);
                let text = format!("a semaphore of count {before} released by {adjustment}: over its limit");
                verifier::report(Finding::new("SemaphoreLimit").text(text));
            }
        }
        before
    }

    /// A semaphore's count.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeReadStateSemaphore(semaphore: *mut KSEMAPHORE) -> i32 {
        // SAFETY: the caller passes an initialised semaphore.
        unsafe { state(semaphore.cast()) }
    }

    /// Initialises a mutex, free.
    #[irql(PASSIVE..=HIGH)]
    fn KeInitializeMutex(mutex: *mut KMUTANT, _level: u32) {
        if let Some(owner) = lock_order::initialising(Va::of(mutex)) {
            let text = format!("a mutex initialised again while {owner:?} owns it");
            found("MutexOwner", [0x1005, Va::of(mutex).bits(), 0, 0], text);
        }
        // SAFETY: the caller passes a mutex of its own.
        unsafe { initialise(mutex.cast(), kind::MUTANT, size_of::<KMUTANT>(), 1) };
        // SAFETY: as above.
        let mutex = unsafe { &mut *mutex };
        mutex.OwnerThread = ptr::null_mut();
        mutex.Abandoned = 0;
        mutex.ApcDisable = 1;
    }

    /// Gives a mutex back, once; its state before.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeReleaseMutex(mutex: *mut KMUTANT, _wait: BOOLEAN) -> i32 {
        // SAFETY: the caller passes a mutex.
        unsafe { object_state::check_initialised(mutex.cast()) };
        let mut locked = dispatcher::lock();
        // SAFETY: the caller passes an initialised mutex; the lock is held.
        let known = unsafe { &mut *mutex };
        let before = known.Header.SignalState;
        let owner = Va::of(known.OwnerThread).bits();
        let thread = sched::current().map_or(0, |thread| Va::of(ptr::from_ref(thread)).bits());
        if owner != thread {
            drop(locked);
            let text = "a mutex released by a thread that does not own it".into();
            found("MutexOwner", [0x1004, Va::of(mutex).bits(), owner, thread], text);
            return before;
        }
        known.Header.SignalState += 1;
        if known.Header.SignalState > 0 {
            known.OwnerThread = ptr::null_mut();
            if let Some(thread) = sched::current() {
                thread.mutexes.remove(Va::of(mutex));
            }
            // SAFETY: the mutex begins with its header.
            unsafe { locked.signaled(mutex.cast()) };
        }
        before
    }
}

/// # Safety
/// `object` is writable memory of that size that is not in use.
pub(crate) unsafe fn initialise(object: *mut DISPATCHER_HEADER, kind: u8, size: usize, state: i32) {
    resident::check(0xE1, "an object to wait for", Va::of(object));
    object_state::check_unawaited(object);
    // SAFETY: the caller's promise.
    let list = unsafe { &raw mut (*object).WaitListHead };
    let header = DISPATCHER_HEADER {
        Type: kind,
        Signalling: 0,
        Size: narrow(size / 4),
        Reserved1: 0,
        SignalState: state,
        WaitListHead: LIST_ENTRY { Flink: list, Blink: list },
    };
    // SAFETY: the caller's promise.
    unsafe { object.write(header) };
}

/// Sets an object's state; the one before.
///
/// # Safety
/// `object` is a dispatcher object.
pub(crate) unsafe fn set(object: *mut DISPATCHER_HEADER, state: i32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { object_state::check_initialised(object) };
    let mut locked = dispatcher::lock();
    // SAFETY: the caller's promise; the lock is held.
    let before = unsafe { core::mem::replace(&mut (*object).SignalState, state) };
    if state > 0 {
        // SAFETY: the caller's promise.
        unsafe { locked.signaled(object) };
    }
    before
}

/// # Safety
/// `object` is a dispatcher object.
pub(super) unsafe fn state(object: *const DISPATCHER_HEADER) -> i32 {
    let _locked = dispatcher::lock();
    // SAFETY: the caller's promise; the lock is held.
    unsafe { (*object).SignalState }
}

#[cold]
fn found(rule: &'static str, parameters: [u64; 4], text: String) {
    verifier::report(Finding::new(rule).bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
}
