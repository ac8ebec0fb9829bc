//! Fast mutexes.

use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::sched::{self, Irql, local};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{BOOLEAN, DISPATCHER_HEADER, FALSE, FAST_MUTEX, TRUE, signature};

use crate::ke::lock_order;
use crate::ke::{dispatcher, object_exports};

exports! {
    "ntoskrnl.exe", signature;

    /// Raises to APC_LEVEL and takes the mutex.
    #[irql(PASSIVE..=HIGH)]
    fn ExAcquireFastMutex(mutex: *mut FAST_MUTEX) {
        check_level(0x33, mutex, sched::irql() <= Irql::APC);
        let before = sched::raise(Irql::APC);
        // SAFETY: the caller passes an initialised mutex.
        unsafe { acquire(mutex, before) };
    }

    /// Takes the mutex if it is free.
    #[irql(PASSIVE..=HIGH)]
    fn ExTryToAcquireFastMutex(mutex: *mut FAST_MUTEX) -> BOOLEAN {
        check_level(0x33, mutex, sched::irql() <= Irql::APC);
        // SAFETY: the caller passes an initialised mutex.
        if unsafe { count(mutex) }.compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return FALSE;
        }
        let before = sched::raise(Irql::APC);
        // SAFETY: the mutex is this thread's now.
        unsafe { own(mutex, before) };
        TRUE
    }

    /// Gives the mutex back and lowers to the level from before.
    #[irql(PASSIVE..=HIGH)]
    fn ExReleaseFastMutex(mutex: *mut FAST_MUTEX) {
        check_level(0x34, mutex, sched::irql() == Irql::APC);
        // SAFETY: the caller passes a mutex that it holds.
        let before = unsafe { release(mutex) };
        sched::lower(before);
    }

    /// Takes the mutex, in a critical region or at APC_LEVEL.
    #[irql(PASSIVE..=APC)]
    fn ExAcquireFastMutexUnsafe(mutex: *mut FAST_MUTEX) {
        check_unsafe(0x39, mutex);
        // SAFETY: the caller passes an initialised mutex.
        unsafe { acquire(mutex, sched::irql()) };
    }

    /// Gives back what [`ExAcquireFastMutexUnsafe`] took.
    #[irql(PASSIVE..=APC)]
    fn ExReleaseFastMutexUnsafe(mutex: *mut FAST_MUTEX) {
        check_unsafe(0x3A, mutex);
        // SAFETY: the caller passes a mutex that it holds.
        unsafe { release(mutex) };
    }
}

/// # Safety
/// `mutex` is an initialised mutex.
unsafe fn count<'a>(mutex: *mut FAST_MUTEX) -> &'a AtomicI32 {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*mutex).Count };
    // SAFETY: the count is accessed through this module only.
    unsafe { AtomicI32::from_ptr(count) }
}

/// # Safety
/// `mutex` is an initialised mutex.
unsafe fn event(mutex: *mut FAST_MUTEX) -> *mut DISPATCHER_HEADER {
    // SAFETY: the caller's promise.
    unsafe { (&raw mut (*mutex).Event).cast() }
}

/// # Safety
/// `mutex` is an initialised mutex.
unsafe fn acquire(mutex: *mut FAST_MUTEX, before: Irql) {
    // SAFETY: the caller's promise.
    let owner = unsafe { &raw const (*mutex).Owner };
    // SAFETY: the caller's promise; an owner that is this thread does not change meanwhile.
    let owner = unsafe { owner.read_volatile() };
    if owner == this_thread() {
        found(
            [0x1000, Va::of(mutex).bits(), 0, 0],
            "a fast mutex acquired by the thread that holds it already".into(),
        );
        return;
    }
    if let Some(thread) = sched::current() {
        lock_order::acquiring(Va::of(mutex), thread);
    }
    // SAFETY: the caller's promise.
    if unsafe { count(mutex) }.fetch_sub(1, Ordering::AcqRel) != 1 {
        // SAFETY: the caller's promise.
        let event = unsafe { event(mutex) };
        // SAFETY: the event is the mutex's, which stays while a thread waits for it.
        unsafe { dispatcher::wait(&[event], false, None) };
    }
    // SAFETY: the mutex is this thread's now.
    unsafe { own(mutex, before) };
}

/// # Safety
/// The calling thread has just become the owner of `mutex`.
unsafe fn own(mutex: *mut FAST_MUTEX, before: Irql) {
    // SAFETY: the caller's promise.
    let mutex = unsafe { &mut *mutex };
    mutex.Owner = this_thread();
    mutex.OldIrql = u32::from(before.0);
    if let Some(thread) = sched::current() {
        thread.mutexes.add(Va::of(ptr::from_ref(mutex)), None);
    }
}

