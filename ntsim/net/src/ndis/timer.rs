//! Timers of NDIS (<https://learn.microsoft.com/windows-hardware/drivers/network/initializing-ndis-timers>), each a timer of the
//! kernel with a DPC.

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use nt::mm::Block;
use nt::{fault, ke};
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::ndis::{
    NDIS_HANDLE, NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS, NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1,
    NDIS_TIMER_CHARACTERISTICS, NDIS_TIMER_CHARACTERISTICS_REVISION_1, PNDIS_TIMER_FUNCTION, signature,
};
use sys::status::{NDIS_STATUS, NDIS_STATUS_BAD_CHARACTERISTICS, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS};
use sys::wdm::{BOOLEAN, KDPC, KTIMER, LARGE_INTEGER};

use super::header::{self, Expected};
use super::{check_owner, ndis, violation};

const CHARACTERISTICS: Expected = Expected {
    name: "NDIS_TIMER_CHARACTERISTICS",
    kind: NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS,
    revisions: &[(NDIS_TIMER_CHARACTERISTICS_REVISION_1, NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1)],
};

/// The timers of one machine.
#[derive(Default)]
struct Timers {
    /// By handle.
    live: Mutex<HashMap<Va, Arc<Timer>>>,
    /// Those that were freed: a processor may be about to run the DPC of one, and finds that out then.
    freed: Mutex<Vec<Arc<Timer>>>,
}

static TIMERS: PerMachine<Timers> = PerMachine::new();

struct Timer {
    /// The adapter or driver that it belongs to.
    owner: Va,
    timer: Block,
    dpc: Block,
    function: PNDIS_TIMER_FUNCTION,
    /// The address of the context where it is set without one.
    context: Va,
    /// The address of the context with which it was set.
    current: AtomicUsize,
    periodic: AtomicBool,
}

fn timers() -> &'static Timers {
    TIMERS.get()
}

/// Reports what drivers left behind.
pub(super) fn inspect() {
    timers().inspect();
}

impl Timers {
    fn inspect(&self) {
        for handle in self.live.lock().keys() {
            violation(
                "NdisTimer",
                [0, handle.bits(), 0, 0],
                format!("the timer {handle:#x} was never freed"),
            );
        }
    }
}

/// Reports the timers of an adapter that are left when it is gone.
pub(super) fn check_none_left(owner: Va, when: &str) {
    let mut live = timers().live.lock();
    let left: Vec<_> = live.extract_if(|_, timer| timer.owner == owner).map(|(_, timer)| timer).collect();
    drop(live);
    left.iter().for_each(|timer| _ = timer.stop());
    if !left.is_empty() {
        let text = format!("{when} and left {} timers", left.len());
        violation("NdisTimer", [0, owner.bits(), 0, 0], text);
    }
    timers().freed.lock().extend(left);
}

impl Timer {
    /// Takes it out of the queues; true if it was in one.
    fn stop(&self) -> bool {
        // SAFETY: the timer was initialised, and stays until the machine is gone.
        let set = unsafe { ke::KeCancelTimer(self.timer.as_ptr()) };
        // SAFETY: as above.
        let queued = unsafe { ke::KeRemoveQueueDpc(self.dpc.as_ptr()) };
        set != 0 || queued != 0
    }
}

/// The timer with a handle; `None`, with a finding, if there is none.
fn find(handle: NDIS_HANDLE, function: &'static str) -> Option<Arc<Timer>> {
    let timer = timers().live.lock().get(&Va::of(handle)).cloned();
    if timer.is_none() {
        misuse(handle, &format!("{function} got a handle that is no timer, or one that was freed"));
    }
    timer
}

#[cold]
fn misuse(handle: NDIS_HANDLE, text: &str) {
    violation("NdisTimer", [0, Va::of(handle).bits(), 0, 0], format!("{text} ({handle:p})"));
}

