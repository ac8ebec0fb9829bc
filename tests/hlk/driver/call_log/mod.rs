//! The consumer's record of everything it asked for and everything that was called back.
//!
//! Every NDK object has an [`Object`], every create and request a [`Call`]; their addresses are the
//! contexts that the provider gets. All they hold is atomic: callbacks come on any processor. Begin and
//! end of each callback are stamped from one counter, so that, once the adapters are closed, the
//! [`audit`](CallLog::audit) can say in which order things happened:
//!
//! - a call that returned a final status has no completion, one that returned STATUS_PENDING has one;
//! - an object's close is complete after all its callbacks have returned, and no callback comes after it;
//! - an antecedent's close is complete after its successors' close completions have returned.

mod audit;
mod call;
mod callback;
mod object;

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use protocol::{Finding, Kind, Level, Text, Violation};
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_INVALID, STATUS_INSUFFICIENT_RESOURCES, STATUS_IO_TIMEOUT, STATUS_PENDING,
    STATUS_SUCCESS,
};
use sys::wdm::GROUP_AFFINITY;

pub(crate) use self::call::{Call, StartedCall};
pub(crate) use self::callback::{
    close_completed, connect_event, created, disconnected, disconnected_with_reason, notified,
    request_completed, srq_notified,
};
pub(crate) use self::object::{Object, Reaction};
use crate::heap::{List, Log};
use crate::kernel::{self, Deadline};

/// The time, in milliseconds, that the harness gives the provider for any step.
pub(crate) const WAIT_TIMEOUT: u32 = 10_000;

/// A moment, on the clock that all callbacks share. Zero is before all.
pub(crate) fn stamp() -> u64 {
    static CLOCK: AtomicU64 = AtomicU64::new(1);
    CLOCK.fetch_add(1, Ordering::AcqRel)
}

/// The record. It must outlive the adapters of the objects in it.
pub(crate) struct CallLog {
    /// The [`Level`] that NDK is called from.
    level: AtomicU32,
    objects: List<Object>,
    calls: Log<Call>,
    findings: List<Finding>,
    lost_findings: AtomicU32,
    /// Set if the other side of the connections is in another machine, which may be slow or gone.
    has_far_peer: AtomicBool,
    /// The thread that is in a watched call; zero for none.
    watched: AtomicUsize,
    /// The processor on which that call began.
    watched_on: AtomicU32,
    /// Notifications that came in that thread during such a call, on the processor where it began.
    notified_inside: AtomicU32,
}

impl CallLog {
    pub(crate) const fn new(level: Level) -> Self {
        Self {
            level: AtomicU32::new(level.code()),
            objects: List::new(),
            calls: Log::new(),
            findings: List::new(),
            lost_findings: AtomicU32::new(0),
            has_far_peer: AtomicBool::new(false),
            watched: AtomicUsize::new(0),
            watched_on: AtomicU32::new(0),
            notified_inside: AtomicU32::new(0),
        }
    }

    pub(crate) fn level(&self) -> Level {
        Level::try_from(self.level.load(Ordering::Relaxed)).unwrap_or(Level::Passive)
    }

    /// From now on NDK is called from `level`.
    pub(crate) fn call_from(&self, level: Level) {
        self.level.store(level.code(), Ordering::Relaxed);
    }

    /// From now on the other side of all connections is in another machine.
    pub(crate) fn expect_far_peer(&self) {
        self.has_far_peer.store(true, Ordering::Release);
    }

