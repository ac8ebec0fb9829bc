//! Kernel objects in use, by address: what must not lie in memory that is being freed.

#![forbid(unsafe_code)]

use core::ops::Range;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::sched::{for_each_thread, processor};
use ntsim_core::subsystem::LiveObject;

use super::{dispatcher, lock_order, timer};

/// The objects in use within `range`, which is being freed. Timers and DPCs among them are taken out of
/// their queues, so that the simulator does not touch them later.
pub(crate) fn take_objects(range: &Range<Va>) -> Vec<LiveObject> {
    lock_order::forget(range.clone());
    let mut found = Vec::new();
    let mut add = |what, address: Va, bugcheck| found.push(LiveObject { what, address, bugcheck });
    // Bug check 0xC7: 0 for a timer, 1 for a DPC; its address; the range.
    let invalid = |kind, address: Va| {
        let parameters = [kind, address.bits(), range.start.bits(), range.end.bits()];
        Some(Bugcheck { code: 0xC7, parameters })
    };
    for address in timer::within(range) {
        if timer::forget(address) {
            add("an active timer", address, invalid(0, address));
        }
    }
    for timer in timer::with_dpc_in(range) {
        if timer::forget(timer) {
            add("the DPC of an active timer", timer, invalid(1, timer));
        }
    }
    for processor in processor::all() {
        for address in processor.take(range) {
            add("a queued DPC", address, invalid(1, address));
        }
    }
    for_each_thread(|thread| {
        for address in thread.held.addresses().filter(|address| range.contains(address)) {
            // Bug check 0xC4, code 0x100B: the lock, the thread that owns it.
            let parameters = [0x100B, address.bits(), Va::of(core::ptr::from_ref(*thread)).bits(), 0];
            add("a spin lock that is held", address, Some(Bugcheck { code: 0xC4, parameters }));
        }
        for address in thread.mutexes.addresses().filter(|address| range.contains(address)) {
            let parameters = [0x100B, address.bits(), Va::of(core::ptr::from_ref(*thread)).bits(), 0];
            add("a mutex that is held", address, Some(Bugcheck { code: 0xC4, parameters }));
        }
    });
    let awaited: Vec<_> = dispatcher::lock().awaited().filter(|address| range.contains(address)).collect();
    awaited.into_iter().for_each(|address| add("an object that a thread waits for", address, None));
    found
}
