//! Registry of the objects of an RNIC, and the reasons for which a close is pending.

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;

use sys::ndk::NDK_OBJECT_TYPE;

use super::{Core, Object, ObjectRef, ObjectType};
use crate::kernel::event::{self, Count, Event, Handle, HolderKind, object_type_name};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;

/// The most closes, and the most reasons of each, that a trace lists.
const TRACED: usize = 16;

/// The objects of an RNIC that exist: a list through the objects themselves, so that being on it needs no
/// memory.
pub struct Registry<K: Kernel>(Lock<K, First<K>>);

struct First<K: Kernel>(Option<NonNull<Core<K>>>);

// SAFETY: what the list leads to is Send and Sync, and taken off it before it is freed.
unsafe impl<K: Kernel> Send for First<K> {}

/// An object's place in the list; the registry's lock guards it.
pub(super) struct Place<K: Kernel>(UnsafeCell<Neighbours<K>>);

struct Neighbours<K: Kernel> {
    before: Option<NonNull<Core<K>>>,
    after: Option<NonNull<Core<K>>>,
}

/// The offsets of the pointers to the neighbours in a [`Place`].
pub(super) const fn neighbours_at<K: Kernel>() -> (usize, usize) {
    (core::mem::offset_of!(Neighbours<K>, before), core::mem::offset_of!(Neighbours<K>, after))
}

impl<K: Kernel> Place<K> {
    /// In no list.
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(Neighbours { before: None, after: None }))
    }
}

/// A reason for which an object can't be freed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The close call itself, which has not determined its status yet.
    CloseCall,
    /// A successor: an object that was created from this one or uses it.
    Successor {
        /// The type of the object.
        kind: NDK_OBJECT_TYPE,
        /// The consumer's pointer to it.
        handle: usize,
        /// True if its own close has been called, and is pending too.
        closing: bool,
    },
    /// So many successors that have no handle: their close completion has not returned, or they are logical
    /// address mappings that were not released.
    Nameless(u32),
    /// So many requests, calls and connections in progress.
    Requests(u32),
    /// So many DPCs queued or running.
    Callbacks(u32),
    /// A connection or port of TCP, which is not closed.
    Network(OnNetwork),
}

/// The state of a connection or port of TCP, as far as an object waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnNetwork {
    /// The sends that TCP has.
    pub sends: u32,
    /// True if TCP was asked to close it.
    pub closing: bool,
}

/// The object does not exist, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownHandle;

impl<K: Kernel> Registry<K> {
    /// Without objects.
    pub(crate) fn new() -> Self {
        Self(Lock::<K, _>::new(First(None)))
    }

    /// The place of the pointer to the first object, which is null if there is none; for a debugger.
    pub(crate) fn first(&self) -> *const c_void {
        self.0.data_ptr().cast_const().cast()
    }

    /// Enters an object.
    ///
    /// # Safety
    ///
    /// `object` is in no list, and stays until [`Registry::remove`].
    pub(super) unsafe fn add(&self, object: NonNull<Core<K>>) {
        let mut first = self.0.lock();
        let after = first.0.replace(object);
        // SAFETY: the object exists, as the caller promises, and the lock is held.
        unsafe { neighbours(object) }.after = after;
        if let Some(after) = after {
            // SAFETY: what is in the list exists, and the lock is held.
            unsafe { neighbours(after) }.before = Some(object);
        }
    }

    /// Takes an object off the list. After the return no reader of the registry accesses it.
    ///
    /// # Safety
    ///
    /// `object` was entered here and not taken off.
    pub(super) unsafe fn remove(&self, object: NonNull<Core<K>>) {
        let mut first = self.0.lock();
        // SAFETY: the object is in the list, as the caller promises, and the lock is held.
        let &mut Neighbours { before, after } = unsafe { neighbours(object) };
        match before {
            // SAFETY: what is in the list exists, and the lock is held.
            Some(before) => unsafe { neighbours(before) }.after = after,
            None => first.0 = after,
        }
        if let Some(after) = after {
            // SAFETY: as above.
            unsafe { neighbours(after) }.before = before;
        }
    }

    /// The first object of kind `B` that is not being closed, or the next behind `after`. It is held, so that
    /// nothing is done with it under the registry's lock. Up to DISPATCH_LEVEL.
    pub(crate) fn next<B: ObjectType<K>>(&self, after: Option<&ObjectRef<K, B>>) -> Option<ObjectRef<K, B>> {
        let first = self.0.lock();
        let start = match after {
            // SAFETY: a held object exists, so it is in the list; the lock is held.
            Some(after) => unsafe { neighbours(NonNull::from(&after.core)) }.after,
            None => first.0,
        };
        // SAFETY: what is in the list exists while the lock is held.
        let objects = core::iter::successors(start, |object| unsafe { neighbours(*object) }.after);
        // SAFETY: as above.
        let mut of_kind = objects.filter(|core| unsafe { core.as_ref() }.kind == B::TYPE);
        // SAFETY: as above; the kind says what the whole object is.
        of_kind
            .find_map(|core| unsafe { core.cast::<Object<K, B>>().as_ref() }.try_acquire(Kind::Request).ok())
    }

