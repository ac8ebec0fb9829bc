//! Points at which a test may preempt the provider as another processor would: just before a lock is taken, before
//! a DPC starts, and inside a callback. Also keeps count of the locks that this thread holds.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A point of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
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
    static WATCHED: Cell<Option<*const ManualLock>> = const { Cell::new(None) };
    static UNDER: Cell<usize> = const { Cell::new(0) };
    static IS_UNDER: Cell<bool> = const { Cell::new(false) };
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Has `hook` called at every point that this thread reaches from now on, or at none.
pub fn at_each(hook: Option<Hook>) {
    let earlier = HOOK.replace(hook);
    drop(earlier);
}

/// Sets whether accesses to atomics are preemption points from now on.
pub fn at_atomics(at_atomics: bool) {
    AT_ATOMICS.set(at_atomics);
}

/// Reaches a point that an atomic is.
pub(crate) fn atomic(point: Point) {
    if AT_ATOMICS.get() {
        reach(point);
    }
}

/// The number of locks that this thread holds.
#[must_use]
pub fn held() -> usize {
    HELD.get()
}

/// The number of locks that this thread took while it held another one, since the last call.
pub fn nested() -> usize {
    NESTED.take()
}

/// Tells the test that this thread has come to a point.
pub fn reach(point: Point) {
    if HELD.get() != 0 {
        return;
    }
    let hook = HOOK.with_borrow(Clone::clone);
    if let Some(hook) = hook {
        hook(point);
    }
}

/// Returns true if a hook is called at each point.
fn is_hooked() -> bool {
    HOOK.with_borrow(Option::is_some)
}

/// Does `work`. Returns the number of locks that this thread took meanwhile while it held `outer`.
pub fn taken_under(outer: *const ManualLock, work: impl FnOnce()) -> usize {
    WATCHED.set(Some(outer));
    work();
    WATCHED.set(None);
    UNDER.take()
}

/// A lock that is a point, and is counted while it is held.
pub struct ManualLock(parking_lot::RawMutex);

impl ManualLock {
    /// Counts the lock as taken.
    fn enter(&self) {
        if HELD.get() != 0 {
            NESTED.set(NESTED.get() + 1);
        }
        HELD.set(HELD.get() + 1);
        if IS_UNDER.get() {
            UNDER.set(UNDER.get() + 1);
        }
        if WATCHED.get().is_some_and(|outer| std::ptr::eq(outer, self)) {
            IS_UNDER.set(true);
        }
    }

    /// Counts the lock as released.
    fn leave(&self) {
        HELD.set(HELD.get() - 1);
        if WATCHED.get().is_some_and(|outer| std::ptr::eq(outer, self)) {
            IS_UNDER.set(false);
        }
    }
}

// SAFETY: the lock below excludes; what is done before and after it changes thread-local counts alone.
unsafe impl lock_api::RawMutex for ManualLock {
    #[allow(clippy::declare_interior_mutable_const, reason = "the trait has it so")]
    const INIT: Self = Self(<parking_lot::RawMutex as lock_api::RawMutex>::INIT);

    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        reach(Point::Lock);
        if !self.0.try_lock() {
            assert!(!is_hooked(), "a lock is taken that is held: no processor is preempted that holds one");
            self.0.lock();
        }
        self.enter();
    }

    fn try_lock(&self) -> bool {
        let locked = self.0.try_lock();
        if locked {
            self.enter();
        }
        locked
    }

    unsafe fn unlock(&self) {
        self.leave();
        // SAFETY: the caller holds the lock.
        unsafe { self.0.unlock() }
    }
}
