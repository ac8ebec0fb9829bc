//! The state of a listener.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use ntsim_core::sched;

use crate::rules;

/// The state that the layer keeps of a listener.
///
/// An event that is already on its way on another processor may arrive a little after the call that
/// forbids it, and is no mistake. One that begins later on the very thread that made the call is.
#[derive(Default)]
pub(crate) struct Listener {
    closed_by: AtomicU64,
    paused_by: AtomicU64,
}

fn thread() -> u64 {
    sched::current().map_or(0, |thread| thread.id)
}

impl Listener {
    /// The listener's close has returned STATUS_PENDING.
    pub(crate) fn refuses_from_now(&self) {
        self.closed_by.store(thread(), Ordering::Relaxed);
    }

    /// The consumer resumes connect events, or is about to pause them.
    pub(crate) fn resumed(&self) {
        self.paused_by.store(0, Ordering::Relaxed);
    }

    /// The consumer's call to pause connect events has returned.
    pub(crate) fn paused(&self) {
        self.paused_by.store(thread(), Ordering::Relaxed);
    }

    /// The rule that an event breaks which begins now.
    pub(crate) fn broken_by_event(&self) -> Option<&'static str> {
        let by_this_thread = |by: &AtomicU64| by.load(Ordering::Relaxed) == thread() && thread() != 0;
        if by_this_thread(&self.closed_by) {
            return Some(rules::CONNECT_EVENT_AFTER_CLOSE);
        }
        by_this_thread(&self.paused_by).then_some(rules::CONNECT_EVENT_PAUSED)
    }
}