    /// Calls `each` for every object of kind `B` that is not being closed, with no lock held. Up to
    /// DISPATCH_LEVEL.
    pub(crate) fn for_each<B: ObjectType<K>>(&self, mut each: impl FnMut(&Object<K, B>)) {
        let mut next = self.next::<B>(None);
        while let Some(object) = next {
            each(&object);
            next = self.next(Some(&object));
        }
    }

    /// Traces which closes are pending and what holds each of them. PASSIVE_LEVEL.
    pub(crate) fn trace_pending(&self) {
        let mut pending = [core::ptr::null(); TRACED];
        let first = self.0.lock();
        // SAFETY: what is in the list exists while the lock is held.
        let closing = walk(&first).filter(|core| unsafe { core.as_ref() }.lifetime.holds().closing);
        let mut count = 0_usize;
        for (place, core) in pending.iter_mut().zip(closing) {
            *place = core.as_ptr().cast_const().cast::<c_void>();
            count = count.saturating_add(1);
        }
        drop(first);
        // Outside the lock: a debugger's output takes its time.
        for handle in pending.into_iter().take(count) {
            self.trace(handle);
        }
    }

    fn trace(&self, handle: *const c_void) {
        let mut reasons = [Reason::CloseCall; TRACED];
        let mut count = 0_usize;
        let explained = self.explain(handle, |reason| {
            if let Some(place) = reasons.get_mut(count) {
                *place = reason;
            }
            count = count.saturating_add(1);
        });
        if explained.is_err() {
            return;
        }
        K::trace(format_args!("the close of the object at {handle:p} is pending, held by"));
        let object = Handle(handle.addr());
        let holders = Count(u32::try_from(count).unwrap_or(u32::MAX));
        event::write::<K>(|| Event::CloseBlocked { object, holders });
        for reason in reasons.into_iter().take(count) {
            K::trace(format_args!("  {reason}"));
            event::write::<K>(|| reason.of(object));
        }
        if count > TRACED {
            K::trace(format_args!("  {} more", count.saturating_sub(TRACED)));
        }
    }

    /// Writes an event for each object that exists. Up to DISPATCH_LEVEL. The registry's lock is held meanwhile, as what a
    /// session sees is to be the state of one moment; that asks for it seldom.
    pub(crate) fn write_state(&self) {
        let first = self.0.lock();
        for core in walk(&first) {
            // SAFETY: what is in the list exists while the lock is held.
            let object = unsafe { core.as_ref() };
            let (kind, holds) = (object.kind, object.lifetime.holds());
            event::write::<K>(|| Event::ObjectState {
                kind,
                object: Handle(core.addr().get()),
                closing: Count(holds.closing.into()),
                successors: Count(holds.successors),
                requests: Count(holds.requests),
                callbacks: Count(holds.callbacks),
            });
        }
    }

    /// Calls `each` for every reason for which the close of the object at `handle` would be pending now; no
    /// call means that the object can be freed. Up to DISPATCH_LEVEL.
    ///
    /// The handle may be stale. The list is walked under its lock, so this takes as long as the RNIC has
    /// objects: it is for reports and debuggers, not for a data path.
    ///
    /// # Errors
    ///
    /// [`UnknownHandle`].
    pub(crate) fn explain(
        &self,
        handle: *const c_void,
        mut each: impl FnMut(Reason),
    ) -> Result<(), UnknownHandle> {
        let first = self.0.lock();
        let object =
            walk(&first).find(|core| core.as_ptr().cast_const().cast() == handle).ok_or(UnknownHandle)?;
        // SAFETY: what is in the list exists while the lock is held.
        let holds = unsafe { object.as_ref() }.lifetime.holds();
        if holds.close_call {
            each(Reason::CloseCall);
        }
        let mut named = 0_u32;
        for other in walk(&first) {
            let before = named;
            // SAFETY: as above.
            let antecedents = unsafe { other.as_ref() }.antecedents;
            // SAFETY: `antecedents` was made for the object's kind, and the object exists as above.
            unsafe { antecedents(other, &mut |id| named = named.saturating_add((id.0 == handle).into())) };
            if named != before {
                // SAFETY: as above.
                each(unsafe { other.as_ref() }.as_successor(other));
            }
        }
        let mut count = |count: u32, reason: fn(u32) -> Reason| {
            if count != 0 {
                each(reason(count));
            }
        };
        count(holds.successors.saturating_sub(named), Reason::Nameless);
        count(holds.requests, Reason::Requests);
        count(holds.callbacks, Reason::Callbacks);
        // SAFETY: as above.
        let on_network = unsafe { object.as_ref() }.on_network;
        // SAFETY: the function was made for the object's kind, and the object exists as above.
        if let Some(network) = unsafe { on_network(object) } {
            each(Reason::Network(network));
        }
        Ok(())
    }
}

