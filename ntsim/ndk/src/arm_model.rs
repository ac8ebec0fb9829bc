//! The model of a CQ's notification: one per arm that is satisfied, none without, never two at once.
//!
//! The model sees calls and callbacks, not when a result enters the queue, and a notification that is on
//! its way on another processor can be overtaken by calls. So it keeps to what must be wrong whatever
//! happened in between:
//!
//! - a notification needs an arm that no earlier one has answered;
//! - a notification has a cause: until the queue has been found empty, a result turns up, and a failed
//!   one if only errors were asked for;
//! - an arm must be answered if a result turns up that came after it: the queue had been found empty
//!   since the last notification. It must be so within a time limit, which allows for a busy host, and by
//!   as much later as the consumer lets notifications be held back.
//!
//! Rules: "NDKPI Completion Handling Requirements", with its table of how two arms merge.

#![forbid(unsafe_code)]

use parking_lot::Mutex;
use sys::ndk::{NDK_CQ_NOTIFY_ERRORS, NDK_CQ_NOTIFY_SOLICITED};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_SUCCESS};
use sys::wdm::ULONG;

use crate::rules;

/// The results that an arm asks to be told about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Notify {
    Errors,
    Solicited,
    Any,
}

impl Notify {
    /// The arm type of that number; other than those it is `NDK_CQ_NOTIFY_ANY`.
    pub(crate) fn of(number: ULONG) -> Self {
        match number {
            NDK_CQ_NOTIFY_ERRORS => Self::Errors,
            NDK_CQ_NOTIFY_SOLICITED => Self::Solicited,
            _ => Self::Any,
        }
    }

    /// Returns the results that two arms ask for together.
    fn merged(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Solicited, _) | (_, Self::Solicited) => Self::Solicited,
            (Self::Errors, Self::Errors) => Self::Errors,
        }
    }

    /// Returns whether a result with this status must be notified. Whether a success was solicited is not known.
    fn must_follow(self, status: NTSTATUS) -> bool {
        self == Self::Any || !NT_SUCCESS(status)
    }
}

/// Results that turned up.
#[derive(Clone, Copy, Default)]
struct Seen {
    any: bool,
    error: bool,
}

/// A notification whose cause has not been seen yet.
#[derive(Clone, Copy)]
struct Unexplained {
    errors_only: bool,
    seen: Seen,
}

#[derive(Default)]
struct State {
    /// Arms that no notification has answered; of two that merged, one may never be.
    arms: u32,
    /// The results that the arms since the last notification ask for together.
    wanted: Option<Notify>,
    /// Every unanswered arm asked for errors only.
    errors_only: bool,
    /// The results that turned up since the first unanswered arm.
    seen: Seen,
    running: u32,
    /// The queue was found empty since the last notification began.
    found_empty: bool,
    /// The time at which a result came that must be notified.
    owed_since: Option<u64>,
    unexplained: Option<Unexplained>,
    failed: bool,
    /// For how long notifications may be held back, in units of 100 ns.
    moderated: u64,
}

/// The notification of one CQ.
#[derive(Default)]
pub(crate) struct ArmModel(Mutex<State>);

impl ArmModel {
    /// The consumer arms.
    pub(crate) fn armed(&self, notify: Notify) {
        let mut state = self.0.lock();
        if state.arms == 0 {
            state.seen = Seen::default();
            state.errors_only = true;
        }
        state.errors_only &= notify == Notify::Errors;
        state.arms += 1;
        state.wanted = Some(state.wanted.map_or(notify, |wanted| wanted.merged(notify)));
    }

    /// The consumer lets notifications be held back, from now on and by so many microseconds at most; the
    /// greatest number stands for no limit but that of a count.
    pub(crate) fn moderated(&self, microseconds: ULONG) {
        let for_ever = microseconds == ULONG::MAX;
        self.0.lock().moderated = if for_ever { u64::MAX } else { u64::from(microseconds) * 10 };
    }

