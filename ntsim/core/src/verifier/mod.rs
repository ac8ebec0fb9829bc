//! Findings: what the driver did wrong.
//!
//! A check calls [`report`] and goes on; findings are collected and stand in the machine's
//! [`ShutdownReport`](crate::boot::ShutdownReport). Where Windows has a bug check for the mistake, the finding carries its code
//! and parameters, so that it reads the same on both sides.

mod finding;

use std::sync::{Mutex, OnceLock, PoisonError};

pub use finding::Finding;

use crate::per_machine::PerMachine;
use crate::sched::{self, What};

/// Findings kept in full; beyond that they are only counted.
const KEPT: usize = 1000;

/// The findings of one machine.
#[derive(Default)]
struct Findings {
    kept: Mutex<Vec<Finding>>,
}

static FINDINGS: PerMachine<Findings> = PerMachine::new();

/// Called with each finding that is new. Of the process, as code is.
static ON_FINDING: OnceLock<fn(&Finding)> = OnceLock::new();

/// Lets `found` have each finding that is not one from before, in the thread that made it, once per process.
pub fn on_finding(found: fn(&Finding)) {
    ON_FINDING.get_or_init(|| found);
}

/// Adds a finding, with the calling thread's driver stack, level and processor.
///
/// The same rule broken again from the same place counts up the finding that is there.
#[cold]
pub fn report(finding: Finding) {
    let finding = finding.located();
    sched::note(|| What::Found(finding.rule));
    let mut kept = FINDINGS.get().kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.iter_mut().find(|known| known.is_same(&finding)) {
        known.times += 1;
    } else if kept.len() < KEPT {
        kept.push(finding.clone());
        drop(kept);
        if let Some(found) = ON_FINDING.get() {
            found(&finding);
        }
    }
}

/// The findings of the running machine so far.
pub fn findings() -> Vec<Finding> {
    FINDINGS.get().kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the test calls an export as drivers do")]
mod tests {
    use super::*;
    use crate::sched::{self, Irql};
    use crate::testing::KeDoNothing;

    #[test]
    fn same_mistake_at_the_same_place_is_counted() {
        let machine = crate::testing::builder().boot();
        for text in ["one", "two", "one"] {
            report(Finding::new("Irql").text(text));
        }
        let times: Vec<_> = machine.shutdown().findings.iter().map(|f| (f.text.clone(), f.times)).collect();
        assert_eq!(times, [("one".to_owned(), 2), ("two".to_owned(), 1)]);
    }

    #[test]
    fn findings_are_kept_up_to_their_limit() {
        let machine = crate::testing::builder().boot();
        (0..KEPT + 7).for_each(|n| report(Finding::new("Irql").text(n.to_string())));
        assert_eq!(machine.shutdown().findings.len(), KEPT);
    }

    #[test]
    fn function_called_at_a_level_at_which_it_must_not_be_is_found() {
        let machine = crate::testing::builder().boot();
        let old = sched::raise(Irql::HIGH);
        unsafe { KeDoNothing() };
        sched::lower(old);
        let finding = machine.shutdown().findings.remove(0);
        assert_eq!(finding.bugcheck.unwrap().parameters, [0xE5, 15, 0, 0]);
        assert_eq!(
            finding.to_string(),
            "Irql: KeDoNothing called at HIGH_LEVEL; \
             it may be called from PASSIVE_LEVEL to DISPATCH_LEVEL\n  \
             bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION (0xe5, 0xf, 0x0, 0x0)\n  \
             at HIGH_LEVEL on processor 1, thread boot\n    nt!KeDoNothing"
                .replace("processor 1", &format!("processor {}", finding.processor))
        );
    }
}
