//! Deferred procedure calls.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use core::time::Duration;

use ntsim_core::Settings;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::loader;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::processor::{self, Dpc};
use ntsim_core::sched::time::TICK;
use ntsim_core::sched::{self, Importance, Irql};
use ntsim_core::verifier::{self, Finding};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::{BOOLEAN, KDPC, KDPC_IMPORTANCE, PKDEFERRED_ROUTINE, PROCESSOR_NUMBER, signature};

use super::{object_state, resident};

/// `Type` of a DPC object, as `KOBJECTS` in the public symbol files numbers it.
const DPC_OBJECT: u8 = 19;
/// `Type` of one that may run at PASSIVE_LEVEL; here it runs as any other.
const THREADED_DPC_OBJECT: u8 = 24;

/// Added in `Number` to the number of the processor that a DPC was directed to; 0 means the current one.
const DIRECTED: u16 = 0x800;

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises a DPC.
    #[irql(PASSIVE..=HIGH)]
    fn KeInitializeDpc(dpc: *mut KDPC, routine: Option<PKDEFERRED_ROUTINE>, context: *mut c_void) {
        // SAFETY: the caller passes a DPC of its own.
        unsafe { initialise(dpc, DPC_OBJECT, routine, context) };
    }

    /// Initialises a DPC that Windows may run at PASSIVE_LEVEL.
    #[irql(PASSIVE..=HIGH)]
    fn KeInitializeThreadedDpc(dpc: *mut KDPC, routine: Option<PKDEFERRED_ROUTINE>, context: *mut c_void) {
        // SAFETY: the caller passes a DPC of its own.
        unsafe { initialise(dpc, THREADED_DPC_OBJECT, routine, context) };
    }

    /// Queues a DPC; false if it is queued already.
    #[irql(PASSIVE..=HIGH)]
    fn KeInsertQueueDpc(dpc: *mut KDPC, argument1: *mut c_void, argument2: *mut c_void) -> BOOLEAN {
        // SAFETY: the caller passes an initialised DPC.
        unsafe { insert(dpc, argument1, argument2, processor::defer) }.into()
    }

    /// Takes a DPC out of its queue; false if it was not in one.
    #[irql(PASSIVE..=HIGH)]
    fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN {
        let removed: usize = processor::all().iter().map(|p| p.cancel(dpc.cast())).sum();
        if removed > 0 {
            // SAFETY: the caller passes an initialised DPC, and no other code has it now.
            unsafe { queued(dpc) }.store(ptr::null_mut(), Ordering::Release);
        }
        (removed > 0).into()
    }

    /// Waits until every DPC that is queued now has run. `wdm.h` of 10.0.26100 settles the level, the page has a lower
    /// one: <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-keflushqueueddpcs>.
    #[irql(PASSIVE..=APC)]
    fn KeFlushQueuedDpcs() {
        processor::flush();
    }

    /// Says how urgent a DPC is.
    #[irql(PASSIVE..=HIGH)]
    fn KeSetImportanceDpc(dpc: *mut KDPC, importance: KDPC_IMPORTANCE) {
        // SAFETY: the caller passes an initialised DPC that is not queued.
        unsafe { (*dpc).Importance = importance.0 as u8 };
    }

    /// Directs a DPC to a processor.
    #[irql(PASSIVE..=HIGH)]
    fn KeSetTargetProcessorDpc(dpc: *mut KDPC, number: i8) {
        // SAFETY: the caller passes an initialised DPC that is not queued.
        unsafe { direct(dpc, u32::from(number as u8)) };
    }

    /// Directs a DPC to a processor.
    #[irql(PASSIVE..=HIGH)]
    fn KeSetTargetProcessorDpcEx(dpc: *mut KDPC, number: *const PROCESSOR_NUMBER) -> NTSTATUS {
        // SAFETY: the caller passes the number.
        let number = unsafe { &*number };
        if number.Group != 0 || usize::from(number.Number) >= processor::count() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller passes an initialised DPC that is not queued.
        unsafe { direct(dpc, u32::from(number.Number)) };
        STATUS_SUCCESS
    }
}

