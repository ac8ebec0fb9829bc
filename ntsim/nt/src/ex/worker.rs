//! Worker threads of the kernel, at PASSIVE_LEVEL.
//!
//! As many as there is work: a piece of work that blocks does not hold up the next one.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::collections::VecDeque;

use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;

/// The time that a worker waits for more before it ends.
const LINGER: Duration = Duration::from_millis(100);
/// The time that a shutdown waits for work that is queued or runs.
const SETTLE: Duration = Duration::from_secs(2);

type Work = Box<dyn FnOnce() + Send>;

/// The workers of one machine.
#[derive(Default)]
struct Workers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    idle: Vec<&'static Thread>,
    /// The number of pieces of work that were taken off the queue and have not returned.
    running: usize,
    /// The thread that waits until there is neither work nor a piece of it running.
    settling: Option<&'static Thread>,
    closing: bool,
    /// Work that no worker takes up, while there is any [`HeldWork`].
    held: Option<Vec<Work>>,
}

impl State {
    fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.running == 0
    }
}

static WORKERS: PerMachine<Workers> = PerMachine::new();

/// Ends the workers that have nothing to do.
pub(super) fn stop() {
    let mut state = workers().state.lock();
    state.closing = true;
    state.idle.iter().for_each(|thread| sched::wake(thread));
}

fn workers() -> &'static Workers {
    WORKERS.get()
}

/// Lets a worker thread run `work`.
pub fn queue_work(work: impl FnOnce() + Send + 'static) {
    let mut state = workers().state.lock();
    if let Some(held) = &mut state.held {
        held.push(Box::new(work));
        return;
    }
    state.queue.push_back(Box::new(work));
    if let Some(idle) = state.idle.pop() {
        sched::wake(idle);
        return;
    }
    drop(state);
    sched::spawn("worker", serve).expect("the host has threads for the machine's workers");
}

/// Keeps workers from work that is queued from now on, as a busy machine may for any time, until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct HeldWork(());

/// Holds back work that is queued from now on. One hold at a time.
pub fn hold_work() -> HeldWork {
    workers().state.lock().held.get_or_insert_default();
    HeldWork(())
}

impl Drop for HeldWork {
    fn drop(&mut self) {
        let held = workers().state.lock().held.take();
        held.into_iter().flatten().for_each(queue_work);
    }
}

/// Lets what is queued end before the machine is inspected: a close that a worker still carries out is not a
/// file that was left open. Work that never ends is left to the inspection, which finds what it holds.
pub fn settle() {
    let Some(own) = sched::current() else { return };
    {
        let mut state = workers().state.lock();
        if state.is_settled() {
            return;
        }
        state.settling = Some(own);
    }
    sched::block(Some(SETTLE));
    workers().state.lock().settling = None;
}

/// Body of a worker thread.
fn serve() {
    loop {
        let next = {
            let mut state = workers().state.lock();
            let next = state.queue.pop_front();
            state.running += usize::from(next.is_some());
            next
        };
        if let Some(work) = next {
            work();
            ended();
        } else if !linger() {
            return;
        }
    }
}

/// Counts a piece of work that has returned.
fn ended() {
    let mut state = workers().state.lock();
    state.running -= 1;
    if state.is_settled()
        && let Some(waiting) = state.settling.take()
    {
        sched::wake(waiting);
    }
}

/// Waits for more work; `false` if none came for a while.
fn linger() -> bool {
    let Some(own) = sched::current() else { return false };
    {
        let mut state = workers().state.lock();
        if !state.queue.is_empty() {
            return true;
        }
        if state.closing {
            return false;
        }
        state.idle.push(own);
    }
    sched::block(Some(LINGER));
    let mut state = workers().state.lock();
    state.idle.retain(|thread| thread.id != own.id);
    !state.queue.is_empty()
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn shutdown_waits_for_work_that_is_under_way() {
        static DONE: AtomicBool = AtomicBool::new(false);
        let machine = crate::testing::builder().boot();
        queue_work(|| {
            sched::block(Some(Duration::from_millis(20)));
            DONE.store(true, Ordering::Release);
        });
        settle();
        assert!(DONE.load(Ordering::Acquire));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn held_work_begins_when_its_hold_is_dropped() {
        static DONE: AtomicBool = AtomicBool::new(false);
        let machine = crate::testing::builder().boot();
        let held = hold_work();
        queue_work(|| DONE.store(true, Ordering::Release));
        sched::block(Some(Duration::from_millis(20)));
        assert!(!DONE.load(Ordering::Acquire));
        drop(held);
        settle();
        assert!(DONE.load(Ordering::Acquire));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn work_that_waits_for_other_work_is_not_held_up_by_it() {
        let machine = crate::testing::builder().boot();
        let (send, receive) = mpsc::channel();
        queue_work(move || receive.recv().unwrap());
        queue_work(move || send.send(()).unwrap());
        assert!(machine.shutdown().is_clean());
    }
}
