//! Close of an object (NdkCloseObject): close status, teardown and close completion.
//!
//! [`Object::close`] is the function that the consumer calls ([NDK_FN_CLOSE_OBJECT]). It returns STATUS_SUCCESS if
//! nothing holds the object, which is then freed, or STATUS_PENDING. A pending close completes in a DPC that the last
//! release of the object queues: [`queue_close_completion`], then [`complete_close`], which calls the consumer's
//! [NDK_FN_CLOSE_COMPLETION], the last callback of the object.
//!
//! [NDK_FN_CLOSE_OBJECT]: https://learn.microsoft.com/windows-hardware/drivers/ddi/ndkpi/nc-ndkpi-ndk_fn_close_object
//! [NDK_FN_CLOSE_COMPLETION]: https://learn.microsoft.com/windows-hardware/drivers/ddi/ndkpi/nc-ndkpi-ndk_fn_close_completion

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::ptr::NonNull;
use core::time::Duration;

use sys::irql::PassiveLevel;
use sys::ndk::{NDK_FN_CLOSE_COMPLETION, NDK_OBJECT_TYPE};
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;

use super::{Core, Object, ObjectType, dpc};
use crate::heap;
use crate::kernel::event::{self, Event, Handle, Microseconds};
use crate::kernel::{Event as _, Kernel};
use crate::lifetime::CloseStatus;
use crate::sync::Ordering;

/// Interval at which a blocked close traces what it waits for.
const TRACE_INTERVAL: Duration = Duration::from_secs(5);

/// Units of the kernel's time in a microsecond.
const TICKS_PER_MICROSECOND: u64 = 10;

/// Completion of a pending close.
pub(crate) enum CloseRecord<K: Kernel> {
    /// A call of the close completion callback. A null pointer is refused nowhere in the documentation and
    /// crashed a provider in the field; here the close then completes without a call (CL-2 calls the
    /// parameter required).
    Call(Option<NDK_FN_CLOSE_COMPLETION>, PVOID),
    /// A signal to the thread that waits: an adapter's close blocks (CL-10).
    Wake(Waiter<K>),
}

/// A close that has been called.
pub(super) struct PendingClose<K: Kernel> {
    record: CloseRecord<K>,
    /// The time of the call, for a trace session; 0 if none listened.
    called_at: u64,
}

// SAFETY: the context is the consumer's; we only hand it back.
unsafe impl<K: Kernel> Send for CloseRecord<K> {}

/// A pointer to the event that a blocked close waits on; it lives on the waiter's stack.
pub struct Waiter<K: Kernel>(NonNull<K::Event>);

impl<K: Kernel> CloseRecord<K> {
    fn complete(self) {
        match self {
            Self::Call(Some(completion), context) => {
                // SAFETY: the consumer passed this function and context for exactly this call, and the
                // word admits it once.
                unsafe { completion(context) }
            }
            Self::Call(None, _) => {}
            Self::Wake(Waiter(event)) => {
                // SAFETY: the waiter does not leave `close_and_wait` before the signal.
                unsafe { event.as_ref() }.signal();
            }
        }
    }
}

impl<K: Kernel, B: ObjectType<K>> Object<K, B> {
    /// NdkCloseObject: closes the object for the consumer (CL-1). STATUS_SUCCESS: the object is freed and `completion` is
    /// never called. STATUS_PENDING: it is called exactly once, possibly before this returns.
    ///
    /// Up to DISPATCH_LEVEL, also inside a callback of the object. Never blocks, allocates or fails; a
    /// second close of one object, which the interface forbids, answers STATUS_PENDING and does nothing.
    ///
    /// # Safety
    ///
    /// The consumer hands the object over: it makes no further call with it.
    pub(crate) unsafe fn close(
        object: NonNull<Self>,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        // SAFETY: the consumer still owns the object, as the caller promises.
        match unsafe { Self::begin(object, CloseRecord::Call(completion, context)) } {
            Some(CloseStatus::Closed) => STATUS_SUCCESS,
            Some(CloseStatus::Pending) | None => STATUS_PENDING,
        }
    }

