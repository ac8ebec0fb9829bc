//! The kernel as the harness needs it: events, IRQL, time, IRPs and MDLs. The only module, with
//! [`entry`](crate::entry), that calls what wdk-sys binds.

#![expect(unsafe_code, reason = "the kernel is called")]

mod mdl;
mod thread;

pub(crate) use self::mdl::{LockedMdl, Look, PartialMdl, PoolMdl, mdl_address, system_address, unmap};
pub(crate) use self::thread::beside;

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use protocol::Level;
use sys::status::STATUS_SUCCESS;
use sys::wdm::{self, PROCESSOR_NUMBER};
use wdk_sys::{
    KDPC, KEVENT, LARGE_INTEGER, PKDPC,
    ntddk::{
        KeInitializeDpc, KeInitializeEvent, KeInsertQueueDpc, KeQueryPerformanceCounter, KeSetEvent,
        KeWaitForSingleObject,
    },
};

/// A kernel event. It may not move once it is initialised, so it is made in the place where it stays.
pub(crate) struct Event(UnsafeCell<MaybeUninit<KEVENT>>);

// SAFETY: the kernel's event functions synchronise.
unsafe impl Sync for Event {}
// SAFETY: an event belongs to no thread.
unsafe impl Send for Event {}

/// The reset mode of an event (EVENT_TYPE).
#[derive(Clone, Copy)]
pub(crate) enum Reset {
    /// Never.
    Never,
    /// A wait resets it, when it has let one waiter through.
    ByWait,
}

impl Event {
    /// An event that must be initialised, in its final place, before it is used.
    pub(crate) const fn unplaced() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Initialises the event, not signalled. It must not be in use.
    pub(crate) fn place(&self, reset: Reset) {
        let kind = match reset {
            Reset::Never => wdk_sys::_EVENT_TYPE::NotificationEvent,
            Reset::ByWait => wdk_sys::_EVENT_TYPE::SynchronizationEvent,
        };
        // SAFETY: the event is in nonpaged memory, and is not in use.
        unsafe { KeInitializeEvent(self.as_ptr(), kind, 0) };
    }

    /// Signals the event. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn set(&self) {
        // SAFETY: the event is initialised; nothing waits in the same call.
        unsafe { KeSetEvent(self.as_ptr(), 0, 0) };
    }

    /// Waits for the event; says whether it was signalled in time. IRQL = PASSIVE_LEVEL.
    #[must_use]
    pub(crate) fn wait(&self, milliseconds: u32) -> bool {
        const UNITS_PER_MILLISECOND: i64 = 10_000;
        // Negative: relative to now, in units of 100 ns.
        let mut timeout =
            LARGE_INTEGER { QuadPart: i64::from(milliseconds).saturating_mul(-UNITS_PER_MILLISECOND) };
        // SAFETY: the event is initialised, the time-out lives through the call, the thread may wait.
        let status = unsafe {
            KeWaitForSingleObject(
                self.as_ptr().cast(),
                wdk_sys::_KWAIT_REASON::Executive,
                0,
                0,
                &raw mut timeout,
            )
        };
        status == STATUS_SUCCESS
    }

    fn as_ptr(&self) -> *mut KEVENT {
        self.0.get().cast()
    }
}

/// Runs `action` at `level`: at DISPATCH_LEVEL it runs in a DPC. IRQL = PASSIVE_LEVEL.
pub(crate) fn at<R>(level: Level, action: impl FnOnce() -> R) -> R {
    match level {
        Level::Passive => action(),
        Level::Dispatch => in_dpc(action),
    }
}

struct Deferred<F, R> {
    action: Option<F>,
    result: MaybeUninit<R>,
    done: Event,
}

fn in_dpc<F: FnOnce() -> R, R>(action: F) -> R {
    let mut dpc = MaybeUninit::<KDPC>::uninit();
    let mut deferred =
        Deferred { action: Some(action), result: MaybeUninit::uninit(), done: Event::unplaced() };
    deferred.done.place(Reset::Never);
    let shared = &raw mut deferred;
    // SAFETY: the DPC object is ours and not queued; its context lives until `done` is signalled.
    unsafe { KeInitializeDpc(dpc.as_mut_ptr(), Some(run_deferred::<F, R>), shared.cast()) };
    // SAFETY: the DPC object was just initialised.
    unsafe { KeInsertQueueDpc(dpc.as_mut_ptr(), null_mut(), null_mut()) };
    // SAFETY: the structure lives on this stack; the DPC and we share the event.
    let done = unsafe { &(*shared).done };
    // The stack must not go away under the DPC, however long that takes.
    while !done.wait(60_000) {}
    // SAFETY: the DPC wrote the result before it signalled, and is done with the structure.
    unsafe { deferred.result.assume_init() }
}

unsafe extern "C" fn run_deferred<F: FnOnce() -> R, R>(
    _dpc: PKDPC,
    context: *mut c_void,
    _first: *mut c_void,
    _second: *mut c_void,
) {
    let shared = context.cast::<Deferred<F, R>>();
    // SAFETY: `in_dpc` passed this structure and waits until `done` is signalled.
    let action = unsafe { &mut (*shared).action };
    if let Some(action) = action.take() {
        let result = action();
        // SAFETY: as above.
        unsafe { (*shared).result = MaybeUninit::new(result) };
    }
    // SAFETY: as above; this is the last touch.
    let done = unsafe { &(*shared).done };
    done.set();
}

/// The current processor: its group, and its number there.
pub(crate) fn processor() -> (u16, u8) {
    let mut processor = PROCESSOR_NUMBER { Group: 0, Number: 0, Reserved: 0 };
    // SAFETY: the place for the number is a local.
    unsafe { wdm::KeGetCurrentProcessorNumberEx(&raw mut processor) };
    (processor.Group, processor.Number)
}

/// The current thread's identity; in a DPC, that of the thread which the DPC interrupts.
pub(crate) fn thread() -> usize {
    // SAFETY: callable at any level.
    unsafe { wdm::KeGetCurrentThread() }.addr()
}

/// A moment up to which something is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    ticks: u64,
}

impl Deadline {
    /// The moment in so many milliseconds.
    pub(crate) fn after(milliseconds: u32) -> Self {
        let wait = frequency().saturating_mul(u64::from(milliseconds)) / 1_000;
        Self { ticks: ticks().saturating_add(wait) }
    }

    /// Milliseconds until then; zero when it has passed.
    pub(crate) fn left(self) -> u32 {
        let left = self.ticks.saturating_sub(ticks()).saturating_mul(1_000).checked_div(frequency());
        left.and_then(|left| u32::try_from(left).ok()).unwrap_or(0)
    }
}

/// The performance counter, in ticks.
pub(crate) fn ticks() -> u64 {
    // SAFETY: the frequency is optional.
    let now = unsafe { KeQueryPerformanceCounter(null_mut()) };
    // SAFETY: every bit pattern of the union is an integer.
    unsafe { now.QuadPart }.cast_unsigned()
}

/// Ticks of the performance counter in a second.
pub(crate) fn frequency() -> u64 {
    let mut frequency = LARGE_INTEGER { QuadPart: 0 };
    // SAFETY: the out parameter lives through the call.
    unsafe { KeQueryPerformanceCounter(&raw mut frequency) };
    // SAFETY: every bit pattern of the union is an integer.
    unsafe { frequency.QuadPart }.cast_unsigned()
}
