//! The services: locks, DPCs, timers, events to wait for, mappings, events for trace sessions.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;
use core::time::Duration;

use sys::irql::PassiveLevel;
use sys::wdm::{GROUP_AFFINITY, MDL};

use crate::event;
use crate::network::Network;

/// The kernel below the provider.
///
/// # Safety
///
/// The provider's unsafe code relies on these promises of the implementation:
/// - [`Kernel::Lock`] excludes other processors and DPCs of its own processor, at any level up
///   to DISPATCH_LEVEL.
/// - [`Dpc`], [`Timer`] and [`Event`] keep the promises in their own documentation.
/// - [`Mapping`] keeps the promises in its own documentation.
pub unsafe trait Kernel: Sized + Send + Sync + 'static {
    /// A spin lock: it raises to DISPATCH_LEVEL and is held for a few instructions only.
    type Lock: lock_api::RawMutex + Send + Sync;

    /// A DPC that lives inside the object it is for.
    type Dpc: Dpc;

    /// A call to be made after a time, likewise.
    type Timer: Timer;

    /// The event that the close of an adapter waits for.
    type Event: Event;

    /// A mapping of memory that a consumer describes.
    type Mapping: Mapping;

    /// The network for connections to other machines: [`NoNetwork`](crate::NoNetwork) if there is none.
    type Network: Network;

    /// Maps the first `length` bytes that a chain describes, as one range, whatever the chain is cut into. The
    /// lists are left as they are, and are the consumer's again when this returns. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`Unmapped`], and nothing is left.
    ///
    /// # Safety
    ///
    /// `mdl` heads a chain of lists that stay as they are during the call; their virtual addresses are contiguous
    /// for `length` bytes, at least one. Each list describes locked pages or nonpaged pool, and the pages stay so
    /// until the mapping is dropped.
    unsafe fn map(mdl: NonNull<MDL>, length: usize) -> Result<Self::Mapping, Unmapped>;

    /// Writes one line to the debug output, as DbgPrintEx does. Up to DISPATCH_LEVEL.
    fn trace(line: fmt::Arguments<'_>);

    /// Returns true if a trace session listens to the provider of events. Any level.
    #[inline(always)]
    fn is_traced() -> bool {
        false
    }

    /// Writes an event to the trace sessions that take it: see [`event::write`]. Up to DISPATCH_LEVEL, also with a lock
    /// held.
    fn write_event(event: &event::Event) {
        let _ = event;
    }

    /// The time since boot in units of 100 ns, for events; 0 if it is not known. Up to DISPATCH_LEVEL.
    fn event_time() -> u64 {
        0
    }
}

/// Memory that the provider has mapped for itself. Dropping it undoes the mapping: up to DISPATCH_LEVEL, by any
/// thread, with no lock held.
///
/// # Safety
///
/// As many bytes as were mapped can be read and written from [`Mapping::start`] on until the mapping is dropped, and
/// the first lies where in its page it lies in the chain.
pub unsafe trait Mapping: Send + Sync {
    /// The address of the first byte.
    fn start(&self) -> NonNull<u8>;
}

/// Errors of mapping memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmapped {
    /// Two lists of the chain meet inside a page, and name different pages there (WR-8).
    Scattered,
    /// The kernel has no memory or addresses left.
    Resources,
}

/// Routine of a DPC or a timer: runs at DISPATCH_LEVEL, with the context that its initialisation was given.
pub type Routine = unsafe extern "efiapi" fn(context: *mut c_void);

/// A call to be made soon, at DISPATCH_LEVEL, outside the caller's own stack if the level permits it.
///
/// # Safety
///
/// Each [`Dpc::queue`], and each [`Dpc::queue_apart`] that returns true, is followed by exactly one call of the
/// routine, on any processor, possibly before it returns; the implementation does not touch the object once the
/// routine has begun.
pub unsafe trait Dpc: Send + Sync {
    /// An object that is not initialised yet; [`Dpc::initialise`] follows once it has its place.
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

    /// Queues the call so that it does not run before the function returns that the consumer is in, unless another
    /// processor gets to it first: see `route` in the provider's `processor`. `affinity`: the processors on which it
    /// is to run, if possible. Returns false if it was not queued, as there is no other processor. A kernel
    /// whose calls never run inside their queueing needs no more than [`Dpc::queue`].
    ///
    /// # Safety
    ///
    /// As for [`Dpc::queue`].
    unsafe fn queue_apart(this: NonNull<Self>, affinity: Option<GROUP_AFFINITY>) -> bool {
        let _ = affinity;
        // SAFETY: as the caller promises.
        unsafe { Self::queue(this) };
        true
    }
}

/// A call to be made once a time has passed, at DISPATCH_LEVEL, unless it is cancelled before.
///
/// # Safety
///
/// After each [`Timer::set`] exactly one of two things comes about: one call of the routine, on any processor,
/// possibly before it returns; or one [`Timer::cancel`] that answers true. The implementation does not touch
/// the object once either has. Sets and cancels of one object come one after the other, and what was done
/// before one of them is visible to those after it.
pub unsafe trait Timer: Send + Sync {
    /// An object that is not initialised yet; [`Timer::initialise`] follows once it has its place.
    fn new() -> Self;

    /// Makes the object ready, in the place where it stays.
    ///
    /// # Safety
    ///
    /// `this` does not move afterwards, and was not initialised before.
    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void);

    /// Has the routine called once `after` has passed, at most [`Timer::lateness`] later than that unless
    /// the processor has more pressing work. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// `this` is initialised and not set: it never was, the routine of its last set has begun, or that was
    /// cancelled. It outlives the beginning of its routine.
    unsafe fn set(this: NonNull<Self>, after: Duration);

    /// Cancels the last set. Returns true if this call prevented the routine from being called. Up to
    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// `this` is initialised.
    unsafe fn cancel(this: NonNull<Self>) -> bool;

    /// Longest delay of the routine past its due time: the time between two ticks of the clock.
    fn lateness() -> Duration;
}

/// Something that one thread waits for and another signals once.
///
/// It can be waited for at PASSIVE_LEVEL only, with that level's token:
///
/// ```
/// use softndk_kernel::Event;
/// use sys::irql::PassiveLevel;
/// fn wait(event: &impl Event, level: PassiveLevel) { event.wait(level) }
/// ```
///
/// ```compile_fail
/// use softndk_kernel::Event;
/// fn wait(event: &impl Event) { event.wait() }
/// ```
pub trait Event: Send + Sync {
    /// An event that is not signalled.
    fn new() -> Self;

    /// Makes the event usable in the place where it stays.
    fn initialise(&self);

    /// Signals the event. Up to DISPATCH_LEVEL. The event may be freed when this returns.
    fn signal(&self);

    /// Waits until the event is signalled. Outside any callback.
    fn wait(&self, level: PassiveLevel);

    /// Waits as [`Event::wait`] does, but not longer than `limit`. Returns true if the event is signalled.
    fn wait_for(&self, limit: Duration, level: PassiveLevel) -> bool;
}
