//! Timers.
//!
//! One thread of the simulator waits for the next one to become due; it signals timers and hands their
//! DPCs to the service thread of a processor, and runs no driver code itself.

use core::ops::Range;
use core::ptr;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::{PerMachine, Stopping};
use ntsim_core::sched::{self, Thread, processor};
use sys::wdm::{BOOLEAN, KDPC, KTIMER, LARGE_INTEGER, TIMER_TYPE, signature};

use super::dispatcher::kind;
use super::wait_exports::from_now;
use super::{dpc, object_exports, object_state, timer_accuracy};

/// The timers of one machine that are set.
#[derive(Default)]
struct Timers {
    set: Mutex<Set>,
    /// Waits for the next one to become due; set once it does.
    server: OnceLock<&'static Thread>,
}

#[derive(Default)]
struct Set {
    /// By when they are due, and a number that makes that unique.
    due: BTreeMap<(u64, u64), Armed>,
    /// The key of each in the other map.
    by_address: HashMap<Va, (u64, u64)>,
    next: u64,
}

static TIMERS: PerMachine<Timers> = PerMachine::new();

/// A timer that is set.
#[derive(Clone, Copy)]
struct Armed {
    timer: *mut KTIMER,
    dpc: *mut KDPC,
    processor: u32,
    /// In units of 100 ns; 0 for once.
    period: u64,
}

// SAFETY: the pointers are followed only while the timer is set, which its driver vouches it may be.
unsafe impl Send for Armed {}

impl Timers {
    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses within `range` of timers that are set.
    fn within(&self, range: &Range<Va>) -> Vec<Va> {
        self.set().by_address.keys().copied().filter(|address| range.contains(address)).collect()
    }

    /// Lets the timers' thread, if there is one yet, look again.
    pub(crate) fn wake_server(&self) {
        if let Some(server) = self.server.get() {
            sched::wake(server);
        }
    }
}

impl Set {
    fn insert(&mut self, due: u64, armed: Armed) {
        self.next += 1;
        self.due.insert((due, self.next), armed);
        self.by_address.insert(Va::of(armed.timer), (due, self.next));
    }

    fn remove(&mut self, timer: Va) -> bool {
        let Some(key) = self.by_address.remove(&timer) else { return false };
        self.due.remove(&key).is_some()
    }
}

/// Takes a timer that is in memory being freed out of the set; whether it was set.
pub(crate) fn forget(timer: Va) -> bool {
    TIMERS.get().set().remove(timer)
}

/// The timers that are set and whose DPCs lie in `range`, which is being freed.
pub(super) fn with_dpc_in(range: &Range<Va>) -> Vec<Va> {
    let timers = TIMERS.get();
    let set = timers.set();
    let dpcs = set.due.values().filter(|armed| range.contains(&Va::of(armed.dpc)));
    dpcs.map(|armed| Va::of(armed.timer)).collect()
}

/// Starts the thread that waits for timers.
pub(super) fn start() {
    let stopping = Stopping::current();
    sched::spawn("timers", move || serve(stopping)).expect("the host has a thread for the machine's timers");
}

/// Lets the thread that waits for timers look again: the machine is stopping.
pub(super) fn stop() {
    TIMERS.get().wake_server();
}

/// The addresses within `range` of timers that are set.
pub(super) fn within(range: &Range<Va>) -> Vec<Va> {
    TIMERS.get().within(range)
}

/// Body of the thread that waits for timers.
fn serve(stopping: &Stopping) {
    let Some(thread) = sched::current() else { return };
    let timers = TIMERS.get();
    let _ = timers.server.set(thread);
    while !stopping.is_set() {
        let next = expire_due(&mut timers.set());
        sched::block(next.map(|due| sched::duration(due.saturating_sub(sched::now()))));
    }
}

