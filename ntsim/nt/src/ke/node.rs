//! Nodes of processors, of which there is one, and processes, of which there is one too.

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::sched::processor;
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{GROUP_AFFINITY, KAFFINITY, KAPC_STATE, signature};

/// The number that marks the state of a thread which is attached.
const ATTACHED: u64 = u64::from_le_bytes(*b"attached");

exports! {
    "ntoskrnl.exe", signature;

    /// The processors of a node, and how many they are.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryNodeActiveAffinity(node: u16, affinity: *mut GROUP_AFFINITY, count: *mut u16) {
        let all = if node == 0 { processor::count() } else { 0 };
        let mask = if all == 0 { 0 } else { KAFFINITY::MAX >> (64 - all) };
        // SAFETY: the caller passes null or room for the set.
        if let Some(affinity) = unsafe { affinity.as_mut() } {
            *affinity = GROUP_AFFINITY { Mask: mask, Group: 0, Reserved: [0; 3] };
        }
        // SAFETY: the caller passes null or room for the number.
        if let Some(count) = unsafe { count.as_mut() } {
            *count = narrow(all);
        }
    }

    /// The node of the current processor.
    #[irql(PASSIVE..=HIGH)]
    fn KeGetCurrentNodeNumber() -> u16 {
        0
    }

    /// The highest number of a node.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryHighestNodeNumber() -> u16 {
        0
    }

    /// Goes into the address space of a process; there is one for all.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeStackAttachProcess(process: *mut core::ffi::c_void, state: *mut KAPC_STATE) {
        if process.is_null() {
            report("KeStackAttachProcess got no process".into());
        }
        // SAFETY: the driver passes room for the state.
        unsafe { (*state).Opaque = [ATTACHED, Va::of(state).bits(), 0, 0, 0, 0] };
    }

    /// Goes back to where it was.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeUnstackDetachProcess(state: *mut KAPC_STATE) {
        // SAFETY: the driver passes a state.
        let known = unsafe { core::mem::take(&mut (*state).Opaque) };
        if known[..2] != [ATTACHED, Va::of(state).bits()] {
            report(format!("KeUnstackDetachProcess got {state:p}, by which no thread is attached"));
        }
    }
}

fn report(text: String) {
    verifier::report(Finding::new("ProcessAttach").text(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_has_all_processors() {
        let machine = crate::testing::builder().processors(3).boot();
        let (mut set, mut count) = (GROUP_AFFINITY { Mask: 0, Group: 9, Reserved: [9; 3] }, 0);
        unsafe { KeQueryNodeActiveAffinity(KeGetCurrentNodeNumber(), &mut set, &mut count) };
        assert_eq!((set.Mask, set.Group, count), (7, 0, 3));
        unsafe { KeQueryNodeActiveAffinity(1, core::ptr::null_mut(), &mut count) };
        assert_eq!(count, 0);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn detaching_twice_is_found() {
        let machine = crate::testing::builder().boot();
        let mut state = KAPC_STATE { Opaque: [0; 6] };
        unsafe {
            KeStackAttachProcess(core::ptr::dangling_mut(), &mut state);
            KeUnstackDetachProcess(&mut state);
            KeUnstackDetachProcess(&mut state);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "ProcessAttach");
    }
}
