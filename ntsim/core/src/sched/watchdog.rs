//! Telling a machine that hangs from one that works or is idle.
//!
//! It hangs if a thread of the host (the one that booted it, say) waits for something in it, and for a
//! long time no thread of the machine has called the kernel or been called by it. Then no thread will ever
//! wake the waiting thread, and a report is worth more than a process that has to be killed.
//!
//! A thread that keeps a processor busy at DISPATCH_LEVEL or above is left to its own limits, see
//! [`overrun`](super::overrun). One that waits there is not: it uses no processor time.

#![forbid(unsafe_code)]

use core::time::Duration;

use super::{Thread, for_each_thread, hooks};
use crate::bugcheck::Bugcheck;
use crate::sched::Settings;

/// The interval at which a waiting thread looks.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// The processor time that tells a thread which runs from one that waits and looks.
const RUNS: Duration = Duration::from_millis(100);

/// The progress of the other threads, as a waiting thread has seen it.
#[derive(Default)]
pub(super) struct Watch {
    moves: u64,
    /// The processor time of the threads at DISPATCH_LEVEL or above.
    raised: Duration,
    still: Duration,
}

impl Watch {
    /// Called by `thread` each time it has waited for another [`STEP`].
    pub(super) fn look(&mut self, thread: &Thread) {
        let mut waits = thread.waits.lock();
        if waits.is_none() {
            *waits = hooks::stack();
        }
        drop(waits);
        if !thread.of_host {
            return;
        }
        let (mut moves, mut raised) = (0, Duration::ZERO);
        for_each_thread(|thread| {
            moves += thread.moves();
            if thread.stays.has_processor() {
                raised += thread.processor_time().unwrap_or_default();
            }
        });
        if moves != self.moves || raised.abs_diff(self.raised) >= RUNS {
            *self = Self { moves, raised, still: Duration::ZERO };
            return;
        }
        self.still += STEP;
        if self.still >= Settings::current().hang_timeout {
            hangs(self.still);
        }
    }
}

/// Ends the process as an operator ends a Windows that hangs.
fn hangs(still: Duration) -> ! {
    let head = format!("the machine hangs: nothing has moved for {} s. These threads wait:", still.as_secs());
    hooks::stop(Bugcheck { code: 0xE2, parameters: [0; 4] }, &describe(&head))
}

/// The threads that wait, under `head`, with the drivers' stacks, and the objects that wait for a driver.
pub(super) fn describe(head: &str) -> String {
    let mut text = head.to_owned();
    for_each_thread(|thread| {
        if let Some(stack) = thread.waits.lock().take() {
            text.push_str(&format!("\n  {thread:?}{stack}"));
        }
    });
    hooks::describe_hang(&mut text);
    text
}
