//! The state of the layer, one per machine.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched;
use parking_lot::Mutex;
use sys::ndk::NDK_VERSION;

use crate::checks::Checks;
use crate::context::{Contexts, Prospect};
use crate::endpoints::Endpoints;
use crate::object::{CloseHandler, TrackedObject, TypeState};
use crate::registry::Objects;
use crate::statistics::Counters;
use crate::tokens::Tokens;

/// [`Checks`] as a number, for a cell that is read on every open.
const CHECKS: [Checks; 3] = [Checks::Full, Checks::Lifetimes, Checks::None];

/// The state of the layer.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) objects: Objects,
    pub(crate) contexts: Contexts,
    pub(crate) statistics: Counters,
    serial: AtomicU32,
    /// An index into [`CHECKS`].
    checks: AtomicUsize,
    /// Adapters that were handed over unchecked.
    pub(crate) unchecked: Mutex<HashMap<Va, CloseHandler>>,
    pub(crate) tokens: Tokens,
    pub(crate) endpoints: Endpoints,
    notification_limit: NotificationLimit,
}

/// The longest time for which a CQ notification may be owed, in units of 100 ns.
struct NotificationLimit(AtomicU64);

impl Default for NotificationLimit {
    fn default() -> Self {
        Self(AtomicU64::new(10 * 10_000_000))
    }
}

static LAYER: PerMachine<Layer> = PerMachine::new();

/// The running machine's layer.
#[inline]
pub(crate) fn layer() -> &'static Layer {
    LAYER.get()
}

impl Layer {
    /// The time for which a CQ notification may be owed, in units of 100 ns.
    pub(crate) fn notification_limit(&self) -> u64 {
        self.notification_limit.0.load(Ordering::Relaxed)
    }

    /// Sets that time.
    pub(crate) fn limit_notifications(&self, limit: Duration) {
        self.notification_limit.0.store(sched::units(limit), Ordering::Relaxed);
    }

    /// An object that a create is going to make, with these antecedents and no event.
    pub(crate) fn prospect(&self, type_state: TypeState, antecedents: Vec<Arc<TrackedObject>>) -> Prospect {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed) + 1;
        Prospect { serial, type_state, antecedents, takes: None, event: None }
    }

    /// Sets how much is checked on adapters that are opened from now on.
    pub(crate) fn set_checks(&self, checks: Checks) {
        self.checks.store(checks as usize, Ordering::Relaxed);
    }

    /// Returns the checks for an adapter that is opened now. Tables older than 1.2 lack functions of the data
    /// path that the direct tables have, so such adapters get the others.
    pub(crate) fn checks_for(&self, version: NDK_VERSION) -> Checks {
        let has_all = (version.Major, version.Minor) >= (1, 2);
        match CHECKS[self.checks.load(Ordering::Relaxed)] {
            Checks::Lifetimes if !has_all => Checks::Full,
            checks => checks,
        }
    }
}