/// # Safety
/// `dpc` is writable.
unsafe fn initialise(dpc: *mut KDPC, kind: u8, routine: Option<PKDEFERRED_ROUTINE>, context: *mut c_void) {
    resident::check(0xE1, "a DPC", Va::of(dpc));
    if processor::all().iter().any(|processor| processor.has_queued(dpc.cast())) {
        object_state::found("a DPC that is queued", Va::of(dpc));
    }
    // SAFETY: all-zero is a valid value: integers, null pointers and no routine.
    unsafe { dpc.write_bytes(0, 1) };
    // SAFETY: the caller's promise.
    let dpc = unsafe { &mut *dpc };
    dpc.Type = kind;
    dpc.Importance = KDPC_IMPORTANCE::MediumImportance.0 as u8;
    dpc.DeferredRoutine = routine;
    dpc.DeferredContext = context;
}

/// # Safety
/// `dpc` is an initialised DPC.
unsafe fn direct(dpc: *mut KDPC, number: u32) {
    if number.to_usize() >= processor::count() {
        let text = format!("a DPC directed to processor {number}, which does not exist");
        verifier::report(Finding::new("DpcTarget").text(text));
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { (*dpc).Number = DIRECTED + number as u16 };
}

/// The field that says, by not being null, that a DPC is queued.
///
/// # Safety
/// `dpc` is an initialised DPC.
unsafe fn queued<'a>(dpc: *mut KDPC) -> &'a AtomicPtr<c_void> {
    // SAFETY: the caller's promise.
    let data = unsafe { &raw mut (*dpc).DpcData };
    // SAFETY: from initialisation on the field is only accessed here.
    unsafe { AtomicPtr::from_ptr(data) }
}

/// Queues a DPC by `defer`; false if it is queued already.
///
/// # Safety
/// `dpc` is an initialised DPC and stays so until it has run or was removed.
pub(super) unsafe fn insert(
    dpc: *mut KDPC,
    argument1: *mut c_void,
    argument2: *mut c_void,
    defer: impl FnOnce(Option<u32>, Dpc, Importance),
) -> bool {
    // SAFETY: the caller's promise.
    let kind = unsafe { (*dpc).Type };
    if ![DPC_OBJECT, THREADED_DPC_OBJECT].contains(&kind) {
        let text = format!("the DPC at {dpc:p} was not initialised");
        verifier::report(Finding::new("ObjectNotInitialised").text(text));
        return false;
    }
    // SAFETY: the caller's promise.
    let claimed = unsafe { queued(dpc) };
    if claimed.compare_exchange(ptr::null_mut(), dpc.cast(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return false;
    }
    // SAFETY: the caller's promise; who has claimed a DPC may set its arguments.
    let known = unsafe { &mut *dpc };
    (known.SystemArgument1, known.SystemArgument2) = (argument1, argument2);
    let target = known.Number.checked_sub(DIRECTED).map(u32::from);
    defer(target, Dpc { routine: run, context: dpc.cast() }, importance(known));
    true
}

/// A threaded DPC has a queue and a thread of its own, whose processing does not depend on the importance (page of
/// KeSetImportanceDpc).
fn importance(dpc: &KDPC) -> Importance {
    let threaded = dpc.Type == THREADED_DPC_OBJECT;
    match KDPC_IMPORTANCE(i32::from(dpc.Importance)) {
        KDPC_IMPORTANCE::HighImportance => Importance::High,
        _ if threaded => Importance::MediumHigh,
        KDPC_IMPORTANCE::LowImportance => Importance::Low,
        KDPC_IMPORTANCE::MediumHighImportance => Importance::MediumHigh,
        _ => Importance::Medium,
    }
}

/// Runs a DPC that was queued, at DISPATCH_LEVEL on its processor.
///
/// # Safety
/// `context` is a DPC that was queued.
unsafe fn run(context: *mut c_void) {
    let dpc = context.cast::<KDPC>();
    // SAFETY: the caller's promise. What is needed is read before the DPC may be queued again.
    let known = unsafe { *dpc };
    let (argument1, argument2) = (known.SystemArgument1, known.SystemArgument2);
    // SAFETY: the caller's promise.
    unsafe { queued(dpc) }.store(ptr::null_mut(), Ordering::Release);
    match known.DeferredRoutine {
        Some(routine) => {
            let begin = sched::elapsed();
            let stay = sched::current().map(|thread| &thread.stays.in_dpc);
            stay.inspect(|stay| stay.enter());
            // SAFETY: the driver named the routine for exactly this call.
            boundary::call_driver("DeferredRoutine", || unsafe {
                routine(dpc, known.DeferredContext, argument1, argument2)
            });
            stay.inspect(|stay| stay.leave());
            check_time(routine, sched::elapsed().saturating_sub(begin));
        }
        None => verifier::report(Finding::new("DpcRoutine").text("a DPC without a routine was queued")),
    }
    debug_assert!(sched::irql() >= Irql::DISPATCH);
}

/// Bug check 0x133: 0 for a single DPC, the ticks that it took, those that it may take.
fn check_time(routine: PKDEFERRED_ROUTINE, taken: Duration) {
    let limit = Settings::current().dpc_limit;
    if taken <= limit {
        return;
    }
    let ticks = |time: Duration| sched::units(time) / TICK;
    let name = loader::name(Va::of(routine as *const ()));
    let text = format!("the DPC routine {name} ran for {taken:?}; {limit:?} are allowed");
    let bugcheck = Bugcheck { code: 0x133, parameters: [0, ticks(taken), ticks(limit), 0] };
    verifier::report(Finding::new("DpcWatchdog").bugcheck(bugcheck).text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::sync::atomic::{AtomicU32, AtomicUsize};

    use super::*;

    static RUNS: AtomicUsize = AtomicUsize::new(0);
    static LAST: AtomicU32 = AtomicU32::new(0);

    unsafe extern "efiapi" fn count(_: *mut KDPC, _: *mut c_void, argument: *mut c_void, _: *mut c_void) {
        assert_eq!(sched::irql(), Irql::DISPATCH);
        RUNS.fetch_add(1 + argument.addr(), Ordering::Relaxed);
        LAST.store(sched::processor(), Ordering::Relaxed);
    }

    fn dpc() -> Box<KDPC> {
        RUNS.store(0, Ordering::Relaxed);
        let mut dpc = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        unsafe { KeInitializeDpc(&mut *dpc, Some(count), ptr::null_mut()) };
        dpc
    }

    fn insert(dpc: &mut KDPC) -> BOOLEAN {
        unsafe { KeInsertQueueDpc(dpc, ptr::null_mut(), ptr::null_mut()) }
    }

    #[test]
    fn dpc_runs_before_the_insertion_below_dispatch_level_returns() {
        let machine = crate::testing::builder().boot();
        let mut dpc = dpc();
        assert_eq!((insert(&mut dpc), RUNS.load(Ordering::Relaxed)), (1, 1));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn dpc_that_is_queued_at_dispatch_level_runs_once_when_the_level_is_lowered() {
        let machine = crate::testing::builder().boot();
        let mut dpc = dpc();
        let old = sched::raise(Irql::DISPATCH);
        assert_eq!((insert(&mut dpc), insert(&mut dpc), RUNS.load(Ordering::Relaxed)), (1, 0, 0));
        sched::lower(old);
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        assert!(machine.shutdown().is_clean());
    }

    /// Sets importance and target of a DPC.
    fn made(importance: KDPC_IMPORTANCE, target: i8) -> Box<KDPC> {
        let mut dpc = dpc();
        unsafe { KeSetImportanceDpc(&mut *dpc, importance) };
        unsafe { KeSetTargetProcessorDpc(&mut *dpc, target) };
        dpc
    }

    /// Returns whether a DPC that processor 0 queues for processor 1 runs at a later tick than the one of its
    /// insertion.
    fn runs_at_later_tick(importance: KDPC_IMPORTANCE) -> bool {
        let machine = crate::testing::builder().processors(2).boot();
        let mut dpc = made(importance, 1 - sched::processor() as i8);
        // Just after a tick, so that the next one is far.
        let tick = sched::now() / TICK;
        while sched::now() / TICK == tick {
            core::hint::spin_loop();
        }
        let tick = sched::now() / TICK;
        insert(&mut dpc);
        while RUNS.load(Ordering::Relaxed) == 0 {
            core::hint::spin_loop();
        }
        let later = sched::now() / TICK > tick;
        assert!(machine.shutdown().is_clean());
        later
    }

    #[test]
    fn dpc_for_another_processor_of_medium_importance_waits_for_tick() {
        assert!(runs_at_later_tick(KDPC_IMPORTANCE::MediumImportance));
        // A busy host may let the other processor wait for longer than a tick.
        assert!((0..50).any(|_| !runs_at_later_tick(KDPC_IMPORTANCE::MediumHighImportance)));
    }

    #[test]
    fn dpc_of_low_importance_runs_within_insertion_or_after_it_by_seed() {
        let within = |seed| {
            let schedule = sched::Schedule::seeded(seed, sched::Strategy::Bounded);
            let machine = crate::testing::builder().processors(1).schedule(schedule).boot();
            let mut dpc = made(KDPC_IMPORTANCE::LowImportance, 0);
            insert(&mut dpc);
            let within = RUNS.load(Ordering::Relaxed);
            while RUNS.load(Ordering::Relaxed) == 0 {
                sched::block(Some(Duration::from_millis(20)));
            }
            assert!(machine.shutdown().is_clean());
            within
        };
        let runs: usize = (0..16).map(within).sum();
        assert!((1..16).contains(&runs), "{runs}");
    }

    #[test]
    fn dpcs_of_low_importance_are_processed_when_many_are_queued() {
        let machine = crate::testing::builder().processors(1).boot();
        // A request rate that is not low.
        let mut medium = dpc();
        (0..100).for_each(|_| assert_eq!(insert(&mut medium), 1));
        let mut many: Vec<_> = (0..5).map(|_| made(KDPC_IMPORTANCE::LowImportance, 0)).collect();
        let ran: Vec<_> = many
            .iter_mut()
            .map(|dpc| {
                insert(dpc);
                RUNS.load(Ordering::Relaxed)
            })
            .collect();
        unsafe { KeFlushQueuedDpcs() };
        assert_eq!(ran, [0, 0, 0, 0, 5]);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn removed_dpc_does_not_run_and_can_be_queued_again() {
        let machine = crate::testing::builder().boot();
        let mut dpc = dpc();
        let old = sched::raise(Irql::DISPATCH);
        insert(&mut dpc);
        let removed = unsafe { (KeRemoveQueueDpc(&mut *dpc), KeRemoveQueueDpc(&mut *dpc)) };
        sched::lower(old);
        assert_eq!((removed, RUNS.load(Ordering::Relaxed)), ((1, 0), 0));
        insert(&mut dpc);
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn directed_dpc_runs_on_its_processor_and_flushing_waits_for_it() {
        let machine = crate::testing::builder().processors(4).boot();
        let mut dpc = dpc();
        for target in 0..4 {
            unsafe { KeSetTargetProcessorDpc(&mut *dpc, target) };
            insert(&mut dpc);
            unsafe { KeFlushQueuedDpcs() };
            assert_eq!(LAST.load(Ordering::Relaxed), target as u32);
        }
        assert_eq!(RUNS.load(Ordering::Relaxed), 4);
        assert!(machine.shutdown().is_clean());
    }

    unsafe extern "efiapi" fn dawdle(_: *mut KDPC, _: *mut c_void, _: *mut c_void, _: *mut c_void) {
        let end = sched::elapsed() + Duration::from_millis(2);
        while sched::elapsed() < end {
            core::hint::spin_loop();
        }
    }

    #[test]
    fn dpc_that_takes_longer_than_it_may_is_found() {
        for (limit, times) in [(Duration::from_millis(1), 1), (Duration::from_secs(20), 0)] {
            let machine = crate::testing::builder().dpc_limit(limit).boot();
            let mut dpc = dpc();
            unsafe { KeInitializeDpc(&mut *dpc, Some(dawdle), ptr::null_mut()) };
            insert(&mut dpc);
            let findings = machine.shutdown().findings;
            assert_eq!(findings.len(), times, "{findings:?}");
            assert!(findings.iter().all(|f| (f.rule, f.bugcheck.unwrap().code) == ("DpcWatchdog", 0x133)));
        }
    }

    #[test]
    fn dpc_without_a_routine_and_one_for_no_processor_are_found() {
        let machine = crate::testing::builder().processors(2).boot();
        let mut dpc = dpc();
        unsafe {
            KeSetTargetProcessorDpc(&mut *dpc, 2);
            KeInitializeDpc(&mut *dpc, None, ptr::null_mut());
        }
        insert(&mut dpc);
        let rules = machine.shutdown().rules();
        assert_eq!(rules, ["DpcTarget", "DpcRoutine"]);
    }
}
