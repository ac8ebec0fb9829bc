//! Calls that the consumer promises to serialize.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use ntsim_core::sched::{self, local};

/// The caller that is in a function which only one may be in at a time; 0 if there is none.
#[derive(Default)]
pub(crate) struct Serialization(AtomicU64);

/// The identity of a caller, which may call again from inside the call.
#[derive(Clone, Copy)]
pub(crate) enum Caller {
    /// The thread, with the DPCs that happen to run on it: an arm may be answered, and the CQ polled in
    /// the callback, before the arm has returned.
    Thread,
    /// The thread or a DPC: a DPC that interrupts a post must not post to the same queue.
    Context,
}

/// Being in; ends when dropped.
pub(crate) struct Entered<'a>(Option<&'a AtomicU64>);

impl Serialization {
    /// Enters; `None` if another caller is in.
    pub(crate) fn enter(&self, caller: Caller) -> Option<Entered<'_>> {
        let thread = sched::current().map_or(u64::MAX >> 1, |thread| thread.id);
        let dpc = matches!(caller, Caller::Context) && local::with(|local| local.in_dpc.get());
        let me = (thread << 1) | u64::from(dpc);
        match self.0.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(Entered(Some(&self.0))),
            Err(other) => (other == me).then_some(Entered(None)),
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(serialization) = self.0 {
            serialization.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_caller_is_refused_and_the_same_caller_admitted() {
        let serialization = Serialization::default();
        let first = serialization.enter(Caller::Thread);
        assert!(first.is_some() && serialization.enter(Caller::Thread).is_some());
        serialization.0.store(1 << 20, Ordering::Relaxed);
        assert!(serialization.enter(Caller::Thread).is_none());
        drop(first);
        assert!(serialization.enter(Caller::Thread).is_some());
    }
}
