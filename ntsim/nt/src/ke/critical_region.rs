//! Critical and guarded regions: APCs, of which the simulator has none, are held off; what remains is that
//! regions are entered and left in pairs.

use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::sched::{self, Irql, local};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::signature;

exports! {
    "ntoskrnl.exe", signature;

    /// Enters a critical region.
    #[irql(PASSIVE..=HIGH)]
    fn KeEnterCriticalRegion() {
        if sched::irql() > Irql::APC {
            found([0x11A, u64::from(sched::irql().0), 0, 0], "entered above APC_LEVEL");
        }
        local::with(|local| local.critical_regions.set(local.critical_regions.get() + 1));
    }

    /// Leaves a critical region.
    #[irql(PASSIVE..=HIGH)]
    fn KeLeaveCriticalRegion() {
        if sched::irql() > Irql::APC {
            found([0x11B, u64::from(sched::irql().0), 0, 0], "left above APC_LEVEL");
        }
        let depth = local::with(|local| local.critical_regions.get());
        if depth == 0 {
            found([0x3E, 0, 0, 0], "left that the thread is not in");
            return;
        }
        local::with(|local| local.critical_regions.set(depth - 1));
    }

    /// Enters a guarded region.
    #[irql(PASSIVE..=APC)]
    fn KeEnterGuardedRegion() {
        local::with(|local| local.guarded_regions.set(local.guarded_regions.get() + 1));
    }

    /// Leaves a guarded region.
    #[irql(PASSIVE..=APC)]
    fn KeLeaveGuardedRegion() {
        match local::with(|local| local.guarded_regions.get()) {
            0 => {
                let bugcheck = Bugcheck { code: 0xC4, parameters: [0x4000E, 0, 0, 0] };
                let text = "a guarded region left that the thread is not in";
                verifier::report(Finding::new("GuardedRegions").bugcheck(bugcheck).text(text));
            }
            depth => local::with(|local| local.guarded_regions.set(depth - 1)),
        }
    }
}

#[cold]
fn found(parameters: [u64; 4], what: &str) {
    verifier::report(
        Finding::new("CriticalRegions")
            .bugcheck(Bugcheck { code: 0xC4, parameters })
            .text(format!("a critical region {what}")),
    );
}

#[cfg(test)]
mod tests {
    use ntsim_core::boundary;
    use sys::wdm::{KWAIT_REASON, KernelMode};

    use super::*;
    use crate::ke::{KeInitializeMutex, KeReleaseMutex, KeWaitForSingleObject};

    #[test]
    fn regions_nest() {
        let machine = crate::testing::builder().boot();
        unsafe {
            KeEnterCriticalRegion();
            KeEnterCriticalRegion();
            KeLeaveCriticalRegion();
            KeLeaveCriticalRegion();
        }
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn leaving_without_entering_and_high_levels_are_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            KeLeaveCriticalRegion();
            let old = sched::raise(Irql::DISPATCH);
            KeEnterCriticalRegion();
            KeLeaveCriticalRegion();
            sched::lower(old);
        }
        assert_eq!(machine.shutdown().codes(), [0x3E, 0x11A, 0x11B]);
    }

    #[test]
    fn returning_inside_a_region_is_found() {
        let machine = crate::testing::builder().boot();
        boundary::call_driver("Callback", || unsafe { KeEnterCriticalRegion() });
        boundary::call_driver(boundary::COMPLETION, || unsafe { KeEnterCriticalRegion() });
        assert_eq!(machine.shutdown().codes(), [0xC5, 0xFB]);
    }

    #[test]
    fn returning_with_a_mutex_is_found() {
        let machine = crate::testing::builder().boot();
        let mut mutex = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
        unsafe { KeInitializeMutex(&mut mutex, 0) };
        boundary::call_driver("Callback", || unsafe {
            let object = (&raw mut mutex).cast();
            KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, core::ptr::null())
        });
        unsafe { KeReleaseMutex(&mut mutex, 0) };
        assert_eq!(machine.shutdown().codes(), [0xC5]);
    }

    #[test]
    fn guarded_regions_are_left_as_often_as_they_are_entered() {
        let machine = crate::testing::builder().boot();
        unsafe {
            KeLeaveGuardedRegion();
            KeEnterGuardedRegion();
            KeLeaveGuardedRegion();
        }
        boundary::call_driver("Callback", || unsafe { KeEnterGuardedRegion() });
        let findings = machine.shutdown().findings;
        let found: Vec<_> = findings.iter().map(|f| (f.rule, f.bugcheck.unwrap().parameters[0])).collect();
        assert_eq!(found, [("GuardedRegions", 0x4000E); 2]);
    }
}
