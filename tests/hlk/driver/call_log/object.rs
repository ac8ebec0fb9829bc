//! One NDK object, its callbacks and its close.

#![expect(unsafe_code, reason = "the provider calls back with addresses")]

use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use protocol::{Kind, Violation};
use sys::ndk::{NDK_FN_CLOSE_OBJECT, NDK_OBJECT_HEADER};
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};

use super::{Call, CallLog, StartedCall, WAIT_TIMEOUT, close_completed, stamp};
use crate::heap::List;
use crate::interface::close_function;
use crate::kernel::{self, Event, Reset};

/// The action of an object's event or notification callback, besides signalling the event.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Reaction {
    /// Nothing.
    Signal = 0,
    /// Closes the object that the callback hands over or is about.
    Close = 1,
}

impl Reaction {
    #[expect(clippy::as_conversions, reason = "the number of a variant")]
    const fn code(self) -> u32 {
        self as u32
    }
}

/// The record of an object. Its address is the context of its events and of its close completion.
pub(crate) struct Object {
    pub(super) call_log: *const CallLog,
    kind: Kind,
    pointer: AtomicPtr<NDK_OBJECT_HEADER>,
    pub(super) antecedents: List<Antecedent>,
    /// The listener that offered this connector, until a test takes it.
    offered_by: AtomicPtr<Object>,

    /// Callbacks that are running, the close completion not counted.
    pub(super) running: AtomicU32,
    pub(super) last_began: AtomicU64,
    pub(super) last_ended: AtomicU64,
    /// Event and notification callbacks so far.
    pub(super) events: AtomicU32,
    event: Event,
    reaction: AtomicU32,
    /// An object whose waiters are woken by events of this one, too; null for none.
    wakes: AtomicPtr<Object>,
    /// Of a CQ: how often it was armed.
    pub(super) arms: AtomicU32,
    /// Of a CQ: a notification is running.
    pub(super) notifying: AtomicBool,
    /// Of a CQ: a notification has said that it is of no more use.
    pub(super) failed: AtomicBool,

    pub(super) close: Close,
}

/// An object that must outlive another one.
pub(super) struct Antecedent {
    pub(super) object: *const Object,
    /// The request that ties the two, if it succeeds; null where they are tied from the beginning.
    pub(super) tie: *const Call,
}

// SAFETY: the pointers are those of records that live as long as the call log.
unsafe impl Sync for Antecedent {}
// SAFETY: as above.
unsafe impl Send for Antecedent {}

/// The record of an object's close. Stamps are zero until the moment has come.
pub(super) struct Close {
    /// Set when the close was asked for.
    pub(super) requested: AtomicBool,
    pub(super) inside: AtomicBool,
    pub(super) called: AtomicU64,
    pub(super) returned: AtomicU64,
    pub(super) status: AtomicI32,
    pub(super) began: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) completions: AtomicU32,
    pub(super) done: Event,
}

// SAFETY: the call log pointer is only used while the call log lives; the rest is atomic.
unsafe impl Sync for Object {}
// SAFETY: a record belongs to no thread.
unsafe impl Send for Object {}

impl Object {
    pub(super) const fn new(call_log: &CallLog, kind: Kind) -> Self {
        Self {
            call_log: ptr::from_ref(call_log),
            kind,
            pointer: AtomicPtr::new(null_mut()),
            antecedents: List::new(),
            offered_by: AtomicPtr::new(null_mut()),
            running: AtomicU32::new(0),
            last_began: AtomicU64::new(0),
            last_ended: AtomicU64::new(0),
            events: AtomicU32::new(0),
            event: Event::unplaced(),
            reaction: AtomicU32::new(Reaction::Signal.code()),
            wakes: AtomicPtr::new(null_mut()),
            arms: AtomicU32::new(0),
            notifying: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            close: Close {
                requested: AtomicBool::new(false),
                inside: AtomicBool::new(false),
                called: AtomicU64::new(0),
                returned: AtomicU64::new(0),
                status: AtomicI32::new(STATUS_PENDING),
                began: AtomicU64::new(0),
                ended: AtomicU64::new(0),
                completions: AtomicU32::new(0),
                done: Event::unplaced(),
            },
        }
    }

