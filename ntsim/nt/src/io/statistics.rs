//! Counts of the I/O manager's requests, for reports.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;

use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_CANCELLED};

/// A kind of request: its major and its minor function.
pub type Function = (u8, u8);

/// The outcomes of the requests of one kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RequestCounters {
    /// Completed with a success.
    pub succeeded: u64,
    /// Completed with `STATUS_CANCELLED`.
    pub cancelled: u64,
    /// Completed with any other status.
    pub failed: u64,
}

impl RequestCounters {
    /// All that were completed.
    pub const fn completed(self) -> u64 {
        self.succeeded + self.cancelled + self.failed
    }
}

/// Counts of the I/O manager's requests since the machine was booted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Requests that the I/O manager sent and got back.
    pub requests: BTreeMap<Function, RequestCounters>,
    /// The number of times that a request's cancellation was asked for.
    pub cancels: u64,
    /// Requests for a file that drivers had when the file's cleanup was sent.
    pub in_flight_at_cleanup: BTreeMap<Function, u64>,
}

impl Statistics {
    /// The requests with this major function that were completed.
    pub fn completed(&self, major: u8) -> u64 {
        let of_major = self.requests.iter().filter(|((function, _), _)| *function == major);
        of_major.map(|(_, tally)| tally.completed()).sum()
    }
}

/// The counters of one machine.
#[derive(Default)]
pub(super) struct Counters {
    cancels: AtomicU64,
    sequence: AtomicU64,
    requests: Mutex<BTreeMap<Function, RequestCounters>>,
    in_flight: Mutex<BTreeMap<Function, u64>>,
}

static COUNTERS: PerMachine<Counters> = PerMachine::new();

pub(super) fn counters() -> &'static Counters {
    COUNTERS.get()
}

impl Counters {
    /// Counts a request that has come back.
    pub(super) fn completed(&self, function: Function, status: NTSTATUS) {
        let mut requests = self.requests.lock();
        let tally = requests.entry(function).or_default();
        match status {
            STATUS_CANCELLED => tally.cancelled += 1,
            status if NT_SUCCESS(status) => tally.succeeded += 1,
            _ => tally.failed += 1,
        }
    }

    /// Numbers a request of a user that has come back.
    pub(super) fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a request that is asked to be given up.
    pub(super) fn cancelled(&self) {
        self.cancels.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts requests that are under way when their file is cleaned up.
    pub(super) fn in_flight(&self, functions: impl Iterator<Item = Function>) {
        let mut counted = self.in_flight.lock();
        functions.for_each(|function| *counted.entry(function).or_default() += 1);
    }
}

/// The counts of the machine that runs.
pub fn snapshot() -> Statistics {
    let counters = counters();
    Statistics {
        requests: counters.requests.lock().clone(),
        cancels: counters.cancels.load(Ordering::Relaxed),
        in_flight_at_cleanup: counters.in_flight.lock().clone(),
    }
}
