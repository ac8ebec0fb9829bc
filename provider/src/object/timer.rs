//! The timer of an object: its DPC, made after a time.
//!
//! A timer that is set owns a callback reference, which its end gets: the routine, or the one cancel that comes
//! before. Closing cancels it, so no close waits for a time to pass:
//!
//! | the timer is set | the close | |
//! |---|---|---|
//! | before CLOSING, in the kernel too | cancels it | and releases its hold |
//! | before CLOSING, but not yet in the kernel | finds nothing to cancel | the setter looks at CLOSING after it has set the timer, and cancels |
//! | after CLOSING | | is refused the hold |
//! | and its routine is on its way | finds nothing to cancel | the hold counts like that of any DPC |

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::ffi::c_void;
use core::ptr::NonNull;
use core::time::Duration;

use super::{Object, ObjectRef, ObjectType, dpc};
use crate::kernel::{Kernel, Timer as _};
use crate::lifetime::Kind;
use crate::sync::{AtomicBool, Ordering};

/// The timer of an object, which calls it after a time.
pub struct ObjectTimer<K: Kernel> {
    kernel_timer: K::Timer,
    /// From the decision to set the timer until it has been delivered, or was cancelled.
    set: AtomicBool,
}

impl<K: Kernel> ObjectTimer<K> {
    /// Not set.
    pub(crate) fn new() -> Self {
        Self { kernel_timer: K::Timer::new(), set: AtomicBool::new(false) }
    }
}

/// Makes the timer of an object ready, if it has one. The object was just created and has its place.
pub(super) fn initialise<K: Kernel, B: ObjectType<K>>(object: NonNull<Object<K, B>>) {
    // SAFETY: the object is alive and not published yet.
    if let Some(timer) = unsafe { object.as_ref() }.body.timer() {
        // SAFETY: an object never moves, and this is the only initialisation.
        unsafe {
            K::Timer::initialise(NonNull::from(&timer.kernel_timer), on_timer::<K, B>, object.as_ptr().cast())
        }
    }
}

/// Called by the kernel's timer.
unsafe extern "efiapi" fn on_timer<K: Kernel, B: ObjectType<K>>(context: *mut c_void) {
    let Some(object) = NonNull::new(context.cast::<Object<K, B>>()) else { return };
    // SAFETY: `set_timer` took the hold and leaked it, and this call ends the timer.
    let hold = unsafe { ObjectRef::reclaim(object, Kind::Callback) };
    hold.post(dpc::TIMER);
}

impl<K: Kernel, B: ObjectType<K>> Object<K, B> {
    /// Has [`ObjectType::deliver`] called with [`dpc::TIMER`] once `after` has passed. If the timer is set
    /// already, or its delivery has not begun, that one is it, earlier though it may be. Nothing happens once
    /// the object is being closed.
    ///
    /// Up to DISPATCH_LEVEL. The caller owns a hold: the timer may be delivered before this returns, and
    /// the consumer close the object in answer to that.
    pub(crate) fn set_timer(&self, after: Duration) {
        let Some(timer) = self.body.timer() else { return };
        if timer.set.swap(true, Ordering::AcqRel) {
            return;
        }
        let Ok(reference) = self.try_acquire(Kind::Callback) else {
            timer.set.store(false, Ordering::Release);
            return;
        };
        reference.leak();
        // SAFETY: `create` initialised it; `set` was false, so its last call has been delivered, or cancelled;
        // the hold keeps the object until the routine has begun.
        unsafe { K::Timer::set(NonNull::from(&timer.kernel_timer), after) };
        if self.holds().closing {
            self.cancel_timer();
        }
    }

    /// Cancels the timer, unless its delivery is on its way. Up to DISPATCH_LEVEL; the caller owns a hold, or
    /// is closing the object.
    pub(crate) fn cancel_timer(&self) {
        let Some(timer) = self.body.timer() else { return };
        // SAFETY: `create` initialised it.
        if unsafe { K::Timer::cancel(NonNull::from(&timer.kernel_timer)) } {
            timer.set.swap(false, Ordering::AcqRel);
            // SAFETY: `set_timer` took the hold and leaked it, and this cancel is what ends the timer.
            drop(unsafe { ObjectRef::<K, B>::reclaim(NonNull::from(self), Kind::Callback) });
        }
    }
}

/// Notes that the timer is about to be delivered: it may be set again, and this delivery serves a caller that
/// found it set before.
pub(super) fn expired<K: Kernel, B: ObjectType<K>>(body: &B) {
    if let Some(timer) = body.timer() {
        timer.set.swap(false, Ordering::AcqRel);
    }
}
