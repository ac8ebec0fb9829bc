//! The layer's knowledge about one object.
//!
//! The object itself is the provider's, and so is its address, which consumers use as they got it. The
//! layer takes two things in it: the dispatch pointer, which it points to a table of its own, and the
//! header's four reserved words, in which it notes which tracked object belongs to the object and where the
//! provider's table is, each with its complement, so that a change shows.
//!
//! A tracked object lives from the moment the object is handed to the consumer until its close has completed and
//! the completion has returned. Nothing in the object is touched once the provider's close was called.
//!
//! | module | contents |
//! |---|---|
//! | `dependencies` | antecedents and successors |
//! | `type_state` | the state of an object that depends on its kind, as one type |
//! | the rest | that state, a file for each kind that has some |

mod adapter;
mod connector;
mod cq;
mod dependencies;
mod listener;
mod memory;
mod qp;
mod srq;
mod type_state;

use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use parking_lot::Mutex;
use sys::ndk::{NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_VERSION};
use sys::wdm::PVOID;

pub(crate) use self::adapter::{Adapter, CloseHandler};
pub(crate) use self::connector::Connector;
pub(crate) use self::cq::Cq;
pub(crate) use self::dependencies::Dependencies;
pub(crate) use self::listener::Listener;
pub(crate) use self::memory::{Effect, Memory};
pub(crate) use self::qp::Qp;
pub(crate) use self::srq::Srq;
pub(crate) use self::type_state::TypeState;
use crate::checks::Checks;
use crate::header::{dispatch_of, set_dispatch, words_at};
use crate::kind::{Kind, Object};
use crate::rules::{self, found};

/// The reserved word of the header that holds the address of the provider's table.
pub(crate) const TABLE_WORD: usize = 2;

/// The stage of an object's life. It only moves on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    /// The consumer may use it.
    Open,
    /// The consumer's call of the close function has not returned.
    CloseCalled,
    /// The close function has returned STATUS_PENDING.
    ClosePending,
    /// The consumer's close completion is running.
    Completing,
    /// Nothing of it is left.
    Closed,
}

impl Stage {
    fn of(number: u8) -> Self {
        [Self::Open, Self::CloseCalled, Self::ClosePending, Self::Completing][..]
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Closed)
    }
}

/// One object.
pub(crate) struct TrackedObject {
    pub(crate) kind: Kind,
    /// Number of the object, from 1; never reused.
    pub(crate) serial: u32,
    /// The consumer's handle: the address of the provider's object.
    pub(crate) handle: Va,
    /// The version that the object's header states.
    pub(crate) version: NDK_VERSION,
    pub(crate) checks: Checks,
    /// The provider's table.
    dispatch: Va,
    /// The layer's table.
    table: Va,
    /// The adapter that it descends from; the adapter has none.
    adapter: Option<Arc<Self>>,
    stage: AtomicU8,
    /// The time at which its close was called.
    pub(crate) closing_since: AtomicU64,
    /// Requests whose completion has not returned.
    pub(crate) requests: AtomicU32,
    /// Callbacks that have not returned.
    pub(crate) callbacks: AtomicU32,
    pub(crate) dependencies: Dependencies,
    /// Events that were registered for it and end with it.
    pub(crate) events: Mutex<Vec<u64>>,
    pub(crate) type_state: TypeState,
}

/// The facts about an object that the provider has just made.
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) serial: u32,
    pub(crate) handle: Va,
    pub(crate) version: NDK_VERSION,
    pub(crate) checks: Checks,
    /// The provider's table.
    pub(crate) dispatch: Va,
    /// The layer's table.
    pub(crate) table: Va,
    /// The adapter that it descends from, unless it is one.
    pub(crate) adapter: Option<Arc<TrackedObject>>,
    pub(crate) type_state: TypeState,
}