/// Names the antecedents of an object of one kind.
pub(super) type Antecedents<K> = unsafe fn(NonNull<Core<K>>, &mut dyn FnMut(Id));

/// Tells what an object of one kind waits for from TCP.
pub(super) type Network<K> = unsafe fn(NonNull<Core<K>>) -> Option<OnNetwork>;

/// Identity of an antecedent, see [`ObjectType::antecedents`].
#[derive(Clone, Copy, Debug)]
pub struct Id(*const c_void);

impl Id {
    /// That of `object`.
    pub(crate) fn of<K: Kernel, B: ObjectType<K>>(object: &Object<K, B>) -> Self {
        Self(core::ptr::from_ref(object).cast())
    }
}

impl<K: Kernel> Core<K> {
    fn as_successor(&self, this: NonNull<Self>) -> Reason {
        let closing = self.lifetime.holds().closing;
        Reason::Successor { kind: self.kind, handle: this.as_ptr().addr(), closing }
    }
}

fn walk<K: Kernel>(first: &First<K>) -> impl Iterator<Item = NonNull<Core<K>>> {
    // SAFETY: `first` is borrowed from the lock's guard, and what is in the list exists.
    core::iter::successors(first.0, |object| unsafe { neighbours(*object) }.after)
}

/// # Safety
///
/// The object exists, and the caller holds the lock of its registry or is about to enter it, and keeps no
/// earlier result of this function.
unsafe fn neighbours<'a, K: Kernel>(object: NonNull<Core<K>>) -> &'a mut Neighbours<K> {
    // SAFETY: the object exists, as the caller promises.
    let place = unsafe { object.as_ref() }.place.0.get();
    // SAFETY: the lock makes the access exclusive, as the caller promises.
    unsafe { &mut *place }
}

/// Names the antecedents of an object of kind `B`. The target of [`Core::antecedents`].
///
/// # Safety
///
/// `core` is the head of an object of kind `B` that exists.
pub(super) unsafe fn antecedents<K: Kernel, B: ObjectType<K>>(
    core: NonNull<Core<K>>,
    name: &mut dyn FnMut(Id),
) {
    // SAFETY: as the caller promises.
    unsafe { core.cast::<Object<K, B>>().as_ref() }.body.antecedents(name);
}

/// Tells what an object of kind `B` waits for from TCP. The target of [`Core::on_network`].
///
/// # Safety
///
/// `core` is the head of an object of kind `B` that exists.
pub(super) unsafe fn on_network<K: Kernel, B: ObjectType<K>>(core: NonNull<Core<K>>) -> Option<OnNetwork> {
    // SAFETY: as the caller promises.
    unsafe { core.cast::<Object<K, B>>().as_ref() }.body.on_network()
}

impl Reason {
    /// The event of a reason that holds `object`.
    fn of(self, object: Handle) -> Event {
        let none = NDK_OBJECT_TYPE::NdkObjectTypeUndefined;
        let (holder, kind, handle, count) = match self {
            Self::CloseCall => (HolderKind::CloseCall, none, 0, 1),
            Self::Successor { kind, handle, .. } => (HolderKind::Successor, kind, handle, 1),
            Self::Nameless(count) => (HolderKind::Nameless, none, 0, count),
            Self::Requests(count) => (HolderKind::Requests, none, 0, count),
            Self::Callbacks(count) => (HolderKind::Callbacks, none, 0, count),
            Self::Network(OnNetwork { sends, .. }) => (HolderKind::Network, none, 0, sends),
        };
        Event::CloseHeld { object, holder, kind, handle: Handle(handle), count: Count(count) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CloseCall => f.write_str("its close call, which has not returned"),
            Self::Successor { kind, handle, closing } => {
                let state = if closing { "closing" } else { "open" };
                write!(f, "{} {handle:#x} ({state})", object_type_name(kind))
            }
            Self::Nameless(count) => write!(f, "{count} successors without a handle"),
            Self::Requests(count) => write!(f, "{count} requests in progress"),
            Self::Callbacks(count) => write!(f, "{count} callbacks in progress"),
            Self::Network(OnNetwork { sends, closing }) => {
                let asked = if closing { ", its close issued" } else { "" };
                write!(f, "TCP, which has {sends} sends{asked}")
            }
        }
    }
}