/// Runs the function of a timer that is due.
unsafe extern "efiapi" fn fire(_: *mut KDPC, handle: *mut c_void, _: *mut c_void, _: *mut c_void) {
    let Some(timer) = timers().live.lock().get(&Va::of(handle)).cloned() else { return };
    let (function, context) = (timer.function, Va::new(timer.current.load(Ordering::Acquire)));
    let none = core::ptr::null_mut();
    // SAFETY: the function and its context are what the driver set the timer with.
    boundary::call_driver("NdisTimerFunction", || unsafe {
        function(none, context.ptr::<c_void>(), none, none);
    });
}

exports! {
    "ndis.sys", signature;

    /// Makes a timer.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateTimerObject(
        owner: NDIS_HANDLE,
        characteristics: *const NDIS_TIMER_CHARACTERISTICS,
        out: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        check_owner(owner, "NdisAllocateTimerObject");
        // SAFETY: the driver passes characteristics, which begin with their head.
        if !unsafe { header::check(characteristics.cast(), &CHARACTERISTICS) } {
            return NDIS_STATUS_BAD_CHARACTERISTICS;
        }
        // SAFETY: the head says that there is all of it.
        let given = unsafe { &*characteristics };
        let (Some(function), true) = (given.TimerFunction, given.AllocationTag != 0) else {
            misuse(owner, "a timer is allocated without a function, or without a tag");
            return NDIS_STATUS_BAD_CHARACTERISTICS;
        };
        let parts = (!fault::strikes())
            .then(|| Block::new(size_of::<KTIMER>()).zip(Block::new(size_of::<KDPC>())))
            .flatten();
        let Some((timer, dpc)) = parts else { return NDIS_STATUS_RESOURCES };
        let handle = ndis().new_handle();
        // SAFETY: the block is new, and has the size.
        unsafe { ke::KeInitializeTimer(timer.as_ptr()) };
        // SAFETY: as above.
        unsafe { ke::KeInitializeDpc(dpc.as_ptr(), Some(fire), handle.ptr()) };
        let made = Timer {
            owner: Va::of(owner),
            timer,
            dpc,
            function,
            context: Va::of(given.FunctionContext),
            current: AtomicUsize::new(0),
            periodic: AtomicBool::new(false),
        };
        timers().live.lock().insert(handle, Arc::new(made));
        // SAFETY: the driver passes room for the handle.
        unsafe { out.write(handle.ptr()) };
        NDIS_STATUS_SUCCESS
    }

    /// Sets a timer; returns whether it was set.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisSetTimerObject(
        handle: NDIS_HANDLE,
        due: LARGE_INTEGER,
        period: i32,
        context: *mut c_void,
    ) -> BOOLEAN {
        let Some(timer) = find(handle, "NdisSetTimerObject") else { return 0 };
        let context = if context.is_null() { timer.context } else { Va::of(context) };
        timer.current.store(context.get(), Ordering::Release);
        timer.periodic.store(period != 0, Ordering::Release);
        // SAFETY: both were initialised, and stay until the machine is gone.
        unsafe { ke::KeSetTimerEx(timer.timer.as_ptr(), due, period, timer.dpc.as_ptr()) }
    }

    /// Cancels a timer; returns whether it was set. A periodic one is cancelled at PASSIVE_LEVEL, and its function has then
    /// returned: <https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndiscanceltimerobject>.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisCancelTimerObject(handle: NDIS_HANDLE) -> BOOLEAN {
        let Some(timer) = find(handle, "NdisCancelTimerObject") else { return 0 };
        // SAFETY: the timer was initialised, and stays until the machine is gone.
        let was_set = unsafe { ke::KeCancelTimer(timer.timer.as_ptr()) };
        if timer.periodic.load(Ordering::Acquire) {
            if sched::irql() == Irql::PASSIVE {
                // SAFETY: the level is that which the function needs.
                unsafe { ke::KeFlushQueuedDpcs() };
            } else {
                misuse(handle, &format!("a periodic timer is cancelled at {}", sched::irql()));
            }
        }
        was_set
    }

    /// Frees a timer that is not set.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeTimerObject(handle: NDIS_HANDLE) {
        let Some(timer) = find(handle, "NdisFreeTimerObject") else { return };
        timers().live.lock().remove(&Va::of(handle));
        if timer.stop() {
            misuse(handle, "a timer is freed while it is set, or its function is to run");
        }
        timers().freed.lock().push(timer);
    }
}
