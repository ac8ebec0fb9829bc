//! Work items: calls that a driver puts off to a worker thread.

use core::ffi::c_void;
use core::ops::Range;
use core::ptr;
use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::wdm::{
    DEVICE_OBJECT, IO_WORKITEM, PIO_WORKITEM_ROUTINE, PIO_WORKITEM_ROUTINE_EX, WORK_QUEUE_TYPE, signature,
};

use crate::ex::queue_work;
use crate::fault;
use crate::ke::resident;
use crate::mm::Block;
use crate::ob;

/// Bytes that a work item takes in a driver's own memory; Windows' own is of about this size.
const SIZE: u32 = 0x58;

/// The work items of one machine, by address.
#[derive(Default)]
struct Items {
    live: Mutex<HashMap<Va, Item>>,
}

struct Item {
    /// Its memory, unless it lies in the driver's.
    block: Option<Block>,
    /// The device, or the driver, on whose behalf it runs.
    object: Va,
    queued: bool,
}

static ITEMS: PerMachine<Items> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    ITEMS.get().inspect();
}

impl Items {
    fn inspect(&self) {
        for (address, item) in &*self.live.lock() {
            if item.queued {
                verifier::report(
                    Finding::new("WorkItemQueued")
                        .bugcheck(Bugcheck { code: 0xCE, parameters: [(*address).bits(), 0, 0, 0] })
                        .text(format!("the work item at {address:#x} is still queued")),
                );
            } else if item.block.is_some() {
                verifier::report(
                    Finding::new("WorkItemLeak")
                        .text(format!("the work item at {address:#x} was never freed")),
                );
            }
        }
    }
}

fn items() -> &'static Items {
    ITEMS.get()
}

/// Takes the work items that lie within a range of memory out of use, and returns where they are.
pub(crate) fn take_within(range: &Range<Va>) -> Vec<Va> {
    let mut live = items().live.lock();
    let within: Vec<_> = live.keys().copied().filter(|address| range.contains(address)).collect();
    within.iter().for_each(|address| drop(live.remove(address)));
    within
}

/// The routine that a queued work item calls.
#[derive(Clone, Copy)]
enum Routine {
    Plain(PIO_WORKITEM_ROUTINE),
    Extended(PIO_WORKITEM_ROUTINE_EX),
}

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a work item.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoAllocateWorkItem(device: *mut DEVICE_OBJECT) -> *mut IO_WORKITEM {
        if fault::strikes() {
            return ptr::null_mut();
        }
        let Some(block) = Block::new(SIZE.to_usize()) else { return ptr::null_mut() };
        let item = block.as_ptr::<IO_WORKITEM>();
        let record = Item { block: Some(block), object: Va::of(device), queued: false };
        items().live.lock().insert(Va::of(item), record);
        item
    }

    /// Frees a work item that is not queued.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoFreeWorkItem(item: *mut IO_WORKITEM) {
        release(item);
    }

    /// Bytes of a work item in a driver's own memory.
    #[irql(PASSIVE..=HIGH)]
    fn IoSizeofWorkItem() -> u32 {
        SIZE
    }

    /// Makes a work item in the driver's own memory.
    #[irql(PASSIVE..=HIGH)]
    fn IoInitializeWorkItem(object: *mut c_void, item: *mut IO_WORKITEM) {
        resident::check(0x131, "a work item", Va::of(item));
        let record = Item { block: None, object: Va::of(object), queued: false };
        if items().live.lock().insert(Va::of(item), record).is_some_and(|old| old.queued) {
            misuse(item, "was initialised while it is queued");
        }
    }

    /// Ends the use of a work item in the driver's own memory.
    #[irql(PASSIVE..=HIGH)]
    fn IoUninitializeWorkItem(item: *mut IO_WORKITEM) {
        release(item);
    }

    /// Queues a work item.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoQueueWorkItem(
        item: *mut IO_WORKITEM,
        routine: Option<PIO_WORKITEM_ROUTINE>,
        _queue: WORK_QUEUE_TYPE,
        context: *mut c_void,
    ) {
        queue(item, routine.map(Routine::Plain), context);
    }

    /// Queues a work item whose routine also gets the item.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoQueueWorkItemEx(
        item: *mut IO_WORKITEM,
        routine: Option<PIO_WORKITEM_ROUTINE_EX>,
        _queue: WORK_QUEUE_TYPE,
        context: *mut c_void,
    ) {
        queue(item, routine.map(Routine::Extended), context);
    }
}

