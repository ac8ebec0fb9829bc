//! Work items of NDIS.

use core::ffi::c_void;
use core::ptr;
use std::collections::HashMap;

use nt::ex::queue_work;
use nt::{fault, ob};
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::ndis::{NDIS_HANDLE, NDIS_IO_WORKITEM_ROUTINE, signature};

use super::{check_owner, device, ndis, violation};

/// The work items of one machine, by handle.
#[derive(Default)]
struct Items {
    live: Mutex<HashMap<Va, Item>>,
}

static ITEMS: PerMachine<Items> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    ITEMS.get().inspect();
}

impl Items {
    fn inspect(&self) {
        for (handle, item) in &*self.live.lock() {
            let state = if item.queued { "still queued" } else { "never freed" };
            violation(
                "NdisIoWorkItem",
                [0, (*handle).bits(), 0, 0],
                format!("the work item {handle:#x} is {state}"),
            );
        }
    }
}

struct Item {
    /// The adapter or driver that it belongs to.
    owner: Va,
    queued: bool,
}

fn items() -> &'static Items {
    ITEMS.get()
}

/// Reports the work items of an adapter that are left when it is gone.
pub(super) fn check_none_left(owner: Va, when: &str) {
    let mut live = items().live.lock();
    let left: Vec<_> =
        live.iter().filter(|(_, item)| item.owner == owner).map(|(handle, _)| *handle).collect();
    live.retain(|_, item| item.owner != owner);
    drop(live);
    if !left.is_empty() {
        let text = format!("{when} and left {} work items", left.len());
        violation("NdisIoWorkItem", [0, owner.bits(), 0, 0], text);
    }
}

/// The device object or driver object that is associated with the handle of an adapter, driver or device:
/// <https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisallocateioworkitem>.
fn object_of(owner: Va) -> Va {
    let driver = ndis().drivers.lock().get(&owner).map(|driver| Va::of(driver.object));
    let functional = || ndis().adapters.lock().get(&owner).map(|adapter| Va::of(adapter.devices.functional));
    driver.or_else(functional).or_else(|| device::of(owner)).unwrap_or(Va::NULL)
}

exports! {
    "ndis.sys", signature;

    /// Makes a work item.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateIoWorkItem(owner: NDIS_HANDLE) -> NDIS_HANDLE {
        check_owner(owner, "NdisAllocateIoWorkItem");
        if fault::strikes() {
            return ptr::null_mut();
        }
        let handle = ndis().new_handle();
        items().live.lock().insert(handle, Item { owner: Va::of(owner), queued: false });
        handle.ptr()
    }

    /// Queues a work item.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisQueueIoWorkItem(
        handle: NDIS_HANDLE,
        routine: Option<NDIS_IO_WORKITEM_ROUTINE>,
        context: *mut c_void,
    ) {
        let queued = items()
            .live
            .lock()
            .get_mut(&Va::of(handle))
            .map(|item| (core::mem::replace(&mut item.queued, true), item.owner));
        let (Some((false, owner)), Some(routine)) = (queued, routine) else {
            misuse(handle, "is no work item, is queued already, or has no routine");
            return;
        };
        let (handle, context) = (Va::of(handle), Va::of(context));
        let object = object_of(owner);
        // As IoQueueWorkItem, which NDIS calls: the object, and with it the driver's image, stays as long as its work.
        ob::reference(object.ptr::<c_void>());
        queue_work(move || {
            if let Some(item) = items().live.lock().get_mut(&handle) {
                item.queued = false;
            }
            // SAFETY: the routine and its context are what the driver queued.
            boundary::call_driver("NdisIoWorkItem", || unsafe {
                routine(context.ptr::<c_void>(), handle.ptr())
            });
            ob::dereference(object.ptr::<c_void>());
        });
    }

    /// Frees a work item that is not queued.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeIoWorkItem(handle: NDIS_HANDLE) {
        match items().live.lock().remove(&Va::of(handle)) {
            None => misuse(handle, "is no work item, or was freed before"),
            Some(item) if item.queued => misuse(handle, "is freed while it is queued"),
            Some(_) => {}
        }
    }
}

#[cold]
fn misuse(handle: NDIS_HANDLE, what: &str) {
    violation("NdisIoWorkItem", [0, Va::of(handle).bits(), 0, 0], format!("{handle:p} {what}"));
}
