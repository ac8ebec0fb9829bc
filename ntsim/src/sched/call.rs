//! Calls from the kernel into driver code.

use super::local::{self, Local};
use super::{Irql, depth, irql, lower, raise};
use crate::verifier::{self, Bugcheck, Finding};

/// Calls driver code by `call` and checks that it comes back as it was entered: at the same level, with
/// the same spin locks held.
///
/// Every call from the simulator into a driver goes through here. `name` says what is called, in reports:
/// the callback's documented name.
#[inline]
pub fn call_driver<R>(name: &'static str, call: impl FnOnce() -> R) -> R {
    let state = |local: &Local| (local.irql.get(), local.held(), local.critical_regions.get());
    let (before, locks, regions) = local::with(state);
    let result = depth::within(call);
    let (after, held, now) = local::with(state);
    if after != before {
        irql_changed(name, before, after);
    }
    if held > locks {
        lock_held(name);
    }
    if now != regions {
        regions_changed(name, regions, now);
    }
    result
}

#[cold]
fn irql_changed(name: &'static str, before: Irql, after: Irql) {
    let parameters = [0x5, 0, u64::from(before.0), u64::from(after.0)];
    verifier::report(
        Finding::new("IrqlReturn")
            .bugcheck(Bugcheck { code: 0xC9, parameters })
            .text(format!("{name} was called at {before} and returned at {after}")),
    );
    if after < before {
        raise(before);
    } else {
        lower(before);
    }
    debug_assert_eq!(irql(), before);
}

#[cold]
fn lock_held(name: &'static str) {
    let lock = local::with(Local::last_held).unwrap_or(0);
    verifier::report(
        Finding::new("SpinLock").text(format!("{name} returned with the spin lock at {lock:#x} held")),
    );
}

/// Bug check 0xC4, code 0xC5: the routine, the number of regions now, the number before.
#[cold]
fn regions_changed(name: &'static str, before: u32, now: u32) {
    let parameters = [0xC5, 0, u64::from(now), u64::from(before)];
    verifier::report(
        Finding::new("CriticalRegions")
            .bugcheck(Bugcheck { code: 0xC4, parameters })
            .text(format!("{name} was called in {before} critical regions and returned in {now}")),
    );
    local::with(|local| local.critical_regions.set(before));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Machine;

    #[test]
    fn returning_at_another_level_is_found_and_mended() {
        let machine = Machine::builder().boot();
        call_driver("Raises", || raise(Irql::DISPATCH));
        assert_eq!(irql(), Irql::PASSIVE);
        raise(Irql::DISPATCH);
        call_driver("Lowers", || lower(Irql::PASSIVE));
        assert_eq!(irql(), Irql::DISPATCH);
        lower(Irql::PASSIVE);
        let levels =
            machine.shutdown().findings.iter().map(|f| f.bugcheck.unwrap().parameters).collect::<Vec<_>>();
        assert_eq!(levels, [[5, 0, 0, 2], [5, 0, 2, 0]]);
    }
}
