//! The objects in every interleaving of several processors, under loom (`--cfg loom`).
//!
//! `lifetime` is explored alone, beside its code; here is what is built upon it: the code of the objects as
//! it ships, on a kernel whose locks, DPCs and events are loom's.

mod attempt;
mod fixture;
mod flush;
mod listener;
mod moderation;
mod object;
mod wire;

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;

/// Explores a test's `model` and says how many executions there are. With a bound, only those in which threads
/// are preempted at most so many times; without one, all. `LOOM_MAX_PREEMPTIONS` in the environment is
/// another bound for all models.
pub(crate) fn explore(bound: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = MAX_BRANCHES;
    builder.preemption_bound = builder.preemption_bound.or(bound);
    let bound = builder.preemption_bound.map_or_else(|| "all".to_owned(), |bound| format!("bound {bound}"));
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    // The test's thread has its name.
    let test = thread::current().name().unwrap_or_default().to_owned();
    println!("{:>9} executions ({bound}): {test}", executions.load(Ordering::Relaxed));
}

/// Switches of threads in one execution: more would be a thread that spins.
const MAX_BRANCHES: usize = 20_000;

/// Runs each of `threads` in a thread of its own, in every order, and waits for them.
pub(crate) fn race(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(loom::thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