/// Lets every timer expire that is due; when the next one will be.
fn expire_due(set: &mut Set) -> Option<u64> {
    loop {
        let (&(due, number), &armed) = set.due.first_key_value()?;
        if due > sched::now() {
            return Some(due);
        }
        set.due.remove(&(due, number));
        set.by_address.remove(&Va::of(armed.timer));
        if armed.period != 0 {
            set.insert(due + armed.period, armed);
        }
        // Under the lock, so that who cancels a timer knows that it is not touched any more.
        expire(armed);
    }
}

fn expire(armed: Armed) {
    // SAFETY: the timer is set, so its driver keeps it; it begins with its header.
    unsafe { object_exports::set(armed.timer.cast(), 1) };
    if !armed.dpc.is_null() {
        let post = |target: Option<u32>, dpc, importance| {
            processor::post(target.unwrap_or(armed.processor), dpc, importance);
        };
        // SAFETY: the driver keeps the DPC of a timer for as long as it keeps the timer set.
        unsafe { dpc::insert(armed.dpc, ptr::null_mut(), ptr::null_mut(), post) };
    }
}

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises a notification timer.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeInitializeTimer(timer: *mut KTIMER) {
        // SAFETY: the caller passes a timer of its own.
        unsafe { initialise(timer, TIMER_TYPE::NotificationTimer) };
    }

    /// Initialises a timer.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeInitializeTimerEx(timer: *mut KTIMER, kind: TIMER_TYPE) {
        // SAFETY: the caller passes a timer of its own.
        unsafe { initialise(timer, kind) };
    }

    /// Sets a timer; whether it was set.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeSetTimer(timer: *mut KTIMER, due: LARGE_INTEGER, dpc: *mut KDPC) -> BOOLEAN {
        arm(timer, due, 0, dpc)
    }

    /// Sets a timer, with a period in milliseconds unless that is zero; whether it was set.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeSetTimerEx(timer: *mut KTIMER, due: LARGE_INTEGER, period: i32, dpc: *mut KDPC) -> BOOLEAN {
        arm(timer, due, period as u32, dpc)
    }

    /// As [`KeSetTimerEx`]; how late the timer may be is not made use of.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeSetCoalescableTimer(
        timer: *mut KTIMER,
        due: LARGE_INTEGER,
        period: u32,
        _tolerance: u32,
        dpc: *mut KDPC,
    ) -> BOOLEAN {
        arm(timer, due, period, dpc)
    }

    /// Cancels a timer; whether it was set.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeCancelTimer(timer: *mut KTIMER) -> BOOLEAN {
        forget(Va::of(timer)).into()
    }

    /// Returns whether a timer is signaled.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeReadStateTimer(timer: *mut KTIMER) -> BOOLEAN {
        // SAFETY: the caller passes an initialised timer, which begins with its header.
        (unsafe { object_exports::state(timer.cast()) } != 0).into()
    }
}

/// # Safety
/// `timer` is writable.
unsafe fn initialise(timer: *mut KTIMER, kind: TIMER_TYPE) {
    let object = match kind {
        TIMER_TYPE::SynchronizationTimer => kind::SYNCHRONIZATION_TIMER,
        _ => kind::NOTIFICATION_TIMER,
    };
    if TIMERS.get().set().by_address.contains_key(&Va::of(timer)) {
        object_state::found("a timer that is set", Va::of(timer));
    }
    // SAFETY: all-zero is a valid value: integers and null pointers.
    unsafe { timer.write_bytes(0, 1) };
    // SAFETY: the caller's promise; a timer begins with its header.
    unsafe { object_exports::initialise(timer.cast(), object, size_of::<KTIMER>(), 0) };
}

/// Sets a timer, again if it is set already.
fn arm(timer: *mut KTIMER, due: LARGE_INTEGER, period: u32, dpc: *mut KDPC) -> BOOLEAN {
    let timers = TIMERS.get();
    let mut set = timers.set();
    let was_set = set.remove(Va::of(timer));
    // SAFETY: the caller passes an initialised timer, which begins with its header.
    unsafe { object_exports::set(timer.cast(), 0) };
    let armed = Armed { timer, dpc, processor: sched::processor(), period: u64::from(period) * 10_000 };
    let interval = from_now(due);
    let left = if due < 0 { timer_accuracy::by_ticks(interval) } else { interval };
    set.insert(sched::now() + left, armed);
    let is_next = set.due.first_key_value().is_some_and(|(_, next)| next.timer == timer);
    drop(set);
    if is_next {
        timers.wake_server();
    }
    was_set.into()
}