    pub(super) fn place(&self) {
        self.event.place(Reset::ByWait);
        self.close.done.place(Reset::Never);
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The NDK object; null as long as there is none.
    pub(crate) fn pointer(&self) -> *mut NDK_OBJECT_HEADER {
        self.pointer.load(Ordering::Acquire)
    }

    fn call_log(&self) -> &CallLog {
        // SAFETY: the call log owns this record, so it outlives it.
        unsafe { &*self.call_log }
    }

    /// The provider has made the object.
    pub(crate) fn exists(&self, pointer: *mut NDK_OBJECT_HEADER) {
        // SAFETY: the provider says that this is an object of its own.
        let kind = unsafe { pointer.as_ref() }.map_or(0, |header| header.ObjectType.0);
        let expected = self.kind.code().cast_signed();
        if kind == expected {
            self.pointer.store(pointer, Ordering::Release);
        } else {
            self.call_log().find(Violation::BadObject, self.kind, "create", kind, expected);
        }
    }

    /// `antecedent` must outlive this object.
    pub(crate) fn depend_on(&self, antecedent: &Object) -> Result<(), NTSTATUS> {
        self.antecedents.push(Antecedent { object: antecedent, tie: ptr::null() }).map(drop)
    }

    /// `antecedent` must outlive this object if the request succeeds.
    pub(crate) fn depend_if(&self, antecedent: &Object, request: StartedCall<'_>) -> Result<(), NTSTATUS> {
        self.antecedents.push(Antecedent { object: antecedent, tie: request.call() }).map(drop)
    }

    /// Returns whether the object must not outlive `other`, directly or by way of others.
    pub(crate) fn descends_from(&self, other: &Self) -> bool {
        self.antecedents.iter().any(|antecedent| {
            // SAFETY: antecedents are records of the same call log.
            let antecedent = unsafe { &*antecedent.object };
            ptr::eq(antecedent, other) || antecedent.descends_from(other)
        })
    }

    /// Returns whether the object was made and its close not asked for yet.
    pub(crate) fn is_open(&self) -> bool {
        !self.pointer().is_null() && !self.close.requested.load(Ordering::Acquire)
    }

    /// Sets the action of the object's next callbacks.
    pub(crate) fn react(&self, reaction: Reaction) {
        self.reaction.store(reaction.code(), Ordering::Release);
    }

    pub(super) fn closes_in_callback(&self) -> bool {
        self.reaction.load(Ordering::Acquire) == Reaction::Close.code()
    }

    pub(super) fn offer_from(&self, listener: &Object) {
        self.offered_by.store(ptr::from_ref(listener).cast_mut(), Ordering::Release);
    }

    pub(super) fn take_connect_event_of(&self, listener: &Object) -> bool {
        let listener = ptr::from_ref(listener).cast_mut();
        self.offered_by.compare_exchange(listener, null_mut(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// From now on events of this object wake the waiters of `other`, too. Both are of one call log.
    pub(crate) fn wakes(&self, other: &Self) {
        self.wakes.store(ptr::from_ref(other).cast_mut(), Ordering::Release);
    }

    /// Wakes the waiters for an event of this object.
    pub(crate) fn signal(&self) {
        self.event.set();
        // SAFETY: null, or a record of the same call log.
        if let Some(other) = unsafe { self.wakes.load(Ordering::Acquire).as_ref() } {
            other.event.set();
        }
    }

    /// Event and notification callbacks so far.
    pub(crate) fn events(&self) -> u32 {
        self.events.load(Ordering::Acquire)
    }

    /// Waits for the object's next event or notification that no wait has consumed. That none comes is a finding, unless
    /// it may be the fault of a peer in another machine.
    #[must_use]
    pub(crate) fn wait_for_event(&self, step: &str) -> bool {
        let came = self.event.wait(WAIT_TIMEOUT);
        if !came && !self.call_log().depends_on_peer(self.kind) {
            self.call_log().find(Violation::TimedOut, self.kind, step, STATUS_PENDING, STATUS_SUCCESS);
        }
        came
    }

    /// Waits at most this many milliseconds for an event; says whether it came.
    pub(crate) fn event_within(&self, milliseconds: u32) -> bool {
        self.event.wait(milliseconds)
    }

    /// Returns whether a CQ has notified with a status other than success: it is of no more use.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Counts that a CQ is armed; to be called before the provider is told.
    pub(crate) fn arm(&self) {
        self.arms.fetch_add(1, Ordering::AcqRel);
    }

    /// Gives up ownership of the object: it is never closed.
    pub(crate) fn abandon(&self) {
        self.close.requested.store(true, Ordering::Release);
    }

    /// Closes the object, from the level that the call log's calls come from. IRQL = PASSIVE_LEVEL.
    pub(crate) fn close(&self) {
        kernel::at(self.call_log().level(), || self.close_here(false));
    }

    /// Closes the object from where the caller is. A close that was asked for already is left alone.
    pub(super) fn close_here(&self, inside: bool) {
        let pointer = self.pointer();
        if pointer.is_null() || self.close.requested.swap(true, Ordering::AcqRel) {
            return;
        }
        self.close.inside.store(inside, Ordering::Relaxed);
        let function: Option<NDK_FN_CLOSE_OBJECT> = close_function(self.kind, pointer);
        let Some(function) = function else {
            self.call_log().find(Violation::BadObject, self.kind, "close slot", 0, 1);
            return;
        };
        self.close.called.store(stamp(), Ordering::Release);
        // SAFETY: the object is open, and this is its one close.
        let status =
            unsafe { function(pointer, Some(close_completed), ptr::from_ref(self).cast_mut().cast()) };
        // The completion may have run, but the call log lives on: its adapters are not closed yet.
        self.close.status.store(status, Ordering::Release);
        self.close.returned.store(stamp(), Ordering::Release);
        match status {
            STATUS_PENDING => {}
            STATUS_SUCCESS => {
                let running = self.running.load(Ordering::Acquire).cast_signed();
                if running != 0 {
                    self.call_log().find(Violation::CallbackAfterClose, self.kind, "close", running, 0);
                }
                self.close.done.set();
            }
            other => {
                self.call_log().find(Violation::CloseFailed, self.kind, "close", other, STATUS_SUCCESS);
                self.close.done.set();
            }
        }
    }

    /// Closes an adapter through `close`, which blocks until it is done. IRQL = PASSIVE_LEVEL.
    pub(crate) fn closed_by(&self, close: impl FnOnce()) {
        if self.pointer().is_null() || self.close.requested.swap(true, Ordering::AcqRel) {
            return;
        }
        self.close.called.store(stamp(), Ordering::Release);
        close();
        self.close.status.store(STATUS_SUCCESS, Ordering::Release);
        self.close.returned.store(stamp(), Ordering::Release);
    }

    /// Waits until a close that was asked for is complete.
    #[must_use]
    pub(crate) fn wait_closed(&self) -> bool {
        let closed = self.close.done.wait(WAIT_TIMEOUT);
        if !closed {
            self.call_log().find(Violation::TimedOut, self.kind, "close", STATUS_PENDING, STATUS_SUCCESS);
        }
        closed
    }

    /// Returns whether the close is complete.
    pub(crate) fn is_closed(&self) -> bool {
        match self.close.status.load(Ordering::Acquire) {
            STATUS_PENDING => self.close.ended.load(Ordering::Acquire) != 0,
            _ => true,
        }
    }
}
