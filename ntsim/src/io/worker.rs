//! Worker threads of the kernel, at PASSIVE_LEVEL.
//!
//! As many as there is work: a piece of work that blocks does not hold up the next one.

use core::time::Duration;
use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::machine::{self, Part};
use crate::sched::{self, Thread};

/// How long a worker waits for more before it ends.
const LINGER: Duration = Duration::from_millis(100);

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
    closing: bool,
}

impl Part for Workers {
    fn inspect(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.idle.iter().for_each(|thread| sched::wake(thread));
    }
}

fn workers() -> &'static Workers {
    machine::current().part()
}

/// Lets a worker thread run `work`.
pub(crate) fn queue_work(work: impl FnOnce() + Send + 'static) {
    let mut state = workers().state.lock();
    state.queue.push_back(Box::new(work));
    if let Some(idle) = state.idle.pop() {
        sched::wake(idle);
        return;
    }
    drop(state);
    sched::spawn("worker", serve).expect("the host has threads for the machine's workers");
}

/// Body of a worker thread.
fn serve() {
    loop {
        let next = workers().state.lock().queue.pop_front();
        if let Some(work) = next {
            work();
        } else if !linger() {
            return;
        }
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
    use std::sync::mpsc;

    use super::*;
    use crate::Machine;

    #[test]
    fn work_that_waits_for_other_work_is_not_held_up_by_it() {
        let machine = Machine::builder().boot();
        let (send, receive) = mpsc::channel();
        queue_work(move || receive.recv().unwrap());
        queue_work(move || send.send(()).unwrap());
        assert!(machine.shutdown().is_clean());
    }
}
