//! The delivery of an object's notifications: what an interrupt vector is to the completion queue of an adapter.
//!
//! The events of a CQ or SRQ are mostly caused by a consumer's post, maybe of another consumer's. Their
//! call is queued by [`Dpc::queue_apart`](crate::kernel::Dpc::queue_apart), so that it does not run inside that
//! post. All other DPCs are queued directly: the end of a close, a request's completion or a connect event is no
//! part of a data path, and the interface has them run at any time, before the function returns that caused them too.

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::ffi::c_void;
use core::ptr::NonNull;
use core::time::Duration;

use sys::wdm::GROUP_AFFINITY;

use super::{Core, Object, ObjectType, dpc};
use crate::kernel::{Dpc as _, Kernel, Timer as _};

/// Less than any tick.
const NEXT_TICK: Duration = Duration::from_nanos(100);

/// The way by which an object's notifications are delivered.
pub struct Vector<K: Kernel> {
    /// The processors that the consumer prefers for its callback.
    affinity: Option<GROUP_AFFINITY>,
    /// True if the DPC is queued on the current processor in spite of the affinity.
    immediate: bool,
    /// Queues the call on a machine that has no other processor.
    tick: K::Timer,
}

impl<K: Kernel> Vector<K> {
    /// A vector for callbacks on the processors of `affinity`, or on any. `immediate`: a callback may come inside
    /// the call that causes it.
    pub(crate) fn new(affinity: Option<GROUP_AFFINITY>, immediate: bool) -> Self {
        Self { affinity, immediate, tick: K::Timer::new() }
    }

    /// Queues the object's DPC.
    ///
    /// # Safety
    ///
    /// As for [`dpc::queue`]; `vector` is that of the object.
    pub(super) unsafe fn queue(vector: NonNull<Self>, core: NonNull<Core<K>>) {
        let (affinity, immediate) = {
            // SAFETY: the object stays until the call begins, as the caller promises.
            let vector = unsafe { vector.as_ref() };
            (vector.affinity, vector.immediate)
        };
        if immediate {
            // SAFETY: as the caller promises.
            return unsafe { dpc::queue(core) };
        }
        // SAFETY: as the caller promises.
        if unsafe { K::Dpc::queue_apart(dpc::of(core), affinity) } {
            return;
        }
        // SAFETY: the call is not queued, so the object stays.
        let tick = NonNull::from(unsafe { &vector.as_ref().tick });
        // SAFETY: `create` initialised it; the DPC is made once at a time, so its timer is not set.
        unsafe { K::Timer::set(tick, NEXT_TICK) }
    }
}

/// Makes the vector of an object ready, if it has one. The object was just created and has its place.
pub(super) fn initialise<K: Kernel, B: ObjectType<K>>(object: NonNull<Object<K, B>>) {
    // SAFETY: the object is alive and nothing else knows it yet.
    if let Some(vector) = unsafe { object.as_ref() }.body.vector() {
        let core = object.cast::<Core<K>>();
        // SAFETY: an object never moves, and this is the only initialisation.
        unsafe { K::Timer::initialise(NonNull::from(&vector.tick), ticks::<K>, core.as_ptr().cast()) }
    }
}

/// The timer's routine.
unsafe extern "efiapi" fn ticks<K: Kernel>(context: *mut c_void) {
    let Some(core) = NonNull::new(context.cast::<Core<K>>()) else { return };
    // SAFETY: the timer was set in place of queueing the call, by the setter of SCHEDULED.
    unsafe { dpc::queue(core) }
}
