//! Spin locks and wait locks.

use core::ptr;
use core::sync::atomic::AtomicUsize;
use std::collections::VecDeque;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::sched::{self, Irql, Thread};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, STATUS_TIMEOUT};
use sys::wdf::{WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFOBJECT, WDFSPINLOCK, WDFWAITLOCK, signature};

use super::object::{self, Body, Object};
use super::violation;
use crate::ke::lock_order;
use crate::ke::spin_lock;

/// A spin lock: the kernel's, which keeps the level to go back to.
#[derive(Default)]
pub(super) struct SpinLock(AtomicUsize);

/// A lock that threads wait for, in the order in which they came.
#[derive(Default)]
pub(super) struct WaitLock(Mutex<Waiters>);

#[derive(Default)]
struct Waiters {
    owner: Option<u64>,
    queue: VecDeque<&'static Thread>,
}

exports! {
    "(KMDF)", signature;

    /// Makes a spin lock.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfSpinLockCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFSPINLOCK,
    ) -> NTSTATUS {
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, Body::SpinLock(SpinLock::default()), out) }
    }

    /// Takes a spin lock and raises to DISPATCH_LEVEL.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfSpinLockAcquire(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFSPINLOCK) {
        spin(handle, |lock| {
            let before = sched::raise(Irql::DISPATCH);
            spin_lock::acquire(&lock.0, Some(before));
        });
    }

    /// Frees a spin lock and goes back to the level before.
    #[irql(DISPATCH..=DISPATCH)]
    fn WdfSpinLockRelease(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFSPINLOCK) {
        spin(handle, |lock| {
            if let Some(before) = spin_lock::release(&lock.0) {
                sched::lower(before);
            }
        });
    }

    /// Makes a wait lock.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfWaitLockCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFWAITLOCK,
    ) -> NTSTATUS {
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, Body::WaitLock(WaitLock::default()), out) }
    }

    /// Takes a wait lock; with a time-out of zero only if it is free.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfWaitLockAcquire(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFWAITLOCK,
        timeout: *const i64,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a time-out or null.
        let timeout = unsafe { timeout.as_ref() }.copied();
        if timeout != Some(0) && sched::irql() > Irql::PASSIVE {
            violation(
                "WdfWaitLock",
                Va::of(handle),
                format!("a wait lock is waited for at {}", sched::irql()),
            );
        }
        wait(handle, STATUS_INVALID_PARAMETER, |lock| lock.acquire(handle, timeout))
    }

    /// Frees a wait lock.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfWaitLockRelease(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFWAITLOCK) {
        wait(handle, (), |lock| lock.release(handle));
    }
}

fn spin(handle: WDFOBJECT, f: impl FnOnce(&SpinLock)) {
    match Object::of(handle).as_deref().map(|object| &object.body) {
        Some(Body::SpinLock(lock)) => f(lock),
        Some(_) => violation("WdfHandle", Va::of(handle), format!("{handle:p} is no spin lock")),
        None => {}
    }
}

fn wait<R>(handle: WDFOBJECT, otherwise: R, f: impl FnOnce(&WaitLock) -> R) -> R {
    match Object::of(handle).as_deref().map(|object| &object.body) {
        Some(Body::WaitLock(lock)) => f(lock),
        Some(_) => {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no wait lock"));
            otherwise
        }
        None => otherwise,
    }
}

impl Drop for SpinLock {
    fn drop(&mut self) {
        forget(Va::of(ptr::from_ref(self)));
    }
}

impl Drop for WaitLock {
    fn drop(&mut self) {
        forget(self.address());
    }
}

/// Forgets the order of a lock, whose memory may hold another one from now on.
fn forget(address: Va) {
    lock_order::forget(address..address + 1);
}

impl WaitLock {
    fn address(&self) -> Va {
        Va::of(ptr::from_ref(self))
    }

    /// `timeout` in units of 100 ns: negative from now on, positive by system time, `None` without end.
    fn acquire(&self, handle: WDFOBJECT, timeout: Option<i64>) -> NTSTATUS {
        let own = sched::current().expect("a driver runs on a thread of the machine");
        if timeout != Some(0) {
            lock_order::acquiring(self.address(), own);
        }
        let deadline = timeout.map(|timeout| {
            if timeout <= 0 {
                sched::now() + timeout.unsigned_abs()
            } else {
                sched::now() + timeout.unsigned_abs().saturating_sub(sched::system_time())
            }
        });
        loop {
            let mut waiters = self.0.lock();
            if waiters.owner == Some(own.id) {
                drop(waiters);
                violation(
                    "WdfWaitLock",
                    Va::of(handle),
                    "a wait lock is taken by the thread that has it".into(),
                );
                return STATUS_SUCCESS;
            }
            if waiters.owner.is_none() {
                waiters.owner = Some(own.id);
                own.mutexes.add(self.address(), None);
                waiters.queue.retain(|thread| thread.id != own.id);
                return STATUS_SUCCESS;
            }
            let left = deadline.map(|deadline| deadline.saturating_sub(sched::now()));
            if left == Some(0) {
                waiters.queue.retain(|thread| thread.id != own.id);
                return STATUS_TIMEOUT;
            }
            if !waiters.queue.iter().any(|thread| thread.id == own.id) {
                waiters.queue.push_back(own);
            }
            drop(waiters);
            sched::block(left.map(sched::duration));
        }
    }

    fn release(&self, handle: WDFOBJECT) {
        let own = sched::current().expect("a driver runs on a thread of the machine");
        let mut waiters = self.0.lock();
        if waiters.owner != Some(own.id) {
            drop(waiters);
            violation(
                "WdfWaitLock",
                Va::of(handle),
                "a wait lock is freed by a thread that has it not".into(),
            );
            return;
        }
        waiters.owner = None;
        own.mutexes.remove(self.address());
        if let Some(next) = waiters.queue.front() {
            sched::wake(next);
        }
    }
}
