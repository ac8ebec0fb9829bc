//! Threads of the machine that are waited for.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ntsim::sched::{self, Thread};

/// The body of a thread.
pub(crate) type Body<R> = Box<dyn FnOnce() -> R + Send>;

/// The state that the threads share with their waiter.
struct Shared<R> {
    running: AtomicUsize,
    results: Mutex<Vec<(usize, R)>>,
    waiter: &'static Thread,
}

/// Runs each body in a thread of its own, and returns what they came to, in their order, when all have ended.
///
/// # Panics
///
/// If the host has no more threads, or the caller is no thread of the machine.
pub(crate) fn together<R: Send + 'static>(name: &str, bodies: Vec<Body<R>>) -> Vec<R> {
    let waiter = sched::current().expect("a thread of the machine waits for others");
    let running = AtomicUsize::new(bodies.len());
    let shared = Arc::new(Shared { running, results: Mutex::default(), waiter });
    for (number, body) in bodies.into_iter().enumerate() {
        let shared = Arc::clone(&shared);
        sched::spawn(format!("{name} {number}"), move || {
            let result = body();
            shared.results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
            if shared.running.fetch_sub(1, Ordering::AcqRel) == 1 {
                sched::wake(shared.waiter);
            }
        })
        .expect("the host has threads");
    }
    while shared.running.load(Ordering::Acquire) > 0 {
        sched::block(None);
    }
    let mut results = core::mem::take(&mut *shared.results.lock().unwrap_or_else(PoisonError::into_inner));
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}