    /// Closes the object and waits until it and all its descendants are freed, and every callback has
    /// returned (CL-10). Not inside a callback. Calls `still` after each [`TRACE_INTERVAL`] of
    /// the wait.
    ///
    /// # Safety
    ///
    /// As for [`Object::close`].
    pub(crate) unsafe fn close_and_wait(object: NonNull<Self>, level: PassiveLevel, mut still: impl FnMut()) {
        let event = K::Event::new();
        event.initialise();
        let waiter = Waiter(NonNull::from(&event));
        // SAFETY: as the caller promises.
        match unsafe { Self::begin(object, CloseRecord::Wake(waiter)) } {
            Some(CloseStatus::Closed) | None => {}
            Some(CloseStatus::Pending) => {
                while !event.wait_for(TRACE_INTERVAL, level) {
                    still();
                }
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Object::close`].
    unsafe fn begin(object: NonNull<Self>, record: CloseRecord<K>) -> Option<CloseStatus> {
        // SAFETY: the consumer owns the object until it closes it, and CLOSE CALL keeps it from then on.
        let this = unsafe { object.as_ref() };
        let held = this.core.lifetime.close().ok()?;
        let (kind, handle) = (B::TYPE, Handle(object.addr().get()));
        event::write::<K>(|| Event::CloseCalled { kind, object: handle });
        let called_at = if K::is_traced() { K::event_time() } else { 0 };
        *this.core.close.lock() = Some(PendingClose { record, called_at });
        // The close of an object that nothing holds ends in this call, and costs no look at the clock.
        if held {
            this.core.pending_since.store(K::event_time(), Ordering::Relaxed);
        }
        B::start_close(this);
        this.cancel_timer();
        let status = this.core.lifetime.finish_close();
        match status {
            CloseStatus::Closed => {
                // SAFETY: with this status the object belongs to this call alone.
                drop(unsafe { free(object) });
                report_completed::<K>(kind, handle, called_at);
            }
            // From here on the object may be gone, and the next event may come before this one.
            CloseStatus::Pending => event::write::<K>(|| Event::ClosePending { kind, object: handle }),
        }
        Some(status)
    }
}

/// Queues the DPC that frees the object and completes its close.
///
/// # Safety
///
/// The caller's release of this object returned `Last`.
pub(super) unsafe fn queue_close_completion<K: Kernel>(core: NonNull<Core<K>>) {
    // SAFETY: the object is the caller's alone.
    unsafe { core.as_ref() }.events.store(dpc::CLOSE_COMPLETION, Ordering::Release);
    // SAFETY: CLOSE_COMPLETION was set just now; the object belongs to the DPC alone.
    unsafe { dpc::queue(core) }
}

/// Frees the object and completes its close at once.
///
/// # Safety
///
/// As for [`queue_close_completion`]; the caller is a DPC.
pub(super) unsafe fn complete_close<K: Kernel>(core: NonNull<Core<K>>) {
    // SAFETY: the object is the caller's alone.
    let free_and_complete = unsafe { core.as_ref() }.free_and_complete;
    // SAFETY: the function was made for this object's kind, and the object is the caller's alone.
    unsafe { free_and_complete(core) }
}

/// Frees the object, completes its close, and only then releases its antecedents (CL-6). The target of
/// [`Core::free_and_complete`].
///
/// # Safety
///
/// `core` is the head of an object of kind `B` that is the caller's alone.
pub(super) unsafe fn free_and_complete<K: Kernel, B: ObjectType<K>>(core: NonNull<Core<K>>) {
    // SAFETY: as the caller promises.
    let pending = unsafe { core.as_ref() }.close.lock().take();
    // SAFETY: as the caller promises.
    let antecedents = unsafe { free(core.cast::<Object<K, B>>()) };
    if let Some(PendingClose { record, called_at }) = pending {
        report_completed::<K>(B::TYPE, Handle(core.addr().get()), called_at);
        record.complete();
    }
    drop(antecedents);
}

/// Reports that a close is complete, with the time since its call.
fn report_completed<K: Kernel>(kind: NDK_OBJECT_TYPE, object: Handle, called_at: u64) {
    event::write::<K>(|| {
        let passed = K::event_time().saturating_sub(called_at).checked_div(TICKS_PER_MICROSECOND);
        let known = passed.filter(|_| called_at != 0).and_then(|passed| i64::try_from(passed).ok());
        Event::CloseCompleted { kind, object, microseconds: Microseconds(known.unwrap_or(-1)) }
    });
}

/// Takes the object apart and frees its memory.
///
/// # Safety
///
/// The object is the caller's alone.
unsafe fn free<K: Kernel, B: ObjectType<K>>(object: NonNull<Object<K, B>>) -> B::Antecedents {
    // SAFETY: the object exists until it is freed below.
    let registry = unsafe { object.as_ref() }.body.registry();
    // SAFETY: `create` entered it, and this is the only end of an object.
    unsafe { registry.remove(object.cast()) };
    // SAFETY: the value is moved out once, and the block is not read again.
    let Object { core, body } = unsafe { object.read() };
    // SAFETY: `create` placed the object, and its value was moved out just now.
    unsafe { heap::free(object) };
    drop(core);
    body.into_antecedents()
}
