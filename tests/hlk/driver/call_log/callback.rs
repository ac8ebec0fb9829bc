//! The callbacks that the provider calls. Each stamps its begin and its end, and does in between as the test
//! told it to.

#![expect(unsafe_code, reason = "the provider calls back with addresses")]

use core::ffi::c_void;
use core::sync::atomic::Ordering;

use protocol::{Kind, Violation};
use sys::ndk::{NDK_CONNECTOR, NDK_OBJECT_HEADER};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use super::{Call, CallLog, Object, stamp};
use crate::kernel;

/// The time, in microseconds, that a callback stays before it returns: a violation of the rules that something
/// waits for its return then shows.
const DWELL: u64 = 20;

/// A callback in progress.
struct Inside<'o> {
    object: &'o Object,
}

impl<'o> Inside<'o> {
    fn enter(object: &'o Object) -> Self {
        object.running.fetch_add(1, Ordering::AcqRel);
        object.last_began.fetch_max(stamp(), Ordering::AcqRel);
        Self { object }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.object.last_ended.fetch_max(stamp(), Ordering::AcqRel);
        self.object.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// # Safety
/// `context` is the address of a record in a call log that lives.
unsafe fn record<'r, R>(context: *mut c_void) -> &'r R {
    // SAFETY: the caller's contract.
    unsafe { &*context.cast_const().cast() }
}

/// `NDK_FN_CREATE_COMPLETION`
pub(crate) unsafe extern "efiapi" fn created(
    context: *mut c_void,
    status: NTSTATUS,
    object: *mut NDK_OBJECT_HEADER,
) {
    // SAFETY: the context of a create is its call.
    let call: &Call = unsafe { record(context) };
    // SAFETY: a create's subject is a record of the same call log.
    let subject = unsafe { call.subject.as_ref() };
    if let Some(subject) = subject.filter(|_| status == STATUS_SUCCESS) {
        subject.exists(object);
    }
    completed(call, status);
}

/// `NDK_FN_REQUEST_COMPLETION`
pub(crate) unsafe extern "efiapi" fn request_completed(context: *mut c_void, status: NTSTATUS) {
    // SAFETY: the context of a request is its call.
    completed(unsafe { record(context) }, status);
}

fn completed(call: &Call, status: NTSTATUS) {
    // SAFETY: a call's owner is a record of the same call log.
    let inside = Inside::enter(unsafe { &*call.owner });
    // SAFETY: what is to be closed is a record of the same call log.
    if let Some(object) = unsafe { call.close_inside.as_ref() } {
        object.close_here(true);
    }
    call.status.store(status, Ordering::Release);
    call.completions.fetch_add(1, Ordering::AcqRel);
    drop(inside);
    call.done.set();
}

/// `NDK_FN_CLOSE_COMPLETION`
pub(crate) unsafe extern "efiapi" fn close_completed(context: *mut c_void) {
    // SAFETY: the context of a close is the object's record.
    let object: &Object = unsafe { record(context) };
    object.close.began.store(stamp(), Ordering::Release);
    let running = object.running.load(Ordering::Acquire).cast_signed();
    if running != 0 {
        // SAFETY: the call log owns the record.
        let call_log: &CallLog = unsafe { &*object.call_log };
        call_log.find(Violation::CallbackAfterClose, object.kind(), "close completion", running, 0);
    }
    object.close.completions.fetch_add(1, Ordering::AcqRel);
    dwell();
    object.close.ended.store(stamp(), Ordering::Release);
    object.close.done.set();
}

fn dwell() {
    let until = kernel::ticks().saturating_add(kernel::frequency().saturating_mul(DWELL) / 1_000_000);
    while kernel::ticks() < until {
        core::hint::spin_loop();
    }
}

/// `NDK_FN_CQ_NOTIFICATION_CALLBACK`
pub(crate) unsafe extern "efiapi" fn notified(context: *mut c_void, status: NTSTATUS) {
    // SAFETY: the context of a CQ's notifications is its record.
    let cq: &Object = unsafe { record(context) };
    let inside = Inside::enter(cq);
    // SAFETY: the call log owns the record.
    let call_log: &CallLog = unsafe { &*cq.call_log };
    call_log.notifies();
    if cq.notifying.swap(true, Ordering::AcqRel) {
        call_log.find(Violation::NotificationsOverlap, Kind::Cq, "notification", 2, 1);
    }
    let notifications = cq.events.fetch_add(1, Ordering::AcqRel).saturating_add(1);
    let arms = cq.arms.load(Ordering::Acquire);
    // A CQ that broke says so unasked.
    if notifications > arms && status == STATUS_SUCCESS {
        let (seen, expected) = (notifications.cast_signed(), arms.cast_signed());
        call_log.find(Violation::NotifiedUnarmed, Kind::Cq, "notification", seen, expected);
    }
    if status != STATUS_SUCCESS {
        cq.failed.store(true, Ordering::Release);
    }
    if cq.closes_in_callback() {
        cq.close_here(true);
    }
    cq.notifying.store(false, Ordering::Release);
    drop(inside);
    cq.signal();
}

/// `NDK_FN_SRQ_NOTIFICATION_CALLBACK`
pub(crate) unsafe extern "efiapi" fn srq_notified(context: *mut c_void, _status: NTSTATUS) {
    // SAFETY: the context of an SRQ's notifications is its record.
    event_of(unsafe { record(context) });
}

/// An event that hands nothing over.
fn event_of(object: &Object) {
    let inside = Inside::enter(object);
    object.events.fetch_add(1, Ordering::AcqRel);
    if object.closes_in_callback() {
        object.close_here(true);
    }
    drop(inside);
    object.signal();
}

/// `NDK_FN_CONNECT_EVENT_CALLBACK`
pub(crate) unsafe extern "efiapi" fn connect_event(context: *mut c_void, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context of a listener's events is its record.
    let listener: &Object = unsafe { record(context) };
    let inside = Inside::enter(listener);
    // SAFETY: the call log owns the record.
    let call_log: &CallLog = unsafe { &*listener.call_log };
    listener.events.fetch_add(1, Ordering::AcqRel);
    match call_log.object(Kind::Connector, &[listener]) {
        Ok(object) => {
            object.exists(connector.cast());
            if listener.closes_in_callback() {
                object.close_here(true);
            } else {
                object.offer_from(listener);
            }
        }
        // Without a record the connector could not be closed; the adapter's close would wait for ever.
        Err(status) => call_log.find(Violation::TimedOut, Kind::Connector, "connect event", status, 0),
    }
    drop(inside);
    listener.signal();
}

/// `NDK_FN_DISCONNECT_EVENT_CALLBACK`
pub(crate) unsafe extern "efiapi" fn disconnected(context: *mut c_void) {
    // SAFETY: the context of a connector's events is its record.
    event_of(unsafe { record(context) });
}

/// `NDK_FN_DISCONNECT_EVENT_CALLBACK_EX`
pub(crate) unsafe extern "efiapi" fn disconnected_with_reason(context: *mut c_void, _reason: u32) {
    // SAFETY: the context of a connector's events is its record.
    event_of(unsafe { record(context) });
}
