//! Calls from the kernel into driver code.

#![forbid(unsafe_code)]

use super::{depth, flags};
use crate::bugcheck::Bugcheck;
use crate::sched::local::{self, Local};
use crate::sched::{Irql, What, answered, irql, lower, raise, schedule_point_at};
use crate::verifier::{self, Finding};

/// The name under which [`call_driver`] reports calls of completion routines.
pub const COMPLETION: &str = "IoCompletion";

/// Calls driver code by `call` and checks that it comes back as it was entered: at the same level, with
/// the same spin locks held, and with APCs held off as often.
///
/// Every call from the simulator into a driver goes through here. `name` says what is called, in reports:
/// the callback's documented name.
#[inline]
pub fn call_driver<R: 'static>(name: &'static str, call: impl FnOnce() -> R) -> R {
    schedule_point_at(|| What::Callback(name));
    let state =
        |local: &Local| (local.irql.get(), local.held(), local.apcs_disabled(), local.guarded_regions.get());
    let (before, locks, disabled, guarded) = local::with(state);
    let stay = |local: &Local| local.thread.get().map(|thread| &thread.stays.in_driver);
    local::with(|local| stay(local).inspect(|stay| stay.enter()));
    let result = depth::within(call);
    flags::check_direction(|| format!("{name} returned with the direction flag set"));
    local::with(|local| stay(local).inspect(|stay| stay.leave()));
    answered(name, &result);
    let (after, held, still_disabled, still_guarded) = local::with(state);
    if after != before {
        irql_changed(name, before, after);
    }
    if held > locks {
        lock_held(name);
    }
    if still_disabled != disabled {
        apcs_changed(name, disabled, still_disabled);
    }
    if still_guarded != guarded {
        guarded_changed(name, guarded, still_guarded);
    }
    result
}

#[cold]
fn irql_changed(name: &'static str, before: Irql, after: Irql) {
    // Bug check 0xC9, code 0x5; of a completion routine 0xC4, code 0xFA. The routine, both levels.
    let (code, kind) = if name == COMPLETION { (0xC4, 0xFA) } else { (0xC9, 0x5) };
    let parameters = [kind, 0, u64::from(before.0), u64::from(after.0)];
    verifier::report(
        Finding::new("IrqlReturn")
            .bugcheck(Bugcheck { code, parameters })
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
    let lock = local::with(Local::last_held).unwrap_or_default();
    verifier::report(
        Finding::new("SpinLock").text(format!("{name} returned with the spin lock at {lock:#x} held")),
    );
}

/// Bug check 0xC4, code 0xC5, of a completion routine 0xFB: the routine, how often APCs are disabled now, and
/// how often they were before.
#[cold]
fn apcs_changed(name: &'static str, before: u32, now: u32) {
    let kind = if name == COMPLETION { 0xFB } else { 0xC5 };
    let parameters = [kind, 0, u64::from(now), u64::from(before)];
    let text = format!(
        "{name} was called in {before} critical regions, counting mutexes that are held, and returned in {now}"
    );
    verifier::report(
        Finding::new("CriticalRegions").bugcheck(Bugcheck { code: 0xC4, parameters }).text(text),
    );
    local::with(|local| {
        let regions = i64::from(local.critical_regions.get()) + i64::from(before) - i64::from(now);
        local.critical_regions.set(u32::try_from(regions).unwrap_or(0));
    });
}

/// Bug check 0xC4, code 0x4000E.
#[cold]
fn guarded_changed(name: &'static str, before: u32, now: u32) {
    let text = format!("{name} was called in {before} guarded regions and returned in {now}");
    let bugcheck = Bugcheck { code: 0xC4, parameters: [0x4000E, 0, 0, 0] };
    verifier::report(Finding::new("GuardedRegions").bugcheck(bugcheck).text(text));
    local::with(|local| local.guarded_regions.set(before));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returning_at_another_level_is_found_and_mended() {
        let machine = crate::testing::builder().boot();
        call_driver("Raises", || raise(Irql::DISPATCH));
        assert_eq!(irql(), Irql::PASSIVE);
        raise(Irql::DISPATCH);
        call_driver("Lowers", || lower(Irql::PASSIVE));
        assert_eq!(irql(), Irql::DISPATCH);
        lower(Irql::PASSIVE);
        call_driver(COMPLETION, || raise(Irql::APC));
        let levels =
            machine.shutdown().findings.iter().map(|f| f.bugcheck.unwrap().parameters).collect::<Vec<_>>();
        assert_eq!(levels, [[5, 0, 0, 2], [5, 0, 2, 0], [0xFA, 0, 0, 1]]);
    }
}
