//! The DPC of an object: all of its callbacks to the consumer are made from here.
//!
//! The word holds the events to deliver and two bits of state:
//!
//! | SCHEDULED | CLOSE_COMPLETION | |
//! |---|---|---|
//! | 0 | 0 | idle |
//! | 1 | 0 | the call is queued or running; it owns a callback hold, and takes further events along |
//! | 0 | 1 | queued to free the object, which nothing holds any more, and to complete its close |
//!
//! One call at a time per object: so callbacks of one object never overlap (CQ-1), and the DPC
//! is never queued twice.

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::ffi::c_void;
use core::ptr::NonNull;

use super::{Core, Object, ObjectType, Vector, close, timer};
use crate::kernel::{Dpc as _, Kernel};
use crate::lifetime::{Kind, Released};
use crate::sync::Ordering;

const SCHEDULED: u32 = 1 << 31;
pub(super) const CLOSE_COMPLETION: u32 = 1 << 30;
/// The event that the object's timer delivers.
pub(crate) const TIMER: u32 = 1 << 29;

/// Makes the DPC ready. The object was just created and has its place.
pub(super) fn initialise<K: Kernel>(core: NonNull<Core<K>>) {
    // SAFETY: the object is alive and not published yet.
    let dpc = NonNull::from(unsafe { &core.as_ref().dpc });
    // SAFETY: an object never moves, and this is the only initialisation.
    unsafe { K::Dpc::initialise(dpc, run::<K>, core.as_ptr().cast()) }
}

/// See [`Object::post`].
pub(super) fn post<K: Kernel, B: ObjectType<K>>(object: &Object<K, B>, events: u32) {
    let (core, vector) = (&object.core, object.body.vector());
    if core.events.fetch_or(events | SCHEDULED, Ordering::AcqRel) & SCHEDULED == 0 {
        // The caller keeps the object alive up to here; from here on the call's own hold does. The count
        // of callbacks can't be full, as there is one call and one timer per object.
        let kept = core.lifetime.acquire(Kind::Callback);
        debug_assert!(kept.is_ok(), "one DPC and one timer per object");
        match vector {
            // SAFETY: SCHEDULED was set just now, by this call; the callback hold keeps the object.
            None => unsafe { queue(NonNull::from(core)) },
            // SAFETY: as above.
            Some(vector) => unsafe { Vector::queue(NonNull::from(vector), NonNull::from(core)) },
        }
    }
}

/// Queues the call. It takes no reference, as the object may be gone when it returns.
///
/// # Safety
///
/// The caller set SCHEDULED, or CLOSE_COMPLETION, and so is the only one to queue the call; the object stays until the
/// call begins.
pub(super) unsafe fn queue<K: Kernel>(core: NonNull<Core<K>>) {
    // SAFETY: `create` initialised it; the rest is as the caller promises.
    unsafe { K::Dpc::queue(of(core)) }
}

/// The DPC of an object, without a reference to it.
pub(super) fn of<K: Kernel>(core: NonNull<Core<K>>) -> NonNull<K::Dpc> {
    // SAFETY: the member lies within the object.
    unsafe { core.byte_add(core::mem::offset_of!(Core<K>, dpc)) }.cast()
}

/// Dispatches to the kind's own [`ObjectType::deliver`].
///
/// # Safety
///
/// `core` is the head of a live object of kind `B`.
pub(super) unsafe fn deliver<K: Kernel, B: ObjectType<K>>(core: NonNull<Core<K>>, events: u32) {
    // SAFETY: as the caller promises.
    let object = unsafe { core.cast::<Object<K, B>>().as_ref() };
    if events & TIMER != 0 {
        timer::expired(&object.body);
    }
    B::deliver(object, events);
}

unsafe extern "efiapi" fn run<K: Kernel>(context: *mut c_void) {
    let Some(core) = NonNull::new(context.cast::<Core<K>>()) else { return };
    // SAFETY: `context` is the object that owns this DPC, kept alive by a callback hold or by
    // the bit CLOSE_COMPLETION, whose setter left the object to this call.
    let object = unsafe { core.as_ref() };
    if object.events.load(Ordering::Acquire) & CLOSE_COMPLETION != 0 {
        // SAFETY: CLOSE_COMPLETION is set after a release returned `Last`: no other reference to the object exists.
        unsafe { close::complete_close(core) };
        return;
    }
    loop {
        let events = object.events.swap(SCHEDULED, Ordering::AcqRel) & !SCHEDULED;
        // SAFETY: `core` is the head of a live object, and `deliver` was made for its kind.
        unsafe { (object.deliver)(core, events) };
        let idle = object.events.compare_exchange(SCHEDULED, 0, Ordering::AcqRel, Ordering::Acquire);
        if idle.is_ok() {
            break;
        }
    }
    match object.lifetime.release(Kind::Callback) {
        Released::Held => {}
        // SAFETY: the release returned `Last`, so the object belongs to this call alone.
        Released::Last => unsafe { close::complete_close(core) },
    }
}
