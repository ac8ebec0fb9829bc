//! Pending DPC and timer calls of the test kernels, which differ in the queue of a call and in the thread
//! that makes it.

#![expect(unsafe_code, reason = "calls that wait are known by their address")]

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::time::Duration;
use std::ffi::c_void;
use std::sync::Mutex;

use softndk_kernel::{Dpc, Routine, Timer};
use sys::wdm::GROUP_AFFINITY;

/// DPC and timer queues of a test kernel.
pub(crate) trait Queues: Sized + 'static {
    /// Queues a DPC, to be run once by a thread of this kernel.
    fn push(call: Call<Self>);

    /// Returns true if there is one processor only, on which a DPC would run inside its queueing.
    fn is_single() -> bool {
        false
    }

    /// Starts a timer, whose routine is called once `after` has passed.
    fn set(call: Call<Self>, after: Duration);

    /// Cancels a timer's call. Returns true if it was still pending.
    fn take_back(call: &Call<Self>) -> bool;
}

/// A pending call.
pub(crate) struct Call<P>(NonNull<Waiting<P>>);

// SAFETY: a call may be made on any processor, and its object is used under its lock.
unsafe impl<P> Send for Call<P> {}

impl<P> PartialEq for Call<P> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<P> Call<P> {
    /// Makes the call.
    pub(crate) fn make(self) {
        // SAFETY: it waits, so its object stays until the routine begins.
        let (routine, context) = unsafe { self.0.as_ref() }.begin();
        // SAFETY: this is the one call that the queueing or setting stands for.
        unsafe { routine(context) };
    }
}

struct State {
    /// The routine and its context, once initialised.
    call: Option<(Routine, usize)>,
    waits: bool,
}

/// A DPC or a timer of a kernel whose queues are `P`.
pub struct Waiting<P>(Mutex<State>, PhantomData<fn() -> P>);

impl<P> Waiting<P> {
    const fn idle() -> Self {
        Self(Mutex::new(State { call: None, waits: false }), PhantomData)
    }

    fn ready(&self, routine: Routine, context: *mut c_void) {
        self.0.lock().unwrap().call = Some((routine, context.expose_provenance()));
    }

    /// Marks the call as pending.
    fn enter(&self, twice: &str) {
        let waited = core::mem::replace(&mut self.0.lock().unwrap().waits, true);
        assert!(!waited, "{twice}");
    }

    /// Marks the call as begun. Returns its routine and context.
    fn begin(&self) -> (Routine, *mut c_void) {
        let mut state = self.0.lock().unwrap();
        state.waits = false;
        let (routine, context) = state.call.expect("initialised");
        (routine, core::ptr::with_exposed_provenance_mut(context))
    }
}

// SAFETY: each queueing leads to one call, which does not touch the object once its routine has begun.
unsafe impl<P: Queues> Dpc for Waiting<P> {
    fn new() -> Self {
        Self::idle()
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        unsafe { this.as_ref() }.ready(routine, context);
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the caller passes a live object.
        unsafe { this.as_ref() }.enter("a DPC is queued twice");
        P::push(Call(this));
    }

    unsafe fn queue_apart(this: NonNull<Self>, _: Option<GROUP_AFFINITY>) -> bool {
        if P::is_single() {
            return false;
        }
        // SAFETY: as the caller promises.
        unsafe { Self::queue(this) };
        true
    }
}

// SAFETY: each setting leads to one call, unless it is taken back before that is made.
unsafe impl<P: Queues> Timer for Waiting<P> {
    fn new() -> Self {
        Self::idle()
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        unsafe { this.as_ref() }.ready(routine, context);
    }

    unsafe fn set(this: NonNull<Self>, after: Duration) {
        // SAFETY: the caller passes a live object.
        unsafe { this.as_ref() }.enter("a timer is set twice");
        P::set(Call(this), after);
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        // SAFETY: the caller passes a live object.
        let timer = unsafe { this.as_ref() };
        let waits = timer.0.lock().unwrap().waits;
        let taken = waits && P::take_back(&Call(this));
        if taken {
            timer.0.lock().unwrap().waits = false;
        }
        taken
    }

    /// Time is what the test says it is.
    fn lateness() -> Duration {
        Duration::ZERO
    }
}
