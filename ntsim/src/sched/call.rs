//! Calls from the kernel into driver code.

use super::{Irql, irql, local, lower, raise};
use crate::verifier::{self, Bugcheck, Finding};

/// Calls driver code by `call` and checks that it comes back as it was entered: at the same level, with
/// the same spin locks held.
///
/// Every call from the simulator into a driver goes through here. `name` says what is called, in reports:
/// the callback's documented name.
#[inline]
pub fn call_driver<R>(name: &'static str, call: impl FnOnce() -> R) -> R {
    let (before, locks) = local::with(|local| (local.irql.get(), local.held()));
    let result = call();
    let (after, held) = local::with(|local| (local.irql.get(), local.held()));
    if after != before {
        irql_changed(name, before, after);
    }
    if held > locks {
        lock_held(name);
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
    let lock = local::with(local::Local::last_held).unwrap_or(0);
    verifier::report(
        Finding::new("SpinLock").text(format!("{name} returned with the spin lock at {lock:#x} held")),
    );
}