fn queue(item: *mut IO_WORKITEM, routine: Option<Routine>, context: *mut c_void) {
    let mut live = items().live.lock();
    let (Some(known), Some(routine)) = (live.get_mut(&Va::of(item)), routine) else {
        drop(live);
        misuse(item, "is no work item, or has no routine");
        return;
    };
    if core::mem::replace(&mut known.queued, true) {
        drop(live);
        misuse(item, "is queued already");
        return;
    }
    let object = known.object;
    drop(live);
    // The device, or the driver and its image, stays as long as its work does.
    ob::reference(object.ptr::<c_void>());
    let (item, context) = (Va::of(item), Va::of(context));
    queue_work(move || run(item, object, routine, context));
}

/// Body of the worker: the item is off the queue when its routine begins, which may free or queue it.
fn run(item: Va, object: Va, routine: Routine, context: Va) {
    if let Some(known) = items().live.lock().get_mut(&item) {
        known.queued = false;
    }
    let context = context.ptr::<c_void>();
    match routine {
        Routine::Plain(routine) => {
            // SAFETY: the routine and its context are what the driver queued.
            boundary::call_driver("IoWorkItem", || unsafe {
                routine(object.ptr::<DEVICE_OBJECT>(), context)
            });
        }
        Routine::Extended(routine) => {
            // SAFETY: as above.
            boundary::call_driver("IoWorkItemEx", || unsafe {
                routine(object.ptr::<c_void>(), context, item.ptr::<IO_WORKITEM>());
            });
        }
    }
    ob::dereference(object.ptr::<c_void>());
}

fn release(item: *mut IO_WORKITEM) {
    match items().live.lock().remove(&Va::of(item)) {
        None => misuse(item, "is no work item, or was freed before"),
        Some(record) if record.queued => misuse(item, "is freed while it is queued"),
        Some(_) => {}
    }
}

#[cold]
fn misuse(item: *mut IO_WORKITEM, what: &str) {
    verifier::report(Finding::new("IoWorkItem").text(format!("the work item at {item:p} {what}")));
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ex::pool;

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "efiapi" fn count(_object: *mut c_void, context: *mut c_void, item: *mut IO_WORKITEM) {
        RUNS.fetch_add(context.addr(), Ordering::SeqCst);
        unsafe { IoFreeWorkItem(item) };
    }

    #[test]
    fn routine_runs_once_and_may_free_its_item() {
        let machine = crate::testing::builder().boot();
        let before = RUNS.load(Ordering::SeqCst);
        unsafe {
            let item = IoAllocateWorkItem(ptr::null_mut());
            IoQueueWorkItemEx(item, Some(count), WORK_QUEUE_TYPE::DelayedWorkQueue, 5 as *mut c_void);
        }
        while RUNS.load(Ordering::SeqCst) != before + 5 {
            std::thread::yield_now();
        }
        assert!(machine.shutdown().is_clean());
    }

    unsafe extern "efiapi" fn nothing(_device: *mut DEVICE_OBJECT, _context: *mut c_void) {}

    #[test]
    fn item_that_is_queued_is_neither_queued_again_nor_freed() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let item = IoAllocateWorkItem(ptr::null_mut());
            // As if no worker had come to it yet.
            items().live.lock().get_mut(&Va::of(item)).unwrap().queued = true;
            IoQueueWorkItem(item, Some(nothing), WORK_QUEUE_TYPE::DelayedWorkQueue, ptr::null_mut());
            IoFreeWorkItem(item);
        }
        let rules = machine.shutdown().rules();
        assert_eq!(rules, ["IoWorkItem", "IoWorkItem"]);
    }

    #[test]
    fn item_that_is_queued_at_the_end_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let item = IoAllocateWorkItem(ptr::null_mut());
            items().live.lock().get_mut(&Va::of(item)).unwrap().queued = true;
        }
        assert_eq!(machine.shutdown().findings[0].rule, "WorkItemQueued");
    }

    #[test]
    fn item_in_memory_that_is_freed_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let memory = pool::allocate(pool::Request {
                size: SIZE.to_usize(),
                tag: pool::Tag(1),
                kind: pool::Kind::NonPaged,
                zeroed: true,
            });
            IoInitializeWorkItem(ptr::null_mut(), memory);
            pool::free(memory, None);
        }
        let report = machine.shutdown();
        assert!(report.findings.iter().any(|finding| finding.text.contains("a work item")), "{report}");
    }

    #[test]
    fn item_that_is_never_freed_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe { IoAllocateWorkItem(ptr::null_mut()) };
        assert_eq!(machine.shutdown().findings[0].rule, "WorkItemLeak");
    }

    #[test]
    fn item_that_is_freed_twice_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let item = IoAllocateWorkItem(ptr::null_mut());
            IoFreeWorkItem(item);
            IoFreeWorkItem(item);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "IoWorkItem");
    }
}
