//! System threads.

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr;
use core::time::Duration;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::loader::Image;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql, Thread, local};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};
use sys::wdm::{CLIENT_ID, HANDLE, OBJECT_ATTRIBUTES, PKSTART_ROUTINE, signature};

use super::entry;
use crate::fault;
use crate::ke::object_exports;
use crate::ob;

/// The identity of the process in which drivers run.
const SYSTEM_PROCESS: usize = 4;

/// Bug check 0xC4: code for a thread that ends with a lock.
const LOCK_AT_END: u64 = 0x100A;

/// The longest time that an unloading driver's threads may take to run their last instructions.
const GRACE: Duration = Duration::from_secs(2);

/// Threads are never freed, so nothing is to do when the last reference goes.
static KIND: ob::Kind =
    ob::Kind { name: "thread", stays: false, last_handle: |_| {}, last_reference: |_| {} };

/// The threads that drivers started on one machine.
#[derive(Default)]
struct SystemThreads {
    started: Mutex<Vec<(Va, &'static Thread)>>,
}

static SYSTEM_THREADS: PerMachine<SystemThreads> = PerMachine::new();

thread_local! {
    /// The place to go on at when the thread is terminated; 0 in a thread that no driver started.
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

exports! {
    "ntoskrnl.exe", signature;

    /// Starts a thread.
    #[irql(PASSIVE..=PASSIVE)]
    fn PsCreateSystemThread(
        handle: *mut HANDLE,
        _access: u32,
        _attributes: *mut OBJECT_ATTRIBUTES,
        _process: HANDLE,
        client: *mut CLIENT_ID,
        routine: Option<PKSTART_ROUTINE>,
        context: *mut c_void,
    ) -> NTSTATUS {
        let Some(routine) = routine else {
            verifier::report(Finding::new("ThreadRoutine").text("a thread without a routine was started"));
            return STATUS_INSUFFICIENT_RESOURCES;
        };
        if fault::strikes() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        let context = Va::of(context);
        // The thread begins only when its handle exists, so that it can't end before.
        let (go, wait) = std::sync::mpsc::sync_channel(1);
        let spawned = sched::spawn("system thread", move || {
            let _ = wait.recv();
            // SAFETY: the driver asked for this call.
            unsafe { run(routine, context.ptr::<c_void>()) };
        });
        let Ok(thread) = spawned else { return STATUS_INSUFFICIENT_RESOURCES };
        let object = address(thread);
        ob::create(object, &KIND);
        SYSTEM_THREADS.get().started.lock().push((Va::of(routine as *const ()), thread));
        // SAFETY: the caller passes room for the handle.
        unsafe { handle.write(ob::open(object).unwrap_or_default() as HANDLE) };
        // SAFETY: the caller passes null or room for the identity.
        if let Some(client) = unsafe { client.as_mut() } {
            client.UniqueProcess = SYSTEM_PROCESS as HANDLE;
            client.UniqueThread = thread.id as HANDLE;
        }
        let _ = go.send(());
        STATUS_SUCCESS
    }

    /// Ends the calling thread, which a driver started.
    #[irql(PASSIVE..=PASSIVE)]
    fn PsTerminateSystemThread(_status: NTSTATUS) -> NTSTATUS {
        let place = PLACE.get();
        if place == 0 {
            let text = "PsTerminateSystemThread called in a thread that PsCreateSystemThread did not start";
            verifier::report(Finding::new("TerminateThread").text(text));
            return sys::status::STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the thread is inside of the call of `entry::run` that wrote the place, and what lies in
        // between is the driver's frames, which have nothing to clean up by the interface, and the entry
        // to this function, whose note is taken back in `run`.
        unsafe { entry::leave(place) }
    }

    /// The identity of the calling thread.
    #[irql(PASSIVE..=HIGH)]
    fn PsGetCurrentThreadId() -> HANDLE {
        sched::current().map_or(0, |thread| thread.id) as HANDLE
    }

    /// The process that drivers run in, which is only ever compared.
    #[irql(PASSIVE..=HIGH)]
    fn IoGetCurrentProcess() -> *mut c_void {
        ptr::from_ref(&KIND).cast_mut().cast()
    }

    /// The identity of the process that drivers run in.
    #[irql(PASSIVE..=HIGH)]
    fn PsGetCurrentProcessId() -> HANDLE {
        SYSTEM_PROCESS as HANDLE
    }
}

fn address(thread: &'static Thread) -> *mut c_void {
    ptr::from_ref(thread).cast_mut().cast()
}

/// Body of a driver's thread.
///
/// # Safety
/// The routine may be called with this argument.
unsafe fn run(routine: PKSTART_ROUTINE, context: *mut c_void) {
    let Some(thread) = sched::current() else { return };
    // SAFETY: the caller's promise; the place is this thread's own.
    PLACE.with(|place| unsafe { entry::run(routine, context, place.as_ptr()) });
    PLACE.set(0);
    local::leave_all();
    if sched::irql() != Irql::PASSIVE {
        let text = format!("a system thread ended at {}", sched::irql());
        verifier::report(Finding::new("IrqlReturn").text(text));
        sched::lower(Irql::PASSIVE);
    }
    let held =
        [("SpinLock", "spin lock", thread.held.last()), ("MutexOwner", "mutex", thread.mutexes.last())];
    for (rule, what, lock) in held {
        let Some(lock) = lock else { continue };
        let parameters = [LOCK_AT_END, Va::of(address(thread)).bits(), lock.bits(), 0];
        let text = format!("a system thread ended with the {what} at {lock:#x} held");
        verifier::report(Finding::new(rule).bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
    }
    let regions = local::with(|local| local.critical_regions.replace(0) + local.guarded_regions.replace(0));
    if regions != 0 {
        let text = format!("a system thread ended in {regions} critical or guarded regions");
        let bugcheck = Bugcheck { code: 0x20, parameters: [0, u64::from(regions), 0, 0] };
        verifier::report(Finding::new("ThreadEndsInRegion").bugcheck(bugcheck).text(text));
    }
    ob::dereference(address(thread));
    // SAFETY: the header is a dispatcher object's, and lives as long as the process.
    unsafe { object_exports::set(thread.header(), 1) };
}

/// The threads that run from routines of `image`, after giving them time for their last instructions.
pub fn running_in(image: &Image) -> usize {
    let threads: Vec<_> = SYSTEM_THREADS.get().started.lock().clone();
    threads
        .into_iter()
        .filter(|(routine, _)| image.contains(*routine))
        .filter(|(_, thread)| !thread.ends_within(GRACE))
        .count()
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use sys::wdm::{FAST_MUTEX, KWAIT_REASON, KernelMode};

    use super::*;
    use crate::ex::ExAcquireFastMutex;
    use crate::ke::{KeAcquireSpinLockRaiseToDpc, KeWaitForSingleObject};
    use crate::ob::exports::{ObReferenceObjectByHandle, ObfDereferenceObject, ZwClose};

    static STEPS: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "efiapi" fn terminate(context: *mut c_void) {
        STEPS.store(context.addr(), Ordering::Relaxed);
        unsafe { PsTerminateSystemThread(STATUS_SUCCESS) };
        STEPS.store(0, Ordering::Relaxed);
    }

    unsafe extern "efiapi" fn fall_off(context: *mut c_void) {
        STEPS.store(context.addr(), Ordering::Relaxed);
    }

    fn start(routine: PKSTART_ROUTINE, context: Va) -> HANDLE {
        let mut handle = ptr::null_mut();
        let none = ptr::null_mut;
        let status = unsafe {
            PsCreateSystemThread(
                &mut handle,
                0,
                ptr::null_mut(),
                none(),
                ptr::null_mut(),
                Some(routine),
                context.ptr::<c_void>(),
            )
        };
        assert_eq!(status, STATUS_SUCCESS);
        handle
    }

    /// Waits for the thread behind the handle, as drivers do before they unload.
    fn join(handle: HANDLE) {
        let mut object = ptr::null_mut();
        unsafe {
            ObReferenceObjectByHandle(handle, 0, ptr::null_mut(), KernelMode, &mut object, ptr::null_mut());
            ZwClose(handle);
            let reason = KWAIT_REASON::Executive;
            assert_eq!(KeWaitForSingleObject(object, reason, KernelMode, 0, ptr::null()), STATUS_SUCCESS);
            ObfDereferenceObject(object);
        }
    }

    unsafe extern "efiapi" fn keep_locks(context: *mut c_void) {
        unsafe {
            ExAcquireFastMutex(context.cast());
            KeAcquireSpinLockRaiseToDpc(context.cast::<FAST_MUTEX>().wrapping_add(1).cast());
        }
    }

    #[test]
    fn thread_that_ends_with_locks_is_found() {
        let machine = crate::testing::builder().boot();
        let mut locks: (FAST_MUTEX, usize) = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
        locks.0.Count = 1;
        join(start(keep_locks, Va::of(&raw mut locks)));
        let found: Vec<_> = machine
            .shutdown()
            .findings
            .iter()
            .map(|f| (f.rule, f.bugcheck.map_or(0, |bugcheck| bugcheck.parameters[0])))
            .collect();
        assert_eq!(found, [("IrqlReturn", 0), ("SpinLock", 0x100A), ("MutexOwner", 0x100A)]);
    }

    #[test]
    fn thread_is_signaled_when_it_terminates_itself_or_returns() {
        for routine in [terminate, fall_off] {
            let machine = crate::testing::builder().boot();
            join(start(routine, Va::new(7)));
            assert_eq!(STEPS.load(Ordering::Relaxed), 7);
            let report = machine.shutdown();
            assert!(report.is_clean(), "{report}");
        }
    }

    unsafe extern "efiapi" fn stay_in_region(_: *mut c_void) {
        unsafe { crate::ke::KeEnterCriticalRegion() };
        unsafe { PsTerminateSystemThread(STATUS_SUCCESS) };
    }

    #[test]
    fn thread_that_ends_in_critical_region_is_found() {
        let machine = crate::testing::builder().boot();
        join(start(stay_in_region, Va::NULL));
        let report = machine.shutdown();
        assert_eq!(report.rules(), ["ThreadEndsInRegion"]);
        assert_eq!(report.findings[0].bugcheck.unwrap().code, 0x20);
    }

    #[test]
    fn terminating_a_thread_of_the_kernel_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe { PsTerminateSystemThread(STATUS_SUCCESS) };
        assert_eq!(machine.shutdown().findings[0].rule, "TerminateThread");
    }

    #[test]
    fn thread_without_a_routine_is_found() {
        let machine = crate::testing::builder().boot();
        let (mut handle, none) = (ptr::null_mut(), ptr::null_mut);
        unsafe {
            PsCreateSystemThread(&mut handle, 0, ptr::null_mut(), none(), ptr::null_mut(), None, none())
        };
        assert_eq!(machine.shutdown().findings[0].rule, "ThreadRoutine");
    }

    #[test]
    fn handle_that_is_not_closed_is_found() {
        let machine = crate::testing::builder().boot();
        start(fall_off, Va::new(1));
        assert!(!machine.shutdown().is_clean());
    }
}
