//! Telling a machine that hangs from one that works or is idle.
//!
//! It hangs if a thread of the host (the one that booted it, say) waits for something in it, and for a
//! long time no thread of the machine has called the kernel or been called by it. Then nobody will ever
//! wake the waiting thread, and a report is worth more than a process that has to be killed.

use core::time::Duration;

use super::Thread;
use crate::loader::{self, Frame};
use crate::machine;
use crate::ndk;
use crate::verifier::Bugcheck;

/// How often a waiting thread looks.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// How long nothing may move, unless the machine's builder says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a thread that waits has seen of the others.
#[derive(Default)]
pub(super) struct Watch {
    moves: u64,
    still: Duration,
}

impl Watch {
    /// Called by `thread` each time it has waited for another [`STEP`].
    pub(super) fn look(&mut self, thread: &Thread) {
        thread.waits.lock().get_or_insert_with(loader::stack);
        if !thread.of_host {
            return;
        }
        let machine = machine::current();
        let mut moves = 0;
        machine.threads.for_each(|thread| moves += thread.moves());
        if moves != self.moves {
            *self = Self { moves, still: Duration::ZERO };
            return;
        }
        self.still += STEP;
        if self.still >= machine.patience {
            hangs(self.still);
        }
    }
}

/// Ends the process as an operator ends a Windows that hangs.
fn hangs(still: Duration) -> ! {
    let head = format!("the machine hangs: nothing has moved for {} s. These threads wait:", still.as_secs());
    loader::stop(Bugcheck { code: 0xE2, parameters: [0; 4] }, &describe(&head))
}

/// Says, under `head`, who waits, with the drivers' stacks, and which closes of NDK objects are pending.
pub(crate) fn describe(head: &str) -> String {
    let mut text = head.to_owned();
    machine::current().threads.for_each(|thread| {
        let stack = thread.waits.lock().take().unwrap_or_default();
        if !stack.is_empty() {
            text.push_str(&format!("\n  {thread:?}"));
            stack.iter().map(Frame::to_string).for_each(|frame| text.push_str(&format!("\n    {frame}")));
        }
    });
    for close in ndk::pending_closes() {
        text.push_str(&format!("\n  {close}"));
    }
    text
}
