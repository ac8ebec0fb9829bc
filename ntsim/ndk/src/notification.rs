//! Notifications of CQs that do not come.

#![forbid(unsafe_code)]

use ntsim_core::sched;

use crate::layer::layer;
use crate::object::{Cq, TrackedObject};
use crate::rules::{self, found};

/// Reports a notification that has been owed for too long.
pub(crate) fn check_overdue(tracked: &TrackedObject, cq: &Cq) {
    if cq.arm.overdue(sched::now, layer().notification_limit()) {
        found(
            rules::CQ_NOTIFICATION_MISSING,
            format!("{tracked} was armed, a result came, and no notification did"),
        );
    }
}