/// Gives the mutex back; the level from before it was taken.
///
/// # Safety
/// `mutex` is an initialised mutex.
unsafe fn release(mutex: *mut FAST_MUTEX) -> Irql {
    // SAFETY: the caller's promise; only the owner changes these.
    let FAST_MUTEX { Owner: owner, OldIrql: before, .. } = unsafe { *mutex };
    if owner != this_thread() {
        let text = "a fast mutex released by a thread that does not hold it".into();
        found([0x1004, Va::of(mutex).bits(), Va::of(owner).bits(), Va::of(this_thread()).bits()], text);
        return sched::irql();
    }
    if let Some(thread) = sched::current() {
        thread.mutexes.remove(Va::of(mutex));
    }
    // SAFETY: the mutex is this thread's.
    unsafe { (*mutex).Owner = ptr::null_mut() };
    // SAFETY: the caller's promise.
    if unsafe { count(mutex) }.fetch_add(1, Ordering::AcqRel) < 0 {
        // SAFETY: the caller's promise.
        let event = unsafe { event(mutex) };
        // SAFETY: the event is a dispatcher object.
        unsafe { object_exports::set(event, 1) };
    }
    Irql(before as u8)
}

fn this_thread() -> *mut core::ffi::c_void {
    sched::current().map_or(ptr::null_mut(), |thread| ptr::from_ref(thread).cast_mut().cast())
}

fn check_level(code: u64, mutex: *mut FAST_MUTEX, allowed: bool) {
    if !allowed {
        let irql = sched::irql();
        found([code, u64::from(irql.0), Va::of(mutex).bits(), 0], format!("a fast mutex used at {irql}"));
    }
}

/// The functions called unsafe leave it to the caller to hold APCs off.
fn check_unsafe(code: u64, mutex: *mut FAST_MUTEX) {
    let (irql, regions) =
        local::with(|local| (local.irql.get(), local.critical_regions.get() + local.guarded_regions.get()));
    if irql < Irql::APC && regions == 0 {
        let text = format!("a fast mutex used at {irql} without holding APCs off");
        found([code, u64::from(irql.0), 0, Va::of(mutex).bits()], text);
    }
}

#[cold]
fn found(parameters: [u64; 4], text: String) {
    verifier::report(Finding::new("FastMutex").bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use sys::wdm::EVENT_TYPE;

    use super::*;
    use crate::ke::object_exports::KeInitializeEvent;
    use crate::ke::{KeEnterCriticalRegion, KeLeaveCriticalRegion};

    /// As the inline ExInitializeFastMutex does.
    fn mutex() -> Box<FAST_MUTEX> {
        let mut mutex: Box<FAST_MUTEX> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        mutex.Count = 1;
        unsafe { KeInitializeEvent(&mut mutex.Event, EVENT_TYPE::SynchronizationEvent, 0) };
        mutex
    }

    #[test]
    fn fast_mutex_excludes_and_restores_the_level() {
        let machine = crate::testing::builder().boot();
        let (mut mutex, mut counter) = (mutex(), 0_u64);
        let (address, count) = (Va::of(&raw mut *mutex), Va::of(&raw mut counter));
        let work = move || unsafe {
            for _ in 0..1000 {
                ExAcquireFastMutex(address.ptr::<FAST_MUTEX>());
                assert_eq!(sched::irql(), Irql::APC);
                *count.ptr::<u64>() += 1;
                ExReleaseFastMutex(address.ptr::<FAST_MUTEX>());
            }
        };
        let other = sched::spawn("other", work).unwrap();
        work();
        while !other.ended() {
            std::thread::yield_now();
        }
        assert_eq!((counter, sched::irql()), (2000, Irql::PASSIVE));
        unsafe {
            assert_eq!(ExTryToAcquireFastMutex(&mut *mutex), TRUE);
            assert_eq!(ExTryToAcquireFastMutex(&mut *mutex), FALSE);
            ExReleaseFastMutex(&mut *mutex);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn unsafe_functions_need_apcs_held_off() {
        let machine = crate::testing::builder().boot();
        let mut mutex = mutex();
        let use_it = |mutex: &mut FAST_MUTEX| unsafe {
            ExAcquireFastMutexUnsafe(mutex);
            ExReleaseFastMutexUnsafe(mutex);
        };
        unsafe { KeEnterCriticalRegion() };
        use_it(&mut mutex);
        unsafe { KeLeaveCriticalRegion() };
        use_it(&mut mutex);
        let codes = machine.shutdown().codes();
        assert_eq!(codes, [0x39, 0x3A]);
    }

    #[test]
    fn misuse_is_found() {
        let machine = crate::testing::builder().boot();
        let mut mutex = mutex();
        unsafe {
            let old = sched::raise(Irql::DISPATCH);
            ExAcquireFastMutex(&mut *mutex);
            ExAcquireFastMutex(&mut *mutex);
            ExReleaseFastMutex(&mut *mutex);
            ExReleaseFastMutex(&mut *mutex);
            sched::lower(old);
        }
        let codes = machine.shutdown().codes();
        assert_eq!(
            codes,
            [0x33, 0x33, 0x1000, 0x34, 0x34, 0x1004].iter().copied().fold(Vec::new(), |mut all, code| {
                if !all.contains(&code) {
                    all.push(code)
                }
                all
            })
        );
    }
}
