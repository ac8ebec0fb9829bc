//! Reasons for which a close is pending.

#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::sched;

use crate::kind::Kind;
use crate::layer::layer;
use crate::object::{Stage, TrackedObject};
use crate::provider_report::{self, Reason};
use crate::statistics;
use crate::statistics::Statistics;

/// An object whose close has been called and is not over, and what still holds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PendingClose {
    /// Its kind.
    pub kind: Kind,
    /// The consumer's handle.
    pub handle: Va,
    /// The time since the close was called.
    pub since: Duration,
    /// The objects that it has to outlive, and that are not closed.
    pub successors: Vec<Successor>,
    /// Requests that have not completed.
    pub requests: u32,
    /// Callbacks that have not returned.
    pub callbacks: u32,
    /// The provider's own report about it, if it gives one.
    pub provider_report: Option<Vec<Reason>>,
}

/// An object that holds another one's close.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Successor {
    /// Its kind.
    pub kind: Kind,
    /// The consumer's handle.
    pub handle: Va,
    /// Set if its own close has been called, and is pending too.
    pub closing: bool,
}

/// The calls and callbacks that the NDK layer has seen, and the closes that were not over at the end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Counts of closes, callbacks and calls.
    pub statistics: Statistics,
    /// Closes that were not over.
    pub pending: Vec<PendingClose>,
}

/// Every close that is pending now, in the order in which the objects were made.
pub(crate) fn pending_closes() -> Vec<PendingClose> {
    let objects = layer().objects.all();
    objects.iter().filter(|tracked| tracked.stage() != Stage::Open).map(explain).collect()
}

/// The layer's part of the machine's report.
pub fn summary() -> Summary {
    Summary { statistics: statistics(), pending: pending_closes() }
}

fn explain(tracked: &Arc<TrackedObject>) -> PendingClose {
    let mut successors = tracked.dependencies.live_successors();
    successors.sort_by_key(|successor| successor.serial);
    let successors = successors.iter().map(|successor| Successor {
        kind: successor.kind,
        handle: successor.handle,
        closing: successor.stage() != Stage::Open,
    });
    let since = tracked.closing_since.load(Ordering::Relaxed);
    PendingClose {
        kind: tracked.kind,
        handle: tracked.handle,
        since: sched::duration(sched::now().saturating_sub(since)),
        successors: successors.collect(),
        requests: tracked.requests.load(Ordering::Relaxed),
        callbacks: tracked.callbacks.load(Ordering::Relaxed),
        provider_report: provider_report::of(tracked),
    }
}

impl fmt::Display for PendingClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, handle, since, successors, requests, callbacks, provider_report } = self;
        write!(f, "the close of {kind} {handle:#x} is pending for {since:.1?}, held by ")?;
        let mut holders: Vec<_> = successors.iter().map(ToString::to_string).collect();
        let mut count = |count: u32, what| {
            if count != 0 {
                holders.push(format!("{count} {what}"));
            }
        };
        count(*requests, "requests outstanding");
        count(*callbacks, "callbacks in progress");
        if holders.is_empty() {
            f.write_str("nothing but its provider")?;
        } else {
            f.write_str(&holders.join(", "))?;
        }
        let Some(report) = provider_report else { return Ok(()) };
        let reasons: Vec<_> = report.iter().map(ToString::to_string).collect();
        let reasons = if reasons.is_empty() { "nothing".to_owned() } else { reasons.join(", ") };
        write!(f, "; by its provider's account, by {reasons}")
    }
}

impl fmt::Display for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.closing { "closing" } else { "open" };
        write!(f, "{} {:#x} ({state})", self.kind, self.handle)
    }
}