impl TrackedObject {
    /// An object that the consumer may use.
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            kind: facts.kind,
            serial: facts.serial,
            handle: facts.handle,
            version: facts.version,
            checks: facts.checks,
            dispatch: facts.dispatch,
            table: facts.table,
            adapter: facts.adapter,
            stage: AtomicU8::new(0),
            closing_since: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            callbacks: AtomicU32::new(0),
            dependencies: Dependencies::default(),
            events: Mutex::default(),
            type_state: facts.type_state,
        }
    }

    /// Writes the layer's part of the object's header.
    ///
    /// # Safety
    /// `object` is this object, and its consumer does not have it yet.
    pub(crate) unsafe fn mark<T: Object>(&self, object: *mut T) {
        // SAFETY: the words are the layer's, and the caller vouches for the object.
        unsafe { words_at(object).write(self.words()) };
        set_dispatch(object, self.table);
    }

    /// The provider's table for this object.
    pub(crate) fn dispatch<T: Object>(&self) -> *const T::Dispatch {
        assert_eq!(self.kind, T::KIND, "a tracked object's kind is that of its handle's type");
        self.dispatch.ptr()
    }

    /// The provider's extension query: the first function of an adapter, the second of everything else.
    pub(crate) fn extension_query(&self) -> Option<NDK_FN_QUERY_EXTENSION_INTERFACE> {
        let slot = usize::from(self.kind != Kind::Adapter);
        let table = self.dispatch.ptr::<Option<NDK_FN_QUERY_EXTENSION_INTERFACE>>();
        // SAFETY: every table has at least these two, and an extension query in this one.
        unsafe { table.wrapping_add(slot).read() }
    }

    /// The adapter that it descends from, or is.
    pub(crate) fn adapter(self: &Arc<Self>) -> &Arc<Self> {
        self.adapter.as_ref().unwrap_or(self)
    }

    /// The serial number of the adapter that it descends from, or is.
    pub(crate) fn adapter_serial(&self) -> u32 {
        self.adapter.as_ref().map_or(self.serial, |adapter| adapter.serial)
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::of(self.stage.load(Ordering::Acquire))
    }

    /// Moves from `from` to `to`; `false` if it was elsewhere already.
    pub(crate) fn advance(&self, from: Stage, to: Stage) -> bool {
        self.stage.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The consumer's close begins; `false` if it did before.
    pub(crate) fn begin_close(&self) -> bool {
        let first = self.advance(Stage::Open, Stage::CloseCalled);
        if first {
            self.closing_since.store(sched::now(), Ordering::Relaxed);
        }
        first
    }

    /// Moves on to `to` from wherever it is.
    pub(crate) fn become_stage(&self, to: Stage) {
        self.stage.store(to as u8, Ordering::Release);
    }

    /// Returns the values of the header's reserved words while the object is open.
    fn words(&self) -> [PVOID; 4] {
        let (serial, dispatch) = (self.serial.to_usize(), self.dispatch.get());
        [serial, !serial, dispatch, !dispatch].map(ptr::with_exposed_provenance_mut)
    }

    /// Checks that the provider left the layer's part of the object alone. The object must be open.
    pub(crate) fn check_header(&self) {
        let object = self.handle.ptr::<sys::ndk::NDK_MR>();
        // SAFETY: the object is open, so its memory is the provider's to keep; all types begin alike.
        let words = unsafe { words_at(object).read() };
        if words != self.words() || dispatch_of(object) != self.table {
            header_changed(self, object, words);
        }
    }
}

#[cold]
fn header_changed(tracked: &TrackedObject, object: *mut sys::ndk::NDK_MR, words: [PVOID; 4]) {
    found(
        rules::HEADER_CHANGED,
        format!(
            "{tracked}: reserved words are {words:?}, the dispatch pointer is {:#x}",
            dispatch_of(object)
        ),
    );
    // So that the same change is not found again at each call.
    // SAFETY: as in `check_header`; the words are the layer's.
    unsafe { words_at(object).write(tracked.words()) };
    set_dispatch(object, tracked.table);
}

impl core::fmt::Display for TrackedObject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {:#x}", self.kind, self.handle)
    }
}
