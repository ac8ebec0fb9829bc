//! Dispatcher objects, which threads wait for, and waits.
//!
//! An object's state is in its own header, in the driver's memory; its waiters are kept here. One lock
//! guards both, as in the kernels before Windows 7: a wait for all of several objects is then atomic.

use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Thread};
use parking_lot::{Mutex, MutexGuard};
use sys::wdm::{DISPATCHER_HEADER, KMUTANT};

/// Kinds of dispatcher objects, as `KOBJECTS` in the public symbol files numbers them.
pub(crate) mod kind {
    pub(in crate::ke) const NOTIFICATION_EVENT: u8 = 0;
    pub(crate) const SYNCHRONIZATION_EVENT: u8 = 1;
    pub(in crate::ke) const MUTANT: u8 = 2;
    pub(in crate::ke) const SEMAPHORE: u8 = 5;
    pub(in crate::ke) const THREAD: u8 = 6;
    pub(in crate::ke) const NOTIFICATION_TIMER: u8 = 8;
    pub(in crate::ke) const SYNCHRONIZATION_TIMER: u8 = 9;
}

/// A wait that has not been satisfied.
struct Wait {
    thread: &'static Thread,
    objects: Vec<Object>,
    all: bool,
    /// The index of the object that satisfied it; [`WAITING`] before.
    outcome: AtomicI32,
}

const WAITING: i32 = -1;

/// A dispatcher object that a thread waits for or signals, used under the lock only.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Object(*mut DISPATCHER_HEADER);

// SAFETY: the pointer is only followed under the dispatcher's lock, by a thread whose driver vouches that
// the object exists.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

/// The waits on one machine, by object.
#[derive(Default)]
struct Dispatcher {
    waits: Mutex<HashMap<Object, Vec<Arc<Wait>>>>,
}

static DISPATCHER: PerMachine<Dispatcher> = PerMachine::new();

/// The lock, held.
pub struct Locked(MutexGuard<'static, HashMap<Object, Vec<Arc<Wait>>>>);

/// Takes the lock that guards the state of every dispatcher object.
#[inline]
pub fn lock() -> Locked {
    Locked(DISPATCHER.get().waits.lock())
}

impl Object {
    /// Returns whether a wait of `thread` would be satisfied.
    fn is_signaled_for(self, thread: &Thread) -> bool {
        // SAFETY: the object exists (see `Object`), and the lock is held.
        let header = unsafe { &*self.0 };
        header.SignalState > 0 || header.Type == kind::MUTANT && self.mutant_owner() == ptr::from_ref(thread)
    }

    fn mutant_owner(self) -> *const Thread {
        // SAFETY: the header's type says that it is the beginning of a mutant; the lock is held.
        unsafe { (*self.0.cast::<KMUTANT>()).OwnerThread.cast() }
    }

    /// Changes the object's state for a wait of `thread` that it satisfies.
    fn consume(self, thread: &Thread) {
        // SAFETY: the object exists (see `Object`), and the lock is held.
        let header = unsafe { &mut *self.0 };
        match header.Type {
            kind::SYNCHRONIZATION_EVENT | kind::SYNCHRONIZATION_TIMER => header.SignalState = 0,
            kind::SEMAPHORE => header.SignalState -= 1,
            kind::MUTANT => {
                header.SignalState -= 1;
                let mutant = self.0.cast::<KMUTANT>();
                // SAFETY: the header's type says that it is the beginning of a mutant; the lock is held.
                unsafe { (*mutant).OwnerThread = ptr::from_ref(thread).cast_mut().cast() };
            }
            _ => {}
        }
    }
}

impl Wait {
    /// Satisfies the wait if its objects allow that now.
    fn try_satisfy(&self) -> bool {
        let signaled = |object: &&Object| object.is_signaled_for(self.thread);
        if self.all {
            if !self.objects.iter().all(|object| signaled(&object)) {
                return false;
            }
            self.objects.iter().for_each(|object| object.consume(self.thread));
            self.outcome.store(0, Ordering::Release);
            return true;
        }
        let Some(first) = self.objects.iter().position(|object| signaled(&object)) else { return false };
        self.objects[first].consume(self.thread);
        self.outcome.store(first as i32, Ordering::Release);
        true
    }
}

impl Locked {
    /// Lets waits go on that an object's new state allows. Call it after raising the state.
    ///
    /// # Safety
    /// `object` is a dispatcher object.
    pub(crate) unsafe fn signaled(&mut self, object: *mut DISPATCHER_HEADER) {
        if self.0.is_empty() {
            return;
        }
        let satisfied: Vec<_> = match self.0.get(&Object(object)) {
            Some(waits) => waits.iter().filter(|wait| wait.try_satisfy()).cloned().collect(),
            None => return,
        };
        for wait in satisfied {
            self.remove(&wait);
            sched::wake(wait.thread);
        }
    }

    fn remove(&mut self, wait: &Arc<Wait>) {
        for object in &wait.objects {
            if let Some(waits) = self.0.get_mut(object) {
                waits.retain(|other| !Arc::ptr_eq(other, wait));
                if waits.is_empty() {
                    self.0.remove(object);
                }
            }
        }
    }

    /// Returns whether a thread waits for an object.
    pub(super) fn is_awaited(&self, object: *mut DISPATCHER_HEADER) -> bool {
        self.0.contains_key(&Object(object))
    }

    /// The addresses of the objects that threads wait for.
    pub fn awaited(&self) -> impl Iterator<Item = Va> {
        self.0.keys().map(|object| Va::of(object.0))
    }
}

/// Waits until one of the objects is signaled, or all are, or `limit` (units of 100 ns) is over; the
/// number of the object, 0 for all, or `None` if time was over.
///
/// # Safety
/// The objects are dispatcher objects and stay so until this returns.
pub(crate) unsafe fn wait(
    objects: &[*mut DISPATCHER_HEADER],
    all: bool,
    limit: Option<u64>,
) -> Option<usize> {
    let thread = sched::current().expect("a driver runs on a thread of the machine");
    let deadline = limit.map(|limit| sched::now() + limit);
    let objects = objects.iter().map(|object| Object(*object)).collect();
    let wait = Arc::new(Wait { thread, objects, all, outcome: AtomicI32::new(WAITING) });
    let mut locked = lock();
    if !wait.try_satisfy() {
        if limit == Some(0) {
            return None;
        }
        for object in &wait.objects {
            locked.0.entry(*object).or_default().push(Arc::clone(&wait));
        }
        drop(locked);
        while wait.outcome.load(Ordering::Acquire) == WAITING {
            let left = deadline.map(|deadline| deadline.saturating_sub(sched::now()));
            sched::block(left.map(sched::duration));
            if left == Some(0) {
                // Time is over, unless the wait is satisfied before the lock is had.
                let mut locked = lock();
                if wait.outcome.load(Ordering::Acquire) == WAITING {
                    locked.remove(&wait);
                    return None;
                }
            }
        }
    }
    usize::try_from(wait.outcome.load(Ordering::Acquire)).ok()
}
