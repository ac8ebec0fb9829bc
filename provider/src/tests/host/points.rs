//! Points at which a test may preempt the provider as another processor would: just before a lock is taken, before
//! a DPC starts, and inside a callback. Also keeps count of the locks that this thread holds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Where the provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// About to take a lock, with none held.
    Lock,
    /// About to start a DPC.
    Dpc,
    /// In a callback of the consumer's.
    Callback,
    /// About to access an atomic or to set a timer, with no lock held. Only on demand.
    Atomic,
}

type Hook = Rc<dyn Fn(Point)>;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static NESTED: Cell<usize> = const { Cell::new(0) };
    static AT_ATOMICS: Cell<bool> = const { Cell::new(false) };
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Has `hook` called at every point that this thread reaches from now on, or at none.
pub(crate) fn at_each(hook: Option<Hook>) {
    let earlier = HOOK.replace(hook);
    drop(earlier);
}

/// Sets whether accesses to atomics are preemption points from now on.
pub(crate) fn at_atomics(at_atomics: bool) {
    AT_ATOMICS.set(at_atomics);
}

/// Reaches a point that an atomic is.
pub(super) fn atomic(point: Point) {
    if AT_ATOMICS.get() {
        reach(point);
    }
}

/// The number of locks that this thread holds.
pub(crate) fn held() -> usize {
    HELD.get()
}

/// The number of locks that this thread took while it held another one, since the last call.
pub(crate) fn nested() -> usize {
    NESTED.take()
}

/// Tells the test that this thread has come to a point.
pub(crate) fn reach(point: Point) {
    if HELD.get() != 0 {
        return;
    }
    let hook = HOOK.with_borrow(Clone::clone);
    if let Some(hook) = hook {
        hook(point);
    }
}

/// A lock that is a point, and is counted while it is held.
pub(crate) struct HostLock(parking_lot::RawMutex);

// SAFETY: the lock below excludes; what is done before and after it changes thread-local counts alone.
unsafe impl lock_api::RawMutex for HostLock {
    const INIT: Self = Self(<parking_lot::RawMutex as lock_api::RawMutex>::INIT);

    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        reach(Point::Lock);
        if HELD.get() != 0 {
            NESTED.set(NESTED.get() + 1);
        }
        self.0.lock();
        HELD.set(HELD.get() + 1);
    }

    fn try_lock(&self) -> bool {
        let locked = self.0.try_lock();
        HELD.set(HELD.get() + usize::from(locked));
        locked
    }

    unsafe fn unlock(&self) {
        HELD.set(HELD.get() - 1);
        // SAFETY: the caller holds the lock.
        unsafe { self.0.unlock() }
    }
}
