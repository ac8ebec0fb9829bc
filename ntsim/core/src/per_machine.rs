//! State that is kept per machine, and whether one is running.
//!
//! Each part of the simulator has its state in statics of its own:
//!
//! ```ignore
//! static ITEMS: PerMachine<Items> = PerMachine::new();
//!
//! ITEMS.get().live.lock().insert(address, item);
//! ```
//!
//! The value is made when it is first asked for, or set while the machine boots; the next machine has a new one. What
//! a part has to say of it when the machine is shut down, it says as a [`Subsystem`](crate::subsystem::Subsystem).

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use parking_lot::Mutex;

/// State of one part of the simulator, a new value for each machine.
///
/// A value is never freed: a thread of a driver may outlive its machine, and what an emulated function works
/// on must not need a reference count. Its content is released at shutdown where it is large.
pub struct PerMachine<T>(AtomicPtr<T>);

impl<T: Default + Send + Sync + 'static> PerMachine<T> {
    /// No value yet.
    #[expect(clippy::new_without_default, reason = "only a static is of use, which needs a constant")]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// The value of the running machine: one atomic load, once it is made.
    ///
    /// # Panics
    /// If no machine is running.
    #[inline]
    pub fn get(&'static self) -> &'static T {
        self.made().unwrap_or_else(|| self.make(T::default))
    }

    /// The value of the running machine, if there is one.
    #[inline]
    pub fn made(&'static self) -> Option<&'static T> {
        let value = self.0.load(Ordering::Acquire);
        // SAFETY: the pointer is null or that of a value that was leaked.
        unsafe { value.as_ref() }
    }

    /// Sets the value while the machine boots, in place of the default one.
    ///
    /// # Panics
    /// If no machine is running, or the value was made already.
    pub fn set(&'static self, value: T) -> &'static T {
        assert!(self.made().is_none(), "a value is set before it is used");
        self.make(|| value)
    }

    #[cold]
    fn make(&'static self, value: impl FnOnce() -> T) -> &'static T {
        let mut slots = SLOTS.lock();
        if let Some(made) = self.made() {
            return made;
        }
        assert!(is_running(), "a machine is running");
        let value: &'static T = Box::leak(Box::new(value()));
        self.0.store(core::ptr::from_ref(value).cast_mut(), Ordering::Release);
        slots.push(self);
        value
    }
}

/// A static with a value that ends with its machine.
trait Slot: Sync {
    fn clear(&self);
}

impl<T> Slot for PerMachine<T>
where
    Self: Sync,
{
    fn clear(&self) {
        self.0.store(core::ptr::null_mut(), Ordering::Release);
    }
}

/// The statics that have a value of the running machine. Of the process, as they are.
static SLOTS: Mutex<Vec<&'static dyn Slot>> = Mutex::new(Vec::new());

/// Of the process: what a value of a machine depends on.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Returns whether a machine is running.
#[inline]
pub fn is_running() -> bool {
    RUNNING.load(Ordering::Acquire)
}

/// Begins a machine; the caller sees to it that there is one at a time.
pub(crate) fn begin() {
    RUNNING.store(true, Ordering::Release);
}

/// Ends the machine: no part has a value any more.
pub(crate) fn end() {
    RUNNING.store(false, Ordering::Release);
    SLOTS.lock().drain(..).for_each(Slot::clear);
}

/// Set while a machine is being shut down; those of its threads that serve it end then.
#[derive(Default)]
pub struct Stopping(AtomicBool);

impl Stopping {
    /// Of the running machine. A thread that serves it keeps this, so that it is not taken for one of the next machine.
    pub fn current() -> &'static Self {
        STOPPING.get()
    }

    /// Returns whether it is.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

static STOPPING: PerMachine<Stopping> = PerMachine::new();
