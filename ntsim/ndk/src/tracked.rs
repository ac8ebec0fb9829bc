//! The layer's knowledge about one object.
//!
//! The object itself is the provider's, and so is its address, which consumers use as they got it. The
//! layer takes two things in it: the dispatch pointer, which it points to a table of its own, and the
//! header's four reserved words, in which it notes which tracked object belongs to the object and where the
//! provider's table is, each with its complement, so that a change shows.
//!
//! A tracked object lives from the moment the object is handed to the consumer until its close has completed and
//! the completion has returned. Nothing in the object is touched once the provider's close was called.

use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use parking_lot::Mutex;
use sys::ndk::{NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_OBJECT_HEADER, NDK_VERSION};
use sys::wdm::PVOID;

use super::address::Address;
use super::dependencies::Dependencies;
use super::header::{check_new, dispatch_of, set_dispatch, words_at};
use super::kind::{Kind, Object};
use super::type_state::TypeState;
use super::{Checks, extension, found, layer, rules, tables};

/// The reserved word of the header that holds the address of the provider's table.
pub(super) const TABLE_WORD: usize = 2;

/// The stage of an object's life. It only moves on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Stage {
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
pub(super) struct TrackedObject {
    pub(super) kind: Kind,
    /// Number of the object, from 1; never reused.
    pub(super) serial: u32,
    /// The consumer's handle: the address of the provider's object.
    pub(super) handle: Va,
    /// The version that the object's header states.
    pub(super) version: NDK_VERSION,
    pub(super) checks: Checks,
    /// The provider's table.
    dispatch: Va,
    /// The layer's table.
    table: Va,
    /// The adapter that it descends from; the adapter has none.
    adapter: Option<Arc<Self>>,
    stage: AtomicU8,
    /// When its close was called.
    pub(super) closing_since: AtomicU64,
    /// Requests whose completion has not returned.
    pub(super) requests: AtomicU32,
    /// Callbacks that have not returned.
    pub(super) callbacks: AtomicU32,
    pub(super) dependencies: Dependencies,
    /// Events that were registered for it and end with it.
    pub(super) events: Mutex<Vec<u64>>,
    pub(super) type_state: TypeState,
}

/// The object that a create is going to make.
pub(super) struct Prospect {
    /// The serial number it will have.
    pub(super) serial: u32,
    pub(super) type_state: TypeState,
    /// The objects that it depends on from its creation.
    pub(super) antecedents: Vec<Arc<TrackedObject>>,
    /// The local address that it holds from its creation.
    pub(super) takes: Option<Address>,
    /// The event that the create registers.
    pub(super) event: Option<Arc<super::context::Context>>,
}

impl Prospect {
    /// An object with these antecedents and no event.
    pub(super) fn new(type_state: TypeState, antecedents: Vec<Arc<TrackedObject>>) -> Self {
        Self { serial: layer().next_serial(), type_state, antecedents, takes: None, event: None }
    }

    /// Nothing is made after all.
    pub(super) fn abandon(self) {
        if let Some(event) = self.event {
            layer().contexts.end(&event, rules::CALLBACK_CONTEXT);
        }
    }
}

impl TrackedObject {
    /// Puts the layer between the consumer and an object that the provider has just made.
    ///
    /// `None` if what the provider handed out can't be used as an object.
    pub(super) fn adopt<T: Object>(
        object: *mut T,
        prospect: Prospect,
        adapter: Option<&Arc<Self>>,
        checks: Checks,
    ) -> Option<Arc<Self>> {
        let header = object.cast::<NDK_OBJECT_HEADER>();
        if object.is_null() || !header.is_aligned() {
            found(rules::OBJECT_HEADER, format!("a new {} has the handle {object:p}", T::KIND));
            return None;
        }
        if layer().objects.is_open(Va::of(object)) {
            found(
                rules::OBJECT_HEADER,
                format!("a new {} has the handle {object:p} of one still open", T::KIND),
            );
            return None;
        }
        // SAFETY: the provider says that this is an object of the type, whose first member is its header.
        let head = unsafe { header.read() };
        let dispatch = dispatch_of(object);
        check_new::<T>(&head, Va::of(object), adapter, dispatch)?;

        let tracked = Arc::new(Self {
            kind: T::KIND,
            serial: prospect.serial,
            handle: Va::of(object),
            version: head.Version,
            checks,
            dispatch,
            table: Va::of(tables::of(T::KIND, checks)),
            adapter: adapter.cloned(),
            stage: AtomicU8::new(0),
            closing_since: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            callbacks: AtomicU32::new(0),
            dependencies: Dependencies::default(),
            events: Mutex::default(),
            type_state: prospect.type_state,
        });
        for antecedent in &prospect.antecedents {
            Dependencies::add(antecedent, &tracked);
        }
        if let Some(event) = prospect.event {
            event.belongs_to(&tracked);
        }
        layer().objects.insert(&tracked);
        // SAFETY: the words are the layer's, and the consumer does not have the object yet.
        unsafe { words_at(object).write(tracked.words()) };
        set_dispatch(object, tracked.table);
        TypeState::adopted(&tracked);
        if let Some(address) = prospect.takes {
            layer().endpoints.taken(&tracked, address);
        }
        extension::probe(&tracked);
        Some(tracked)
    }

    /// The provider's table for this object.
    pub(super) fn dispatch<T: Object>(&self) -> *const T::Dispatch {
        assert_eq!(self.kind, T::KIND, "a tracked object's kind is that of its handle's type");
        self.dispatch.ptr()
    }

    /// The provider's extension query: the first function of an adapter, the second of everything else.
    pub(super) fn extension_query(&self) -> Option<NDK_FN_QUERY_EXTENSION_INTERFACE> {
        let slot = usize::from(self.kind != Kind::Adapter);
        let table = self.dispatch.ptr::<Option<NDK_FN_QUERY_EXTENSION_INTERFACE>>();
        // SAFETY: every table has at least these two, and an extension query in this one.
        unsafe { table.wrapping_add(slot).read() }
    }

    /// The adapter that it descends from, or is.
    pub(super) fn adapter(self: &Arc<Self>) -> &Arc<Self> {
        self.adapter.as_ref().unwrap_or(self)
    }

    /// The serial number of the adapter that it descends from, or is.
    pub(super) fn adapter_serial(&self) -> u32 {
        self.adapter.as_ref().map_or(self.serial, |adapter| adapter.serial)
    }

    pub(super) fn stage(&self) -> Stage {
        Stage::of(self.stage.load(Ordering::Acquire))
    }

    /// Moves from `from` to `to`; `false` if it was elsewhere already.
    pub(super) fn advance(&self, from: Stage, to: Stage) -> bool {
        self.stage.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The consumer's close begins; `false` if it did before.
    pub(super) fn begin_close(&self) -> bool {
        let first = self.advance(Stage::Open, Stage::CloseCalled);
        if first {
            self.closing_since.store(sched::now(), Ordering::Relaxed);
        }
        first
    }

    /// Moves on to `to` from wherever it is.
    pub(super) fn become_stage(&self, to: Stage) {
        self.stage.store(to as u8, Ordering::Release);
    }

    /// Returns the values of the header's reserved words while the object is open.
    fn words(&self) -> [PVOID; 4] {
        let (serial, dispatch) = (self.serial.to_usize(), self.dispatch.get());
        [serial, !serial, dispatch, !dispatch].map(ptr::with_exposed_provenance_mut)
    }

    /// Checks that the provider left the layer's part of the object alone. The object must be open.
    pub(super) fn check_header(&self) {
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
