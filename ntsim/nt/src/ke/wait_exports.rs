//! Waiting and sleeping.

use core::slice;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Irql, local};
use ntsim_core::verifier::{self, Finding};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_WAIT_0};
use sys::wdm::{
    BOOLEAN, DISPATCHER_HEADER, KPROCESSOR_MODE, KWAIT_BLOCK, KWAIT_REASON, LARGE_INTEGER,
    MAXIMUM_WAIT_OBJECTS, THREAD_WAIT_OBJECTS, UserMode, WAIT_TYPE, signature,
};

use super::{dispatcher, lock_order, no_wait, object_state, timer_accuracy};

exports! {
    "ntoskrnl.exe", signature;

    /// Waits for an object, or until the time is over.
    #[irql(PASSIVE..=HIGH)]
    fn KeWaitForSingleObject(
        object: *mut core::ffi::c_void,
        _reason: KWAIT_REASON,
        mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        timeout: *const LARGE_INTEGER,
    ) -> NTSTATUS {
        // SAFETY: the caller passes a dispatcher object, which stays one while it waits.
        unsafe { wait(&[object.cast()], false, mode, timeout) }
    }

    /// Waits for one or all of several objects, or until the time is over.
    #[irql(PASSIVE..=HIGH)]
    fn KeWaitForMultipleObjects(
        count: u32,
        objects: *const *mut core::ffi::c_void,
        kind: WAIT_TYPE,
        _reason: KWAIT_REASON,
        mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        timeout: *const LARGE_INTEGER,
        blocks: *mut KWAIT_BLOCK,
    ) -> NTSTATUS {
        let most = if blocks.is_null() { THREAD_WAIT_OBJECTS } else { MAXIMUM_WAIT_OBJECTS };
        if count.to_usize() > most {
            let text = format!("a wait for {count} objects, of which {most} are allowed");
            let bugcheck = Bugcheck { code: 0xC, parameters: [0; 4] };
            verifier::report(Finding::new("WaitObjects").bugcheck(bugcheck).text(text));
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller passes an array of that many objects.
        let objects = unsafe { slice::from_raw_parts(objects.cast(), count.to_usize()) };
        // SAFETY: the caller passes dispatcher objects, which stay so while it waits.
        unsafe { wait(objects, kind == WAIT_TYPE::WaitAll, mode, timeout) }
    }

    /// Sleeps.
    #[irql(PASSIVE..=APC)]
    fn KeDelayExecutionThread(
        _mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        interval: *const LARGE_INTEGER,
    ) -> NTSTATUS {
        // SAFETY: the caller passes an interval.
        let interval = unsafe { *interval };
        no_wait::check(Some(from_now(interval)));
        at_passive(|| {
            // SAFETY: there is no object.
            unsafe { dispatcher::wait(&[], false, Some(from_now(interval))) }
        });
        STATUS_SUCCESS
    }
}

/// # Safety
/// The objects are dispatcher objects and stay so until this returns; `timeout` is null or readable.
unsafe fn wait(
    objects: &[*mut DISPATCHER_HEADER],
    all: bool,
    mode: KPROCESSOR_MODE,
    timeout: *const LARGE_INTEGER,
) -> NTSTATUS {
    let thread = sched::current().expect("a driver runs on a thread of the machine");
    // SAFETY: the caller's promise.
    let limit = unsafe { timeout.as_ref() }.map(|time| from_now(*time));
    // Windows 8 and later measure the interval of KeDelayExecutionThread from the precise time, that of waits by ticks.
    let limit_by_ticks = limit.map(|limit| {
        // SAFETY: the caller's promise.
        let relative = unsafe { timeout.as_ref() }.is_some_and(|time| *time < 0);
        if relative { timer_accuracy::by_ticks(limit) } else { limit }
    });
    let first = objects.first().map_or(0, |object| Va::of(*object).bits());
    check_level(first, Va::of(timeout).bits(), limit);
    if mode == UserMode && objects.iter().any(|object| local::read_stack(Va::of(*object)).is_some()) {
        let text = "a wait in user mode for an object on the kernel stack, which may be swapped out".into();
        found([0x123, first, 0, 0], text);
    }
    for object in objects {
        // SAFETY: the caller's promise.
        unsafe { object_state::check_initialised(*object) };
    }
    // SAFETY: the caller's promise.
    let mutexes = unsafe { mutexes(objects) };
    if mutexes.len() < objects.len() {
        no_wait::check(limit);
    }
    if limit != Some(0) {
        mutexes.iter().for_each(|mutex| lock_order::acquiring(*mutex, thread));
    }
    // SAFETY: the caller's promise.
    match at_passive(|| unsafe { dispatcher::wait(objects, all, limit_by_ticks) }) {
        Some(number) => {
            let taken = |mutex: &&Va| all || objects.get(number).is_some_and(|o| Va::of(*o) == **mutex);
            for mutex in mutexes.iter().filter(taken).filter(|mutex| !thread.mutexes.contains(**mutex)) {
                thread.mutexes.add(*mutex, None);
            }
            STATUS_WAIT_0 + number as NTSTATUS
        }
        None => STATUS_TIMEOUT,
    }
}

/// The mutexes among dispatcher objects.
///
/// # Safety
/// The objects are dispatcher objects.
unsafe fn mutexes(objects: &[*mut DISPATCHER_HEADER]) -> Vec<Va> {
    // SAFETY: the caller's promise; an object's type does not change.
    let is_mutex = |object: &&*mut DISPATCHER_HEADER| unsafe { (***object).Type } == dispatcher::kind::MUTANT;
    objects.iter().filter(is_mutex).map(|object| Va::of(*object)).collect()
}

/// Bug check 0xC4, codes 0x120 to 0x122: address of the level (here the level), object, time-out.
fn check_level(object: u64, timeout: u64, limit: Option<u64>) {
    let irql = sched::irql();
    let (code, text) = match limit {
        _ if irql > Irql::DISPATCH => (0x120, "a wait"),
        _ if irql < Irql::DISPATCH => return,
        None => (0x121, "a wait without a time-out"),
        Some(0) => return,
        Some(_) => (0x122, "a wait that may block"),
    };
    found([code, u64::from(irql.0), object, timeout], format!("{text} at {irql}"));
}

/// Runs a wait below DISPATCH_LEVEL: where the driver must not wait, which is a finding by now, the
/// processor is left to others meanwhile, so that what it waits for can come about.
fn at_passive<R>(wait: impl FnOnce() -> R) -> R {
    let old = sched::irql();
    if old >= Irql::DISPATCH {
        sched::lower(Irql::APC);
    }
    let result = wait();
    sched::raise(old);
    result
}

/// From NT's way to state a time (absolute if positive, relative if negative) to units of 100 ns from now.
pub(super) fn from_now(time: LARGE_INTEGER) -> u64 {
    match u64::try_from(time) {
        Ok(absolute) if absolute != 0 => absolute.saturating_sub(sched::system_time()),
        Ok(_) => 0,
        Err(_) => time.unsigned_abs(),
    }
}

#[cold]
fn found(parameters: [u64; 4], text: String) {
    verifier::report(Finding::new("IrqlKeWait").bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::ptr;
    use core::sync::atomic::{AtomicUsize, Ordering};

    use ntsim_core::number::narrow;
    use sys::wdm::{EVENT_TYPE, KEVENT, KMUTANT, KSEMAPHORE, KernelMode};

    use super::*;
    use crate::ex::{ExAllocatePool2, ExFreePool};
    use crate::ke::object_exports::*;

    fn event(kind: EVENT_TYPE) -> Box<KEVENT> {
        let mut event = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        unsafe { KeInitializeEvent(&mut *event, kind, 0) };
        event
    }

    fn wait_single<T>(object: &T, timeout: Option<i64>) -> NTSTATUS {
        let object = ptr::from_ref(object).cast_mut().cast();
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        unsafe { KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, timeout) }
    }

    fn wait_multiple(objects: &[&KEVENT], kind: WAIT_TYPE, timeout: i64) -> NTSTATUS {
        let objects: Vec<_> = objects.iter().map(|object| ptr::from_ref(*object).cast_mut().cast()).collect();
        let (count, array) = (narrow(objects.len()), objects.as_ptr());
        let mut blocks = [const { MaybeUninit::<KWAIT_BLOCK>::uninit() }; MAXIMUM_WAIT_OBJECTS];
        let blocks = blocks.as_mut_ptr().cast();
        let reason = KWAIT_REASON::Executive;
        unsafe { KeWaitForMultipleObjects(count, array, kind, reason, KernelMode, 0, &timeout, blocks) }
    }

    #[test]
    fn notification_event_stays_signaled_and_a_synchronization_event_wakes_one() {
        let machine = crate::testing::builder().boot();
        let (notification, synchronization) =
            (event(EVENT_TYPE::NotificationEvent), event(EVENT_TYPE::SynchronizationEvent));
        for object in [&notification, &synchronization] {
            assert_eq!(wait_single(&**object, Some(0)), STATUS_TIMEOUT);
            assert_eq!(unsafe { KeSetEvent(ptr::from_ref(&**object).cast_mut(), 0, 0) }, 0);
            assert_eq!(wait_single(&**object, None), STATUS_SUCCESS);
        }
        assert_eq!(wait_single(&*notification, Some(0)), STATUS_SUCCESS);
        assert_eq!(wait_single(&*synchronization, Some(0)), STATUS_TIMEOUT);
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn wait_ends_when_another_thread_signals() {
        static WOKEN: AtomicUsize = AtomicUsize::new(0);
        let machine = crate::testing::builder().boot();
        let (go, done) = (event(EVENT_TYPE::SynchronizationEvent), event(EVENT_TYPE::NotificationEvent));
        let addresses = (Va::of(ptr::from_ref(&*go)), Va::of(ptr::from_ref(&*done)));
        WOKEN.store(0, Ordering::Relaxed);
        sched::spawn("waiter", move || unsafe {
            assert_eq!(wait_single(&*addresses.0.ptr::<KEVENT>(), None), STATUS_SUCCESS);
            WOKEN.fetch_add(1, Ordering::Relaxed);
            KeSetEvent(addresses.1.ptr::<KEVENT>(), 0, 0);
        })
        .unwrap();
        unsafe { KeSetEvent(addresses.0.ptr::<KEVENT>(), 0, 0) };
        assert_eq!(wait_single(&*done, None), STATUS_SUCCESS);
        assert_eq!(WOKEN.load(Ordering::Relaxed), 1);
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn wait_for_all_takes_all_or_none() {
        let machine = crate::testing::builder().boot();
        let (a, b) = (event(EVENT_TYPE::SynchronizationEvent), event(EVENT_TYPE::SynchronizationEvent));
        unsafe { KeSetEvent(ptr::from_ref(&*b).cast_mut(), 0, 0) };
        assert_eq!(wait_multiple(&[&a, &b], WAIT_TYPE::WaitAll, -10_000), STATUS_TIMEOUT);
        assert_eq!(wait_multiple(&[&a, &b], WAIT_TYPE::WaitAny, -10_000), STATUS_WAIT_0 + 1);
        for event in [&a, &b] {
            unsafe { KeSetEvent(ptr::from_ref(&**event).cast_mut(), 0, 0) };
        }
        assert_eq!(wait_multiple(&[&a, &b], WAIT_TYPE::WaitAll, 0), STATUS_WAIT_0);
        assert_eq!(wait_multiple(&[&a, &b], WAIT_TYPE::WaitAny, 0), STATUS_TIMEOUT);
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn semaphore_counts_and_a_mutex_nests() {
        let machine = crate::testing::builder().boot();
        let mut semaphore: KSEMAPHORE = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut mutex: KMUTANT = unsafe { MaybeUninit::zeroed().assume_init() };
        unsafe {
            KeInitializeSemaphore(&mut semaphore, 1, 3);
            assert_eq!(KeReleaseSemaphore(&mut semaphore, 0, 1, 0), 1);
            let taken = (0..3).map(|_| wait_single(&semaphore, Some(0))).collect::<Vec<_>>();
            assert_eq!(taken, [STATUS_SUCCESS, STATUS_SUCCESS, STATUS_TIMEOUT]);
            KeInitializeMutex(&mut mutex, 0);
            assert_eq!((wait_single(&mutex, Some(0)), wait_single(&mutex, Some(0))), (0, 0));
            assert_eq!((KeReleaseMutex(&mut mutex, 0), KeReleaseMutex(&mut mutex, 0)), (-1, 0));
        }
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn semaphore_over_its_limit_and_mutex_of_another_thread_are_found() {
        let machine = crate::testing::builder().boot();
        let mut semaphore: KSEMAPHORE = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut mutex: KMUTANT = unsafe { MaybeUninit::zeroed().assume_init() };
        unsafe {
            KeInitializeSemaphore(&mut semaphore, 3, 3);
            KeReleaseSemaphore(&mut semaphore, 0, 1, 0);
            KeInitializeMutex(&mut mutex, 0);
            KeReleaseMutex(&mut mutex, 0);
        }
        let rules = machine.shutdown().rules();
        assert_eq!(rules, ["SemaphoreLimit", "MutexOwner"]);
    }

    #[test]
    fn initialising_and_freeing_a_mutex_that_is_owned_are_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let mutex: *mut KMUTANT = ExAllocatePool2(0x40, size_of::<KMUTANT>(), 0x3130_3030).cast();
            KeInitializeMutex(mutex, 0);
            wait_single(&*mutex, None);
            KeInitializeMutex(mutex, 0);
            wait_single(&*mutex, None);
            ExFreePool(mutex.cast());
        }
        assert_eq!(machine.shutdown().codes(), [0x1005, 0x100B]);
    }

    #[test]
    fn waiting_at_dispatch_level_is_found() {
        let machine = crate::testing::builder().boot();
        let object = event(EVENT_TYPE::NotificationEvent);
        let old = sched::raise(Irql::DISPATCH);
        assert_eq!(wait_single(&*object, Some(0)), STATUS_TIMEOUT);
        assert_eq!(wait_single(&*object, Some(-1)), STATUS_TIMEOUT);
        unsafe { KeSetEvent(ptr::from_ref(&*object).cast_mut(), 0, 0) };
        assert_eq!(wait_single(&*object, None), STATUS_SUCCESS);
        sched::raise(Irql::HIGH);
        assert_eq!(wait_single(&*object, Some(0)), STATUS_SUCCESS);
        unsafe { KeSetEvent(ptr::from_ref(&*object).cast_mut(), 0, 0) };
        sched::lower(old);
        assert_eq!(machine.shutdown().codes(), [0x122, 0x121, 0x120, 0x80]);
    }

    #[test]
    fn waiting_in_user_mode_for_an_object_on_the_stack_is_found() {
        let machine = crate::testing::builder().boot();
        let mut object: KEVENT = unsafe { MaybeUninit::zeroed().assume_init() };
        unsafe {
            KeInitializeEvent(&mut object, EVENT_TYPE::NotificationEvent, 1);
            let address = (&raw mut object).cast();
            KeWaitForSingleObject(address, KWAIT_REASON::UserRequest, UserMode, 0, ptr::null());
        }
        assert_eq!(machine.shutdown().codes(), [0x123]);
    }

    #[test]
    fn waiting_for_more_objects_than_there_are_wait_blocks_is_found() {
        let machine = crate::testing::builder().boot();
        let objects = [ptr::null_mut(); 4];
        let (kind, reason) = (WAIT_TYPE::WaitAny, KWAIT_REASON::Executive);
        let (none, blocks) = (ptr::null(), ptr::null_mut());
        let status = unsafe {
            KeWaitForMultipleObjects(4, objects.as_ptr(), kind, reason, KernelMode, 0, none, blocks)
        };
        assert_eq!(status, STATUS_INVALID_PARAMETER);
        assert_eq!(machine.shutdown().findings[0].rule, "WaitObjects");
    }

    #[test]
    fn delay_takes_at_least_its_time() {
        let machine = crate::testing::builder().boot();
        let before = sched::now();
        unsafe { KeDelayExecutionThread(KernelMode, 0, &-20_000) };
        assert!(sched::now() - before >= 20_000);
        assert_eq!(machine.shutdown().codes(), []);
    }
}
