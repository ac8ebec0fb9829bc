//! Kernel objects in use, by address: what must not lie in memory that is being freed.

use core::fmt;
use core::ops::Range;

use super::{dispatcher, timer};
use crate::ex::lookaside;
use crate::io;
use crate::machine;
use crate::verifier::Bugcheck;

/// A kernel object that something still refers to.
pub(crate) struct LiveObject {
    /// What it is.
    what: &'static str,
    /// Where it is.
    address: usize,
    /// What Windows stops with when it finds it in freed memory.
    pub(crate) bugcheck: Option<Bugcheck>,
}

impl fmt::Display for LiveObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}", self.what, self.address)
    }
}

/// The objects in use within `range`, which is being freed. Timers and DPCs among them are taken out of
/// their queues, so that the simulator does not touch them later.
pub(crate) fn take_objects(range: &Range<usize>) -> Vec<LiveObject> {
    let machine = machine::current();
    machine.lock_order.forget(range.clone());
    let mut found = Vec::new();
    let mut add = |what, address: usize, bugcheck| found.push(LiveObject { what, address, bugcheck });
    // Bug check 0xC7: 0 for a timer, 1 for a DPC; its address; the range.
    let invalid = |kind, address: usize| {
        let parameters = [kind, address as u64, range.start as u64, range.end as u64];
        Some(Bugcheck { code: 0xC7, parameters })
    };
    for address in machine.timers.within(range) {
        if timer::forget(address) {
            add("an active timer", address, invalid(0, address));
        }
    }
    for processor in &machine.processors {
        for address in processor.take(range) {
            add("a queued DPC", address, invalid(1, address));
        }
    }
    machine.threads.for_each(|thread| {
        for address in thread.held.addresses().filter(|address| range.contains(address)) {
            // Bug check 0xC4, code 0x100B: the lock, the thread that owns it.
            let parameters = [0x100B, address as u64, core::ptr::from_ref(*thread) as u64, 0];
            add("a spin lock that is held", address, Some(Bugcheck { code: 0xC4, parameters }));
        }
        for address in thread.mutexes.addresses().filter(|address| range.contains(address)) {
            let parameters = [0x100B, address as u64, core::ptr::from_ref(*thread) as u64, 0];
            add("a mutex that is held", address, Some(Bugcheck { code: 0xC4, parameters }));
        }
    });
    for address in lookaside::take_within(range) {
        // Bug check 0xC4, code 0xCC: the list, the block, its size.
        let parameters = [0xCC, address as u64, range.start as u64, range.len() as u64];
        add("a lookaside list", address, Some(Bugcheck { code: 0xC4, parameters }));
    }
    for address in io::take_remove_locks(range) {
        add("a remove lock that is held", address, None);
    }
    for address in io::take_work_items(range) {
        add("a work item", address, None);
    }
    let awaited: Vec<_> = dispatcher::lock().awaited().filter(|address| range.contains(address)).collect();
    awaited.into_iter().for_each(|address| add("an object that a thread waits for", address, None));
    found
}
