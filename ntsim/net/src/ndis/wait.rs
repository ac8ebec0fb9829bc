//! Waiting for what a miniport answers later.

#![forbid(unsafe_code)]

use core::time::Duration;

use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;

/// A value that one thread waits for and another one sets, once.
pub(super) struct Answer<T> {
    state: Mutex<(Option<T>, Option<&'static Thread>)>,
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self { state: Mutex::new((None, None)) }
    }
}

impl<T: Clone> Answer<T> {
    /// Sets the value; `false` if it was set before.
    pub(super) fn set(&self, value: T) -> bool {
        let mut state = self.state.lock();
        if state.0.is_some() {
            return false;
        }
        state.0 = Some(value);
        if let Some(waiting) = state.1.take() {
            sched::wake(waiting);
        }
        true
    }

    /// Waits for the value. If it takes longer than one of the limits, which rise, what stands beside that
    /// is called, and the wait goes on.
    pub(super) fn wait(&self, limits: &[(Duration, &dyn Fn())]) -> T {
        let start = sched::elapsed();
        let mut limits = limits.iter();
        let mut next = limits.next();
        loop {
            {
                let mut state = self.state.lock();
                if let Some(value) = &state.0 {
                    return value.clone();
                }
                state.1 = sched::current();
            }
            let left = next.map(|(limit, _)| limit.saturating_sub(sched::elapsed().saturating_sub(start)));
            if left != Some(Duration::ZERO) {
                sched::block(left);
            } else if let Some((_, late)) = next {
                late();
                next = limits.next();
            }
        }
    }
}