    /// Returns whether what is awaited of an object may be late by the fault of a peer in another machine.
    fn depends_on_peer(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Connector | Kind::Cq) && self.has_far_peer.load(Ordering::Acquire)
    }

    /// Takes a connector that `listener` has offered, after waiting for it at most so many milliseconds.
    pub(crate) fn take_offer_within(&self, listener: &Object, milliseconds: u32) -> Option<&Object> {
        let offered = || self.objects().find(|object| object.take_connect_event_of(listener));
        let deadline = Deadline::after(milliseconds);
        loop {
            // An offer that was taken without a wait has left its signal behind.
            let offer = offered();
            if offer.is_some() || !listener.event_within(deadline.left()) {
                return offer.or_else(offered);
            }
        }
    }

    /// Makes a call during which notifications are counted that come on top of it. One at a time.
    pub(crate) fn watch<R>(&self, call: impl FnOnce() -> R) -> R {
        self.watched_on.store(packed(kernel::processor()), Ordering::Relaxed);
        self.watched.store(kernel::thread(), Ordering::Release);
        let result = call();
        self.watched.store(0, Ordering::Release);
        result
    }

    /// Returns true if the last watched call began on one of these processors.
    pub(crate) fn watched_within(&self, affinity: GROUP_AFFINITY) -> bool {
        let [number, group @ .., _] = self.watched_on.load(Ordering::Relaxed).to_le_bytes();
        let own = 1_usize.checked_shl(number.into()).unwrap_or(0);
        u16::from_le_bytes(group) == affinity.Group && affinity.Mask & own != 0
    }

    /// Notifications that came inside watched calls since this was asked last.
    pub(crate) fn take_notified_inside(&self) -> u32 {
        self.notified_inside.swap(0, Ordering::AcqRel)
    }

    /// A notification runs. Below DISPATCH_LEVEL a call may be moved to another processor, and there it meets what that
    /// one was to run anyway.
    fn notifies(&self) {
        let is_watched = self.watched.load(Ordering::Acquire) == kernel::thread();
        if is_watched && self.watched_on.load(Ordering::Relaxed) == packed(kernel::processor()) {
            self.notified_inside.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Adds an object that is about to be created, or was indicated.
    pub(crate) fn object(&self, kind: Kind, antecedents: &[&Object]) -> Result<&Object, NTSTATUS> {
        let object = self.objects.push(Object::new(self, kind))?;
        object.place();
        for antecedent in antecedents {
            object.depend_on(antecedent)?;
        }
        Ok(object)
    }

    /// All objects, the newest first.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// Takes one connector that `listener` has offered, after waiting for it, but not longer than for the
    /// `connect` that leads to it: its failure is the error.
    pub(crate) fn take_connect_event(
        &self,
        listener: &Object,
        connect: StartedCall<'_>,
    ) -> Result<&Object, NTSTATUS> {
        const SLICE: u32 = 20;
        for _ in 0..WAIT_TIMEOUT / SLICE {
            if let Some(offer) = self.objects().find(|object| object.take_connect_event_of(listener)) {
                return Ok(offer);
            }
            if connect.is_over() {
                return Err(connect.wait().err().unwrap_or(STATUS_CONNECTION_INVALID));
            }
            let _ = listener.event_within(SLICE);
        }
        self.find(Violation::TimedOut, Kind::Listener, "connect event", STATUS_PENDING, STATUS_SUCCESS);
        Err(STATUS_IO_TIMEOUT)
    }

    /// Records that the provider broke a rule.
    pub(crate) fn find(&self, violation: Violation, kind: Kind, step: &str, seen: i32, expected: i32) {
        let finding =
            Finding { violation: violation.code(), kind: kind.code(), seen, expected, step: Text::new(step) };
        if self.findings.push(finding).is_err() {
            self.lost_findings.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records a finding unless `seen` is `expected`.
    pub(crate) fn expect(&self, step: &str, seen: i32, expected: i32) {
        if seen != expected {
            self.find(Violation::Unexpected, Kind::None, step, seen, expected);
        }
    }

    /// Records a finding unless `seen` is one of `expected`. A failed allocation is always a good answer:
    /// the tests provoke it, and the callers see it as the status it is.
    pub(crate) fn expect_one_of(&self, step: &str, seen: i32, expected: &[i32]) {
        if !expected.contains(&seen) && seen != STATUS_INSUFFICIENT_RESOURCES {
            self.find(
                Violation::Unexpected,
                Kind::None,
                step,
                seen,
                expected.first().copied().unwrap_or_default(),
            );
        }
    }

    /// Records a finding unless `holds`.
    pub(crate) fn require(&self, step: &str, holds: bool) {
        self.expect(step, i32::from(holds), 1);
    }
}

/// The group and number of a processor in one value.
fn packed((group, number): (u16, u8)) -> u32 {
    u32::from(group) << 8 | u32::from(number)
}
