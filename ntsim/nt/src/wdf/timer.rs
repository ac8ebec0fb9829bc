//! Timers of the framework: the kernel's, whose DPC tells the driver.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use sys::wdf::{
    PFN_WDF_TIMER, WDF_DRIVER_GLOBALS, WDF_EXECUTION_LEVEL, WDF_OBJECT_ATTRIBUTES, WDF_TIMER_CONFIG,
    WDFOBJECT, WDFTIMER, signature,
};
use sys::wdm::{BOOLEAN, KDPC, KTIMER};

use super::object::{self, Body, Object};
use super::violation;
use crate::ex::queue_work;
use crate::ke::{KeCancelTimer, KeFlushQueuedDpcs, KeInitializeDpc, KeInitializeTimer, KeSetTimerEx};
use crate::mm::Block;

/// A timer.
pub(super) struct Timer {
    routine: PFN_WDF_TIMER,
    /// Milliseconds between firings; zero for a single one.
    period: u32,
    /// Set if the driver is told at PASSIVE_LEVEL.
    passive: bool,
    block: Block,
}

/// The kernel's objects of a timer.
#[repr(C)]
struct Kernel {
    timer: KTIMER,
    dpc: KDPC,
}

impl Timer {
    fn timer(&self) -> *mut KTIMER {
        // The timer comes first.
        self.block.as_ptr()
    }

    fn dpc(&self) -> *mut KDPC {
        self.timer().wrapping_byte_add(core::mem::offset_of!(Kernel, dpc)).cast()
    }

    /// Stops it; whether it was set.
    pub(super) fn cancel(&self) -> BOOLEAN {
        // SAFETY: the kernel's object was initialised when this one was made.
        unsafe { KeCancelTimer(self.timer()) }
    }
}

exports! {
    "(KMDF)", signature;

    /// Makes a timer.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfTimerCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        config: *const WDF_TIMER_CONFIG,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFTIMER,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid configuration.
        let config = unsafe { &*config };
        // SAFETY: the driver passes valid attributes.
        let parent = unsafe { attributes.as_ref() }.filter(|attributes| !attributes.ParentObject.is_null());
        let (Some(routine), Some(parent)) = (config.EvtTimerFunc, parent) else {
            violation("WdfTimerCreate", Va::NULL, "a timer needs a callback and a parent".into());
            return STATUS_INVALID_PARAMETER;
        };
        let Some(block) = Block::new(size_of::<Kernel>()) else { return STATUS_INSUFFICIENT_RESOURCES };
        let passive = parent.ExecutionLevel == WDF_EXECUTION_LEVEL::WdfExecutionLevelPassive;
        let timer = Timer { routine, period: config.Period, passive, block };
        let (kernel, dpc) = (timer.timer(), timer.dpc());
        // SAFETY: the driver passes valid attributes, and room for the handle.
        let status = unsafe { object::create_for_driver(globals, attributes, Body::Timer(timer), out) };
        if status == 0 {
            // SAFETY: the driver's room for the handle was just written.
            let handle = unsafe { out.read() };
            // SAFETY: the kernel's objects lie in memory of the object, which exists now.
            unsafe { KeInitializeTimer(kernel) };
            // SAFETY: as above.
            unsafe { KeInitializeDpc(dpc, Some(fired), handle) };
        }
        status
    }

    /// Sets a timer; whether it was set already.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfTimerStart(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFTIMER, due: i64) -> BOOLEAN {
        with(handle, |timer| {
            // SAFETY: the kernel's objects were initialised when this one was made.
            unsafe { KeSetTimerEx(timer.timer(), due, timer.period.cast_signed(), timer.dpc()) }
        })
    }

    /// Stops a timer; with `wait`, after its callback has returned if it is running.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfTimerStop(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFTIMER, wait: BOOLEAN) -> BOOLEAN {
        let was_set = with(handle, Timer::cancel);
        if wait != 0 {
            // SAFETY: the function has no preconditions on memory; it checks the level.
            unsafe { KeFlushQueuedDpcs() };
        }
        was_set
    }

    /// Its parent.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfTimerGetParentObject(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFTIMER) -> WDFOBJECT {
        Object::of(handle).map_or(ptr::null_mut(), |object| object.parent())
    }
}

fn with(handle: WDFTIMER, f: impl FnOnce(&Timer) -> BOOLEAN) -> BOOLEAN {
    match Object::of(handle).as_deref().map(|object| &object.body) {
        Some(Body::Timer(timer)) => f(timer),
        Some(_) => {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no WDFTIMER"));
            0
        }
        None => 0,
    }
}

/// The DPC routine that the kernel calls.
unsafe extern "efiapi" fn fired(_dpc: *mut KDPC, handle: *mut c_void, _: *mut c_void, _: *mut c_void) {
    let Some(object) = Object::known(Va::of(handle)) else { return };
    let Body::Timer(timer) = &object.body else { return };
    if timer.passive {
        queue_work(move || tell(&object));
    } else {
        tell(&object);
    }
}

fn tell(object: &Object) {
    let Body::Timer(Timer { routine, .. }) = &object.body else { return };
    // SAFETY: the routine is the driver's own, called with its own object.
    boundary::call_driver("EvtTimerFunc", || unsafe { routine(object.handle.ptr()) });
}
