//! The alarm of an object: its deferred call, made after a time.
//!
//! An alarm that is set owns a callback hold. Who ends the alarm gets the hold: its routine, or the one cancel
//! that comes before. Closing cancels it, so no close waits for a time to pass:
//!
//! | the alarm is set | the close | |
//! |---|---|---|
//! | before CLOSING, in the timer too | cancels it | and releases its hold |
//! | before CLOSING, but not yet in the timer | finds nothing to cancel | the setter, who looks after it has set the timer, cancels |
//! | after CLOSING | | is refused the hold |
//! | and its routine is on its way | finds nothing to cancel | the hold counts like that of any deferred call |

use core::ffi::c_void;
use core::ptr::NonNull;
use core::time::Duration;

use super::{Object, ObjectRef, ObjectType, deferred};
use crate::kernel::{Kernel, Timer as _};
use crate::lifetime::Kind;
use crate::sync::{AtomicBool, Ordering};

/// What an object needs to be called after a time.
pub struct Alarm<K: Kernel> {
    timer: K::Timer,
    /// From the decision to set the timer until it has been delivered, or was cancelled.
    set: AtomicBool,
}

impl<K: Kernel> Alarm<K> {
    /// Not set.
    pub(crate) fn new() -> Self {
        Self { timer: K::Timer::new(), set: AtomicBool::new(false) }
    }
}

/// Makes the alarm of an object ready, if it has one. The object was just created and has its place.
pub(super) fn initialise<K: Kernel, B: ObjectType<K>>(object: NonNull<Object<K, B>>) {
    // SAFETY: the object is alive and nobody else knows it yet.
    if let Some(alarm) = unsafe { object.as_ref() }.body.alarm() {
        // SAFETY: an object never moves, and this is the only initialisation.
        unsafe { K::Timer::initialise(NonNull::from(&alarm.timer), ring::<K, B>, object.as_ptr().cast()) }
    }
}

/// What the timer calls.
unsafe extern "win64" fn ring<K: Kernel, B: ObjectType<K>>(context: *mut c_void) {
    let Some(object) = NonNull::new(context.cast::<Object<K, B>>()) else { return };
    // SAFETY: `set_alarm` took the hold and leaked it, and who is called is who ends the alarm.
    let hold = unsafe { ObjectRef::reclaim(object, Kind::Callback) };
    hold.post(deferred::ALARM);
}

impl<K: Kernel, B: ObjectType<K>> Object<K, B> {
    /// Has [`ObjectType::deliver`] called with [`deferred::ALARM`] once `after` has passed. If the alarm is set
    /// already, or its delivery has not begun, that one is it, earlier though it may be. Nothing happens once
    /// the object is being closed.
    ///
    /// Up to DISPATCH_LEVEL. The caller owns a hold: the alarm may be delivered before this returns, and
    /// the consumer close the object in answer to that.
    pub(crate) fn set_alarm(&self, after: Duration) {
        let Some(alarm) = self.body.alarm() else { return };
        if alarm.set.swap(true, Ordering::AcqRel) {
            return;
        }
        let Ok(hold) = self.try_acquire(Kind::Callback) else {
            alarm.set.store(false, Ordering::Release);
            return;
        };
        hold.leak();
        // SAFETY: `create` initialised it; `set` was false, so its last call has been delivered, or cancelled;
        // the hold keeps the object until the routine has begun.
        unsafe { K::Timer::set(NonNull::from(&alarm.timer), after) };
        if self.holds().closing {
            self.cancel_alarm();
        }
    }

    /// Cancels the alarm, unless its delivery is on its way. Up to DISPATCH_LEVEL; the caller owns a hold, or
    /// is closing the object.
    pub(crate) fn cancel_alarm(&self) {
        let Some(alarm) = self.body.alarm() else { return };
        // SAFETY: `create` initialised it.
        if unsafe { K::Timer::cancel(NonNull::from(&alarm.timer)) } {
            alarm.set.swap(false, Ordering::AcqRel);
            // SAFETY: `set_alarm` took the hold and leaked it, and this cancel is what ends the alarm.
            drop(unsafe { ObjectRef::<K, B>::reclaim(NonNull::from(self), Kind::Callback) });
        }
    }
}

/// The alarm is about to be delivered: it may be set again, and who found it set before is served by this
/// delivery.
pub(super) fn rang<K: Kernel, B: ObjectType<K>>(body: &B) {
    if let Some(alarm) = body.alarm() {
        alarm.set.swap(false, Ordering::AcqRel);
    }
}
