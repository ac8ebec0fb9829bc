//! What the provider needs of a kernel.

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;
use core::time::Duration;

use sys::wdm::MDL;

/// The kernel below the provider.
///
/// # Safety
///
/// What the implementation promises, the provider's unsafe code leans on:
/// - [`Kernel::Lock`] excludes other processors and deferred calls of its own processor, at any level up
///   to DISPATCH_LEVEL.
/// - [`Deferred`] and [`Event`] keep the promises in their own documentation.
/// - [`Kernel::system_address`] is null or the address of the whole range of the list.
pub unsafe trait Kernel: Sized + Send + Sync + 'static {
    /// A spin lock: it raises to DISPATCH_LEVEL and is held for a few instructions only.
    type Lock: lock_api::RawMutex + Send + Sync;

    /// A deferred call that lives inside the object it is for.
    type Deferred: Deferred;

    /// What the closing of an adapter waits on.
    type Event: Event;

    /// The address at which the provider may touch the memory of one list (not of its chain), or null if
    /// it can't be mapped. Callable up to DISPATCH_LEVEL; the list's pages are locked.
    ///
    /// # Safety
    ///
    /// `mdl` points to a list whose pages are locked or that describes nonpaged pool.
    unsafe fn system_address(mdl: NonNull<MDL>) -> *mut u8;

    /// Tells whoever watches the machine, with a kernel debugger say, one line. Up to DISPATCH_LEVEL.
    fn trace(line: fmt::Arguments<'_>);
}

/// What a deferred call runs: at DISPATCH_LEVEL, with what [`Deferred::initialise`] was given.
pub type Routine = unsafe extern "win64" fn(context: *mut c_void);

/// A call to be made soon, at DISPATCH_LEVEL, outside the caller's own stack if the level permits it.
///
/// # Safety
///
/// Each [`Deferred::queue`] is followed by exactly one call of the routine, on any processor, possibly
/// before it returns; the implementation does not touch the object once the routine has begun.
pub unsafe trait Deferred: Send + Sync {
    /// An object that is not initialised yet; [`Deferred::initialise`] follows once it has its place.
    fn new() -> Self;

    /// Makes the object ready, in the place where it stays.
    ///
    /// # Safety
    ///
    /// `this` does not move afterwards, and was not initialised before.
    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void);

    /// Queues the call.
    ///
    /// # Safety
    ///
    /// `this` is initialised, is not queued, and outlives the beginning of its routine.
    unsafe fn queue(this: NonNull<Self>);
}

/// Something that one thread waits for and another signals once.
pub trait Event: Send + Sync {
    /// An event that is not signalled.
    fn new() -> Self;

    /// Makes the event usable in the place where it stays.
    fn initialise(&self);

    /// Lets the waiter go on. Up to DISPATCH_LEVEL. The event may be gone when this returns.
    fn signal(&self);

    /// Waits until the event is signalled. PASSIVE_LEVEL, outside any callback.
    fn wait(&self);

    /// As [`Event::wait`], but not longer than `limit`; whether the event is signalled.
    fn wait_for(&self, limit: Duration) -> bool;
}

/// A lock that owns its data.
pub(crate) type Lock<K, T> = lock_api::Mutex<<K as Kernel>::Lock, T>;
