//! The audit of the stamps, once the adapters are closed.

#![expect(unsafe_code, reason = "the provider calls back with addresses")]

use core::sync::atomic::Ordering;

use protocol::{Kind, Outcome, Violation};
use sys::status::{STATUS_PENDING, STATUS_SUCCESS};

use super::{Call, CallLog, Object};

impl CallLog {
    /// Checks every record and sums up. All adapters of this call log are closed, so no callback may be
    /// running or yet to come.
    pub(crate) fn audit(&self) -> Outcome {
        let mut outcome = Outcome::NONE;
        for call in self.calls.iter() {
            self.audit_call(call, &mut outcome);
        }
        for object in self.objects.iter().filter(|object| !object.pointer().is_null()) {
            if object.kind() != Kind::Adapter {
                self.audit_close(object, &mut outcome);
            }
            self.audit_callbacks(object);
            self.audit_order(object);
        }
        self.sum_up(outcome)
    }

    /// The counts so far and the findings, without an audit.
    pub(crate) fn sum_up(&self, mut outcome: Outcome) -> Outcome {
        for finding in self.findings.iter() {
            outcome.push(*finding);
        }
        outcome.found = outcome.found.saturating_add(self.lost_findings.load(Ordering::Relaxed));
        outcome
    }

    /// RQ-1, RQ-2: pending and one completion, or a final status and none.
    fn audit_call(&self, call: &Call, outcome: &mut Outcome) {
        let completions = call.completions.load(Ordering::Acquire);
        outcome.completions = outcome.completions.saturating_add(completions);
        let pending = call.returned.load(Ordering::Acquire) == STATUS_PENDING;
        if !pending {
            outcome.inline_returns = outcome.inline_returns.saturating_add(1);
        }
        let violation = match (pending, completions) {
            (true, 1) | (false, 0) => return,
            (true, 0) => Violation::NeverCompleted,
            (true, _) => Violation::CompletedTwice,
            (false, _) => Violation::CompletedAfterInlineReturn,
        };
        // SAFETY: the owner is a record of this call log.
        let kind = unsafe { (*call.owner).kind() };
        self.find(violation, kind, call.step, completions.cast_signed(), i32::from(pending));
    }

    /// CL-1, CL-2: one way to complete.
    fn audit_close(&self, object: &Object, outcome: &mut Outcome) {
        let close = &object.close;
        let kind = object.kind();
        let completions = close.completions.load(Ordering::Acquire);
        if close.inside.load(Ordering::Acquire) {
            outcome.closes_inside = outcome.closes_inside.saturating_add(1);
        }
        let expected = match close.status.load(Ordering::Acquire) {
            STATUS_SUCCESS => {
                outcome.closes_inline = outcome.closes_inline.saturating_add(1);
                0
            }
            _ => {
                outcome.closes_pending = outcome.closes_pending.saturating_add(1);
                1
            }
        };
        let violation = match completions {
            seen if seen == expected => None,
            0 => Some(Violation::NeverCompleted),
            1 => Some(Violation::CompletedAfterInlineReturn),
            _ => Some(Violation::CompletedTwice),
        };
        if let Some(violation) = violation {
            self.find(violation, kind, "close", completions.cast_signed(), expected.cast_signed());
        }
    }

    /// CL-3, CL-10: nothing of the object after its close is complete.
    fn audit_callbacks(&self, object: &Object) {
        let kind = object.kind();
        let last = object.last_ended.load(Ordering::Acquire).max(object.last_began.load(Ordering::Acquire));
        if last > complete_by(object) {
            self.find(Violation::CallbackAfterClose, kind, "close", 1, 0);
        }
        let running = object.running.load(Ordering::Acquire).cast_signed();
        if running != 0 {
            self.find(Violation::CallbackAfterAdapter, kind, "adapter close", running, 0);
        }
    }

    /// CL-5, CL-6, CL-10: antecedents last.
    fn audit_order(&self, successor: &Object) {
        for antecedent in successor.antecedents.iter() {
            // SAFETY: what ties them is a record of this call log.
            let tie = unsafe { antecedent.tie.as_ref() };
            if tie.is_some_and(|request| !request.succeeded()) {
                continue;
            }
            // SAFETY: antecedents are records of this call log.
            let antecedent = unsafe { &*antecedent.object };
            if complete_by(antecedent) < over_from(successor) {
                let successor = successor.kind().code().cast_signed();
                self.find(Violation::AntecedentBeforeSuccessor, antecedent.kind(), "close", successor, 0);
            }
        }
    }
}

/// The latest moment at which the provider may have completed the close of `object`.
fn complete_by(object: &Object) -> u64 {
    match object.close.status.load(Ordering::Acquire) {
        STATUS_PENDING => object.close.began.load(Ordering::Acquire),
        _ => object.close.returned.load(Ordering::Acquire),
    }
}

/// The earliest moment at which the provider may have taken `object` for gone: when its close completion
/// returned, or, after an inline close, when that was called.
fn over_from(object: &Object) -> u64 {
    match object.close.status.load(Ordering::Acquire) {
        STATUS_PENDING => object.close.ended.load(Ordering::Acquire),
        _ => object.close.called.load(Ordering::Acquire),
    }
}
