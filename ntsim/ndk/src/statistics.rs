//! Counts of calls, callbacks and closes, for reports.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;

use ntsim_core::sched::{self, Irql};
use parking_lot::RwLock;

use crate::kind::Kind;

/// The outcomes of the closes of one kind of object.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Closes {
    /// Over when the close function returned.
    pub inline: u64,
    /// Over when the completion returned.
    pub pending: u64,
}

/// Counts of calls, callbacks and closes since the machine was booted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Closes, by kind of object.
    pub closes: BTreeMap<Kind, Closes>,
    /// Callbacks to consumers, by the interface's name.
    pub callbacks: BTreeMap<&'static str, u64>,
    /// Calls of consumers, by the interface's name; without those that [`Checks`](crate::Checks) leaves
    /// alone.
    pub calls: BTreeMap<&'static str, u64>,
    /// Those of them that came from DISPATCH_LEVEL.
    pub dispatch_calls: BTreeMap<&'static str, u64>,
}

/// Counters that stay out of each other's way.
#[derive(Default)]
pub(crate) struct Counters {
    inline: [AtomicU64; Kind::ALL.len()],
    pending: [AtomicU64; Kind::ALL.len()],
    callbacks: Named,
    calls: Named,
    dispatch_calls: Named,
}

/// Counters by name; names are few, and soon all known.
#[derive(Default)]
struct Named(RwLock<BTreeMap<&'static str, AtomicU64>>);

impl Named {
    fn count(&self, name: &'static str) {
        if let Some(counter) = self.0.read().get(name) {
            counter.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.0.write().entry(name).or_default().fetch_add(1, Ordering::Relaxed);
    }

    fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.0.read().iter().map(|(&name, counter)| (name, counter.load(Ordering::Relaxed))).collect()
    }
}

impl Counters {
    /// Counts a close function's return.
    pub(crate) fn closed(&self, kind: Kind, pending: bool) {
        let counters = if pending { &self.pending } else { &self.inline };
        counters[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a callback.
    pub(crate) fn callback(&self, name: &'static str) {
        self.callbacks.count(name);
    }

    /// Counts a call.
    pub(crate) fn call(&self, name: &'static str) {
        self.calls.count(name);
        if sched::irql() == Irql::DISPATCH {
            self.dispatch_calls.count(name);
        }
    }

    /// The counts so far.
    pub(crate) fn snapshot(&self) -> Statistics {
        let closes = Kind::ALL.into_iter().map(|kind| {
            let read = |counters: &[AtomicU64]| counters[kind as usize].load(Ordering::Relaxed);
            (kind, Closes { inline: read(&self.inline), pending: read(&self.pending) })
        });
        Statistics {
            closes: closes.filter(|(_, closes)| *closes != Closes::default()).collect(),
            callbacks: self.callbacks.snapshot(),
            calls: self.calls.snapshot(),
            dispatch_calls: self.dispatch_calls.snapshot(),
        }
    }
}
