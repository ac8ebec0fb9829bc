//! The machine as drivers ask about it: processors, time, threads, and stopping it.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::{ToU64, narrow};
use ntsim_core::sched::{self, hooks, processor};
use ntsim_core::verifier::{self, Finding};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::{KAFFINITY, KPRIORITY, LARGE_INTEGER, PROCESSOR_NUMBER, signature};

/// Every processor there may be is in one group of this many.
const GROUP: u32 = 64;

/// Longest time for which a driver may keep a processor spinning, in microseconds (its DDI page).
const LONGEST_STALL: u32 = 50;

/// The priority of a thread whose priority was not changed.
const PRIORITY: KPRIORITY = 8;

exports! {
    "ntoskrnl.exe", signature;

    /// Returns the number of processors in a group, or in all.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryActiveProcessorCountEx(group: u16) -> u32 {
        if group == 0 || group == u16::MAX { count() } else { 0 }
    }

    /// Returns the number of processors, and their set.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryActiveProcessorCount(active: *mut KAFFINITY) -> u32 {
        // SAFETY: the caller passes null or room for the set.
        if let Some(active) = unsafe { active.as_mut() } {
            *active = affinity();
        }
        count()
    }

    /// Returns the number of processors that a group may have, or all.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryMaximumProcessorCountEx(group: u16) -> u32 {
        if group == 0 || group == u16::MAX { GROUP } else { 0 }
    }

    /// Returns the number of groups.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryActiveGroupCount() -> u16 {
        1
    }

    /// The processors of a group.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryGroupAffinity(group: u16) -> KAFFINITY {
        if group == 0 { affinity() } else { 0 }
    }

    /// The current processor.
    #[irql(PASSIVE..=HIGH)]
    fn KeGetCurrentProcessorNumberEx(number: *mut PROCESSOR_NUMBER) -> u32 {
        // SAFETY: the caller passes null or room for the number.
        if let Some(number) = unsafe { number.as_mut() } {
            *number = PROCESSOR_NUMBER { Group: 0, Number: sched::processor() as u8, Reserved: 0 };
        }
        sched::processor()
    }

    /// The index of a processor.
    #[irql(PASSIVE..=HIGH)]
    fn KeGetProcessorIndexFromNumber(number: *const PROCESSOR_NUMBER) -> u32 {
        // SAFETY: the caller passes the number.
        let number = unsafe { &*number };
        let index = u32::from(number.Number);
        if number.Group == 0 && index < count() { index } else { u32::MAX }
    }

    /// The processor at an index.
    #[irql(PASSIVE..=HIGH)]
    fn KeGetProcessorNumberFromIndex(index: u32, number: *mut PROCESSOR_NUMBER) -> NTSTATUS {
        if index >= count() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller passes room for the number.
        unsafe { number.write(PROCESSOR_NUMBER { Group: 0, Number: index as u8, Reserved: 0 }) };
        STATUS_SUCCESS
    }

    /// Length of a clock tick.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryTimeIncrement() -> u32 {
        sched::time::TICK as u32
    }

    /// Time since boot, also as a count of the performance counter.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
        sched::time::is_read();
        let now = sched::now();
        // SAFETY: the caller passes room for the count, which is not optional.
        unsafe { counter.write(now) };
        now
    }

    /// System time.
    #[irql(PASSIVE..=HIGH)]
    fn KeQuerySystemTimePrecise(time: *mut LARGE_INTEGER) {
        sched::time::is_read();
        // SAFETY: the caller passes room for the time.
        unsafe { time.write(sched::system_time() as LARGE_INTEGER) };
    }

    /// A counter that only grows, and its frequency.
    #[irql(PASSIVE..=HIGH)]
    fn KeQueryPerformanceCounter(frequency: *mut LARGE_INTEGER) -> LARGE_INTEGER {
        // SAFETY: the caller passes null or room for the frequency.
        if let Some(frequency) = unsafe { frequency.as_mut() } {
            *frequency = sched::time::PER_SECOND as LARGE_INTEGER;
        }
        sched::time::is_read();
        sched::now() as LARGE_INTEGER
    }

    /// Spins.
    #[irql(PASSIVE..=HIGH)]
    fn KeStallExecutionProcessor(microseconds: u32) {
        if microseconds > LONGEST_STALL {
            let text = format!("a processor stalled for {microseconds} µs; {LONGEST_STALL} are allowed");
            verifier::report(Finding::new("StallExecution").text(text));
        }
        let end = sched::now() + u64::from(microseconds) * 10;
        while sched::now() < end {
            sched::time::is_read();
            core::hint::spin_loop();
        }
    }

    /// The calling thread.
    #[irql(PASSIVE..=HIGH)]
    fn KeGetCurrentThread() -> *mut c_void {
        sched::current().map_or(ptr::null_mut(), |thread| ptr::from_ref(thread).cast_mut().cast())
    }

    /// Sets a thread's priority, of which the simulator makes no use.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeSetPriorityThread(_thread: *mut c_void, _priority: KPRIORITY) -> KPRIORITY {
        PRIORITY
    }

    /// Stops the machine.
    #[irql(PASSIVE..=HIGH)]
    fn KeBugCheckEx(code: u32, a: usize, b: usize, c: usize, d: usize) -> ! {
        let parameters = [a, b, c, d].map(|value| value.to_u64());
        hooks::stop(Bugcheck { code, parameters }, "the driver stopped the machine")
    }

    /// Stops the machine.
    #[irql(PASSIVE..=HIGH)]
    fn KeBugCheck(code: u32) -> ! {
        hooks::stop(Bugcheck { code, parameters: [0; 4] }, "the driver stopped the machine")
    }
}

fn count() -> u32 {
    narrow(processor::count())
}

fn affinity() -> KAFFINITY {
    KAFFINITY::MAX >> (GROUP - count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_and_converted() {
        let machine = crate::testing::builder().processors(3).boot();
        let mut number = PROCESSOR_NUMBER { Group: 9, Number: 9, Reserved: 9 };
        unsafe {
            assert_eq!((KeQueryActiveProcessorCountEx(0xFFFF), KeQueryActiveProcessorCountEx(1)), (3, 0));
            assert_eq!(KeQueryGroupAffinity(0), 0b111);
            assert_eq!(KeGetProcessorNumberFromIndex(2, &mut number), STATUS_SUCCESS);
            assert_eq!(KeGetProcessorIndexFromNumber(&number), 2);
            assert_eq!(KeGetProcessorNumberFromIndex(3, &mut number), STATUS_INVALID_PARAMETER);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn clocks_agree() {
        let machine = crate::testing::builder().boot();
        let (mut frequency, mut time, mut counter) = (0, 0, 0);
        unsafe {
            let start = KeQueryPerformanceCounter(&mut frequency);
            KeStallExecutionProcessor(50);
            assert!(KeQueryPerformanceCounter(ptr::null_mut()) - start >= 500);
            KeQuerySystemTimePrecise(&mut time);
            assert_eq!(KeQueryInterruptTimePrecise(&mut counter), counter);
        }
        assert_eq!(frequency, 10_000_000);
        assert!(sched::system_time().cast_signed() >= time);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn long_stall_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe { KeStallExecutionProcessor(51) };
        assert_eq!(machine.shutdown().findings[0].rule, "StallExecution");
    }
}
