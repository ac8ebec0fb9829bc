//! The time that a peer is given: one timer of the kernel for a wire, set for what the engine waits for.
//!
//! While it is set it owns a reference to its wire. What it was set for may be over when it rings: then it is set for
//! what is waited for by then. So the rest of each FPDU need not set and cancel it, and a time may be longer by the one
//! before it, but not by a longer one.

#![expect(unsafe_code, reason = "the kernel's timer knows its context by address")]

use core::ffi::c_void;
use core::ptr::NonNull;
use core::time::Duration;

use iwarp::{Deadline, Timer};

use super::Wire;
use crate::heap::Shared;
use crate::kernel::{Kernel, Lock, Timer as _};
use crate::rundown::Shard;

/// See the module's head.
pub(super) struct WireTimer<K: Kernel> {
    kernel_timer: K::Timer,
    /// The kernel's timer is set and cancelled with the lock held.
    setting: Lock<K, Setting>,
}

/// The reason for which a peer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// As the engine says.
    Engine(Deadline),
    /// It is to take what is on its way at the end.
    Linger,
}

impl Due {
    fn duration(self) -> Duration {
        match self {
            Self::Engine(deadline) => deadline.timer.duration(),
            Self::Linger => Timer::Finish.duration(),
        }
    }
}

#[derive(Clone, Copy)]
enum Setting {
    /// Not set.
    Idle,
    /// Set for this, or about to ring.
    For(Due),
    /// Never set again: the connection is closed.
    Over,
}

impl<K: Kernel> WireTimer<K> {
    /// Not set.
    pub(super) fn new() -> Self {
        Self { kernel_timer: K::Timer::new(), setting: Lock::<K, _>::new(Setting::Idle) }
    }

    /// Makes the timer ready in the place where its wire stays.
    pub(super) fn initialise(wire: &Shared<Wire<K>>) {
        let context = wire.clone().into_raw();
        let timer = NonNull::from(&wire.timer.kernel_timer);
        // SAFETY: a shared value never moves, and this is the only initialisation.
        unsafe { K::Timer::initialise(timer, on_timer::<K>, context.as_ptr()) };
        // SAFETY: it came from `into_raw` above; the timer has the pointer, and owns nothing while it is not set.
        drop(unsafe { Shared::<Wire<K>>::from_raw(context) });
    }

    /// Takes the call back if it has not begun. The caller has the lock.
    fn take_back(&self) -> bool {
        // SAFETY: `initialise` was called.
        unsafe { K::Timer::cancel(NonNull::from(&self.kernel_timer)) }
    }
}

impl<K: Kernel> Wire<K> {
    /// Sets the timer for what is waited for now, unless it is set for that or for something that comes sooner. Up to
    /// DISPATCH_LEVEL, no lock held.
    pub(super) fn arm(this: &Shared<Self>) {
        let Some(due) = this.due() else { return };
        let mut setting = this.timer.setting.lock();
        let is_taken_back = match *setting {
            Setting::Over => return,
            Setting::For(set) if set.duration() <= due.duration() => return,
            // If it rings already, it is set again there.
            Setting::For(_) if !this.timer.take_back() => return,
            Setting::For(_) => true,
            Setting::Idle => false,
        };
        *setting = Setting::For(due);
        if !is_taken_back {
            let _the_timer_owns_it = this.clone().into_raw();
        }
        // SAFETY: it is initialised and, by the setting, not set; the reference keeps it until the routine has begun.
        unsafe { K::Timer::set(NonNull::from(&this.timer.kernel_timer), due.duration()) };
    }

    /// As [`Wire::arm`], while the connection is not drained.
    pub(super) fn arm_again(&self) {
        if let Some(joined) = self.joined(Shard::Target) {
            Self::arm(&joined.wire);
        }
    }

    /// Cancels the timer for good: the connection is closed. Up to DISPATCH_LEVEL, no lock held.
    pub(super) fn disarm(this: &Shared<Self>) {
        let mut setting = this.timer.setting.lock();
        let before = core::mem::replace(&mut *setting, Setting::Over);
        let is_taken_back = matches!(before, Setting::For(_)) && this.timer.take_back();
        drop(setting);
        if is_taken_back {
            // The pointer is that of `this`, as a wire has one place.
            let owned = this.clone().into_raw();
            // SAFETY: it came from `into_raw` just now.
            drop(unsafe { Shared::<Self>::from_raw(owned) });
            // SAFETY: the timer was set, owned a reference, and will not ring.
            drop(unsafe { Shared::<Self>::from_raw(owned) });
        }
    }
}

/// Called by the kernel's timer.
unsafe extern "efiapi" fn on_timer<K: Kernel>(context: *mut c_void) {
    let Some(context) = NonNull::new(context) else { return };
    // SAFETY: the timer was set, and owned a reference, which is this call's now.
    let wire = unsafe { Shared::<Wire<K>>::from_raw(context) };
    let due = {
        let mut setting = wire.timer.setting.lock();
        match *setting {
            Setting::For(due) => {
                *setting = Setting::Idle;
                due
            }
            Setting::Idle | Setting::Over => return,
        }
    };
    Wire::expired(&wire, due);
}
