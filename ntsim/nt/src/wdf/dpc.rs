//! Deferred procedure calls of the framework: the kernel's, with the object in place of the arguments.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use sys::wdf::{
    PFN_WDF_DPC, WDF_DPC_CONFIG, WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDPC, WDFOBJECT, signature,
};
use sys::wdm::{BOOLEAN, KDPC};

use super::object::{self, Body, Object};
use crate::ke::{KeFlushQueuedDpcs, KeInitializeDpc, KeInsertQueueDpc, KeRemoveQueueDpc};
use crate::mm::Block;

/// A deferred procedure call.
pub(super) struct Dpc {
    routine: PFN_WDF_DPC,
    block: Block,
}

impl Dpc {
    fn kernel(&self) -> *mut KDPC {
        self.block.as_ptr()
    }

    /// Takes it out of the queue; whether it was there.
    pub(super) fn cancel(&self) -> BOOLEAN {
        // SAFETY: the kernel's object was initialised when this one was made.
        unsafe { KeRemoveQueueDpc(self.kernel()) }
    }
}

exports! {
    "(KMDF)", signature;

    /// Makes a deferred procedure call.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDpcCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        config: *const WDF_DPC_CONFIG,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFDPC,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid configuration.
        let Some(routine) = (unsafe { (*config).EvtDpcFunc }) else { return STATUS_INVALID_PARAMETER };
        let Some(block) = Block::new(size_of::<KDPC>()) else { return STATUS_INSUFFICIENT_RESOURCES };
        let kernel = block.as_ptr::<KDPC>();
        // SAFETY: the driver passes valid attributes, and room for the handle.
        let status =
            unsafe { object::create_for_driver(globals, attributes, Body::Dpc(Dpc { routine, block }), out) };
        if status == 0 {
            // SAFETY: the driver's room for the handle was just written.
            let handle = unsafe { out.read() };
            // SAFETY: the kernel's object lies in memory of the object, which exists now.
            unsafe { KeInitializeDpc(kernel, Some(run), handle) };
        }
        status
    }

    /// Queues it; whether it was not queued already.
    #[irql(PASSIVE..=HIGH)]
    fn WdfDpcEnqueue(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFDPC) -> BOOLEAN {
        with(handle, |dpc| {
            // SAFETY: the kernel's object was initialised when this one was made.
            unsafe { KeInsertQueueDpc(dpc.kernel(), ptr::null_mut(), ptr::null_mut()) }
        })
    }

    /// Takes it out of the queue; with `wait`, after it has run if it is running.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDpcCancel(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFDPC, wait: BOOLEAN) -> BOOLEAN {
        let removed = with(handle, Dpc::cancel);
        if wait != 0 {
            // SAFETY: the function has no preconditions on memory; it checks the level.
            unsafe { KeFlushQueuedDpcs() };
        }
        removed
    }

    /// Its parent.
    #[irql(PASSIVE..=HIGH)]
    fn WdfDpcGetParentObject(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFDPC) -> WDFOBJECT {
        Object::of(handle).map_or(ptr::null_mut(), |object| object.parent())
    }

    /// The kernel's own.
    #[irql(PASSIVE..=HIGH)]
    fn WdfDpcWdmGetDpc(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFDPC) -> *mut KDPC {
        match Object::of(handle).as_deref().map(|object| &object.body) {
            Some(Body::Dpc(dpc)) => dpc.kernel(),
            _ => ptr::null_mut(),
        }
    }
}

fn with(handle: WDFDPC, f: impl FnOnce(&Dpc) -> BOOLEAN) -> BOOLEAN {
    match Object::of(handle).as_deref().map(|object| &object.body) {
        Some(Body::Dpc(dpc)) => f(dpc),
        Some(_) => {
            super::violation("WdfHandle", Va::of(handle), format!("{handle:p} is no WDFDPC"));
            0
        }
        None => 0,
    }
}

/// The DPC routine that the kernel calls.
unsafe extern "efiapi" fn run(_dpc: *mut KDPC, handle: *mut c_void, _: *mut c_void, _: *mut c_void) {
    let Some(object) = Object::known(Va::of(handle)) else { return };
    if let Body::Dpc(Dpc { routine, .. }) = &object.body {
        // SAFETY: the routine is the driver's own, called with its own object.
        boundary::call_driver("EvtDpcFunc", || unsafe { routine(handle) });
    }
}
