//! The calling thread's level.

use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::sched::{self, Irql};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::signature;

exports! {
    "ntoskrnl.exe", signature;

    /// The present level.
    #[irql(PASSIVE..=HIGH)]
    fn KeGetCurrentIrql() -> u8 {
        sched::irql().0
    }

    /// Raises to a level and returns the one before.
    #[irql(PASSIVE..=HIGH)]
    fn KfRaiseIrql(new: u8) -> u8 {
        let old = sched::irql();
        if Irql(new) < old {
            wrong_direction(0x30, "KfRaiseIrql", old, Irql(new));
        }
        sched::raise(Irql(new)).0
    }

    /// Raises to DISPATCH_LEVEL and returns the level before.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeRaiseIrqlToDpcLevel() -> u8 {
        sched::raise(Irql::DISPATCH).0
    }

    /// Lowers to a level that an earlier raise returned.
    #[irql(PASSIVE..=HIGH)]
    fn KeLowerIrql(new: u8) {
        let old = sched::irql();
        if Irql(new) > old {
            wrong_direction(0x31, "KeLowerIrql", old, Irql(new));
        }
        sched::lower(Irql(new));
    }
}

/// Bug check 0xC4, codes 0x30 and 0x31: current level, requested level.
#[cold]
fn wrong_direction(code: u64, function: &str, old: Irql, new: Irql) {
    let parameters = [code, u64::from(old.0), u64::from(new.0), 0];
    verifier::report(
        Finding::new("IrqlKeRaiseLower")
            .bugcheck(Bugcheck { code: 0xC4, parameters })
            .text(format!("{function} called to go from {old} to {new}")),
    );
}

#[cfg(test)]
mod tests {
    use ntsim_core::loader::Frame;

    use super::*;

    #[test]
    fn raising_and_lowering_returns_the_levels_in_between() {
        let machine = crate::testing::builder().boot();
        // SAFETY: the functions have no preconditions on memory.
        let (raised, at, lowered) = unsafe {
            let raised = KfRaiseIrql(2);
            let at = KeGetCurrentIrql();
            KeLowerIrql(0);
            (raised, at, KeGetCurrentIrql())
        };
        assert_eq!((raised, at, lowered), (0, 2, 0));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn lowering_upwards_is_found() {
        let machine = crate::testing::builder().boot();
        // SAFETY: the function has no preconditions on memory.
        unsafe { KeLowerIrql(2) };
        let report = machine.shutdown();
        assert_eq!(report.findings[0].rule, "IrqlKeRaiseLower");
        assert_eq!(report.findings[0].stack, [Frame::Kernel("KeLowerIrql")]);
    }
}