    /// A notification begins; the rules that it breaks.
    pub(crate) fn notified(&self, status: NTSTATUS) -> Vec<&'static str> {
        let mut state = self.0.lock();
        let mut broken = Vec::new();
        if state.running != 0 {
            broken.push(rules::CQ_NOTIFICATION_CONCURRENT);
        }
        state.running += 1;
        if state.failed || (status == STATUS_SUCCESS && state.arms == 0) {
            broken.push(rules::CQ_NOTIFICATION_UNARMED);
        } else if status == STATUS_SUCCESS {
            state.arms -= 1;
            state.unexplained = Some(Unexplained { errors_only: state.errors_only, seen: state.seen });
        }
        state.failed |= status != STATUS_SUCCESS;
        state.wanted = None;
        state.found_empty = false;
        state.owed_since = None;
        broken
    }

    /// The notification has returned.
    pub(crate) fn returned(&self) {
        self.0.lock().running -= 1;
    }

    /// Results were taken. `now` reads the time, in units of 100 ns; it is not cheap.
    pub(crate) fn took(&self, statuses: impl Iterator<Item = NTSTATUS>, now: impl Fn() -> u64) {
        let mut state = self.0.lock();
        for status in statuses {
            let seen = |mut seen: Seen| {
                seen.any = true;
                seen.error |= !NT_SUCCESS(status);
                seen
            };
            state.seen = seen(state.seen);
            if let Some(unexplained) = &mut state.unexplained {
                unexplained.seen = seen(unexplained.seen);
            }
            let owed = state.found_empty && state.wanted.is_some_and(|wanted| wanted.must_follow(status));
            if owed && !state.failed {
                state.owed_since.get_or_insert_with(&now);
            }
        }
    }

    /// The queue was found empty; whether the last notification had no cause.
    pub(crate) fn found_empty(&self) -> bool {
        let mut state = self.0.lock();
        state.found_empty = true;
        state.unexplained.take().is_some_and(
            |Unexplained { errors_only, seen }| {
                !if errors_only { seen.error } else { seen.any }
            },
        )
    }

    /// Returns whether a notification has been owed for longer than `limit`; said once.
    pub(crate) fn overdue(&self, now: impl Fn() -> u64, limit: u64) -> bool {
        let mut state = self.0.lock();
        let limit = limit.saturating_add(state.moderated);
        let overdue = state.owed_since.is_some_and(|since| now().saturating_sub(since) > limit);
        if overdue {
            state.owed_since = None;
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::status::{STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED};

    #[test]
    fn two_arms_merge_as_documented() {
        use Notify::{Any, Errors, Solicited};
        let table = [
            (Any, [Any, Any, Any]),
            (Errors, [Any, Errors, Solicited]),
            (Solicited, [Any, Solicited, Solicited]),
        ];
        for (first, merged) in table {
            assert_eq!([Any, Errors, Solicited].map(|second| first.merged(second)), merged);
        }
    }

    #[test]
    fn one_notification_for_one_arm_with_a_result_breaks_nothing() {
        let arm = ArmModel::default();
        arm.armed(Notify::Any);
        assert!(arm.notified(STATUS_SUCCESS).is_empty());
        arm.took([STATUS_SUCCESS].into_iter(), || 0);
        assert!(!arm.found_empty());
        arm.returned();
        assert!(!arm.overdue(|| 100, 10));
    }

    #[test]
    fn second_notification_needs_a_second_arm() {
        let arm = ArmModel::default();
        arm.armed(Notify::Any);
        assert!(arm.notified(STATUS_SUCCESS).is_empty());
        arm.returned();
        assert_eq!(arm.notified(STATUS_SUCCESS), [rules::CQ_NOTIFICATION_UNARMED]);
    }

    #[test]
    fn notification_inside_another_is_concurrent() {
        let arm = ArmModel::default();
        arm.armed(Notify::Any);
        arm.notified(STATUS_SUCCESS);
        arm.armed(Notify::Any);
        assert_eq!(arm.notified(STATUS_SUCCESS), [rules::CQ_NOTIFICATION_CONCURRENT]);
    }

    #[test]
    fn failure_needs_no_arm_and_is_the_last_notification() {
        let arm = ArmModel::default();
        assert!(arm.notified(STATUS_BUFFER_OVERFLOW).is_empty());
        arm.returned();
        arm.armed(Notify::Any);
        assert_eq!(arm.notified(STATUS_SUCCESS), [rules::CQ_NOTIFICATION_UNARMED]);
    }

    #[test]
    fn notification_after_which_the_queue_is_empty_had_no_cause() {
        let arm = ArmModel::default();
        arm.armed(Notify::Solicited);
        arm.notified(STATUS_SUCCESS);
        assert!(arm.found_empty());
    }

    #[test]
    fn result_taken_before_the_notification_began_is_its_cause() {
        let arm = ArmModel::default();
        arm.armed(Notify::Any);
        arm.took([STATUS_SUCCESS].into_iter(), || 0);
        arm.notified(STATUS_SUCCESS);
        assert!(!arm.found_empty());
    }

    #[test]
    fn success_is_no_cause_where_only_errors_were_asked_for() {
        let arm = ArmModel::default();
        arm.armed(Notify::Errors);
        arm.notified(STATUS_SUCCESS);
        arm.took([STATUS_SUCCESS].into_iter(), || 0);
        assert!(arm.found_empty());
        arm.armed(Notify::Errors);
        arm.notified(STATUS_SUCCESS);
        arm.took([STATUS_CANCELLED].into_iter(), || 0);
        assert!(!arm.found_empty());
    }

    #[test]
    fn result_that_came_after_the_arm_is_owed_a_notification_in_time() {
        let arm = ArmModel::default();
        arm.found_empty();
        arm.armed(Notify::Any);
        arm.took([STATUS_SUCCESS].into_iter(), || 5);
        assert!(!arm.overdue(|| 10, 10));
        assert!(arm.overdue(|| 16, 10));
    }

    #[test]
    fn moderated_notification_may_come_later_by_the_interval() {
        for (microseconds, longest) in [(2, 35), (ULONG::MAX, u64::MAX)] {
            let arm = ArmModel::default();
            arm.moderated(microseconds);
            arm.found_empty();
            arm.armed(Notify::Any);
            arm.took([STATUS_SUCCESS].into_iter(), || 5);
            assert!(!arm.overdue(|| longest, 10), "{microseconds}");
            arm.moderated(0);
            assert!(arm.overdue(|| longest, 10));
        }
    }

    #[test]
    fn leftover_owes_no_notification() {
        let arm = ArmModel::default();
        arm.armed(Notify::Any);
        arm.notified(STATUS_SUCCESS);
        arm.returned();
        arm.armed(Notify::Any);
        arm.took([STATUS_SUCCESS].into_iter(), || 5);
        assert!(!arm.overdue(|| 1000, 10));
    }
}