#[cfg(test)]
mod tests {
    use core::ffi::c_void;
    use core::mem::MaybeUninit;
    use core::sync::atomic::{AtomicU32, Ordering};

    use ntsim_core::sched::Irql;
    use ntsim_core::sched::time::TICK;
    use sys::wdm::{KWAIT_REASON, KernelMode};

    use super::*;
    use crate::ke::dpc::KeInitializeDpc;
    use crate::ke::wait_exports::KeWaitForSingleObject;

    static RUNS: AtomicU32 = AtomicU32::new(0);

    unsafe extern "efiapi" fn count(_: *mut KDPC, _: *mut c_void, _: *mut c_void, _: *mut c_void) {
        assert_eq!(sched::irql(), Irql::DISPATCH);
        RUNS.fetch_add(1, Ordering::Relaxed);
    }

    fn timer(kind: TIMER_TYPE) -> Box<KTIMER> {
        RUNS.store(0, Ordering::Relaxed);
        let mut timer = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        unsafe { KeInitializeTimerEx(&mut *timer, kind) };
        timer
    }

    fn wait(timer: &mut KTIMER, timeout: i64) -> i32 {
        let object = ptr::from_mut(timer).cast();
        unsafe { KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, &timeout) }
    }

    fn until(runs: u32) {
        while RUNS.load(Ordering::Relaxed) < runs {
            std::thread::yield_now();
        }
    }

    #[test]
    fn timer_signals_when_it_is_due_and_not_before() {
        let machine = crate::testing::builder().boot();
        let mut timer = timer(TIMER_TYPE::NotificationTimer);
        let before = sched::now();
        assert_eq!(unsafe { KeSetTimer(&mut *timer, -500_000, ptr::null_mut()) }, 0);
        assert_eq!(wait(&mut timer, 0), 0x102);
        assert_eq!(wait(&mut timer, -10_000_000), 0);
        assert!(sched::now() - before >= 500_000 - TICK);
        assert_eq!(unsafe { KeReadStateTimer(&mut *timer) }, 1);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn cancelled_timer_does_not_signal() {
        let machine = crate::testing::builder().boot();
        let mut timer = timer(TIMER_TYPE::NotificationTimer);
        unsafe {
            KeSetTimer(&mut *timer, -1_000_000, ptr::null_mut());
            assert_eq!((KeCancelTimer(&mut *timer), KeCancelTimer(&mut *timer)), (1, 0));
        }
        assert_eq!(wait(&mut timer, -60_000), 0x102);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn periodic_timer_queues_its_dpc_until_it_is_cancelled() {
        let machine = crate::testing::builder().boot();
        let mut timer = timer(TIMER_TYPE::SynchronizationTimer);
        let mut dpc = unsafe { MaybeUninit::zeroed().assume_init() };
        unsafe {
            KeInitializeDpc(&mut dpc, Some(count), ptr::null_mut());
            KeSetTimerEx(&mut *timer, -10_000, 1, &mut dpc);
        }
        until(3);
        assert_eq!(unsafe { KeCancelTimer(&mut *timer) }, 1);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn setting_a_timer_again_puts_it_off() {
        let machine = crate::testing::builder().boot();
        let mut timer = timer(TIMER_TYPE::NotificationTimer);
        unsafe {
            KeSetTimer(&mut *timer, -10_000, ptr::null_mut());
            assert_eq!(KeSetTimer(&mut *timer, -1_000_000_000, ptr::null_mut()), 1);
        }
        assert_eq!(wait(&mut timer, -50_000), 0x102);
        assert_eq!(unsafe { KeCancelTimer(&mut *timer) }, 1);
        assert!(machine.shutdown().is_clean());
    }
}
