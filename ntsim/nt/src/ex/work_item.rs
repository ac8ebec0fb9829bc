//! Work items that a driver keeps itself.

use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{WORK_QUEUE_ITEM, WORK_QUEUE_TYPE, signature};

use super::worker::queue_work;

exports! {
    "ntoskrnl.exe", signature;

    /// Lets a worker thread call an item's routine.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExQueueWorkItem(item: *mut WORK_QUEUE_ITEM, _queue: WORK_QUEUE_TYPE) {
        // SAFETY: the caller passes an initialised item.
        let known = unsafe { &mut *item };
        if !known.List.Flink.is_null() {
            let text = format!("the work item at {item:p} was queued while it was queued already");
            verifier::report(Finding::new("WorkItemQueued").text(text));
            return;
        }
        let Some(routine) = known.WorkerRoutine else {
            let text = "a work item without a routine was queued";
            verifier::report(Finding::new("WorkItemRoutine").text(text));
            return;
        };
        known.List.Flink = &raw mut known.List;
        let (item, parameter) = (Va::of(item), Va::of(known.Parameter));
        queue_work(move || {
            let item = item.ptr::<WORK_QUEUE_ITEM>();
            // SAFETY: the driver keeps a queued item; from here on it may queue it again, or free it.
            unsafe { (*item).List.Flink = ptr::null_mut() };
            // SAFETY: the driver asked for this call.
            boundary::call_driver("WorkerRoutine", || unsafe { routine(parameter.ptr::<_>()) });
        });
    }
}

#[cfg(test)]
mod tests {
    use core::ffi::c_void;
    use core::sync::atomic::{AtomicUsize, Ordering};

    use ntsim_core::sched;
    use ntsim_core::sched::Irql;
    use sys::wdm::LIST_ENTRY;

    use super::*;

    static SUM: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "efiapi" fn add(parameter: *mut c_void) {
        assert_eq!(sched::irql(), Irql::PASSIVE);
        SUM.fetch_add(parameter.addr(), Ordering::Relaxed);
    }

    fn item() -> WORK_QUEUE_ITEM {
        let none = ptr::null_mut();
        let list = LIST_ENTRY { Flink: none, Blink: none };
        WORK_QUEUE_ITEM { List: list, WorkerRoutine: Some(add), Parameter: 3 as *mut c_void }
    }

    #[test]
    fn work_item_runs_once_each_time_it_is_queued() {
        let machine = crate::testing::builder().boot();
        let mut item = item();
        SUM.store(0, Ordering::Relaxed);
        for expected in [3, 6] {
            unsafe { ExQueueWorkItem(&mut item, WORK_QUEUE_TYPE::DelayedWorkQueue) };
            while SUM.load(Ordering::Relaxed) < expected {
                std::thread::yield_now();
            }
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn queueing_a_queued_item_or_one_without_a_routine_is_found() {
        let machine = crate::testing::builder().boot();
        let mut item = item();
        unsafe {
            item.WorkerRoutine = None;
            ExQueueWorkItem(&mut item, WORK_QUEUE_TYPE::DelayedWorkQueue);
            item.List.Flink = &mut item.List;
            ExQueueWorkItem(&mut item, WORK_QUEUE_TYPE::DelayedWorkQueue);
        }
        let rules = machine.shutdown().rules();
        assert_eq!(rules, ["WorkItemRoutine", "WorkItemQueued"]);
    }
}
