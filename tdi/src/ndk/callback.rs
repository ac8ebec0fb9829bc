//! Callbacks of the provider for a link. Callbacks only leave events.

use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use provider::Shared;
use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_SUCCESS};

use super::connect_status;
use super::link::State;
use crate::link_events::LinkEvents;
use crate::system::{Client as _, System};

/// Runs `note` with the link of a callback.
///
/// # Safety
///
/// `context` is the link of an NDK object that is not closed, or whose close has not completed.
unsafe fn with<S: System>(context: *mut c_void, note: impl FnOnce(&State<S>)) {
    let Some(raw) = NonNull::new(context) else { return };
    // SAFETY: as the caller promises, the object owns the link.
    let state = unsafe { Shared::<State<S>>::from_borrowed(raw) };
    if !state.silent.load(Ordering::Acquire) {
        note(&state);
    }
}

/// The connect has been accepted, or an accept completed.
pub(super) unsafe extern "efiapi" fn connected<S: System>(context: *mut c_void, status: NTSTATUS) {
    let note = |state: &State<S>| match status {
        STATUS_SUCCESS => state.client.note(state.endpoint, LinkEvents::CONNECTED),
        failed if state.port.is_none() => state.client.lost(state.endpoint, connect_status(failed)),
        _ => state.client.lost(state.endpoint, STATUS_CONNECTION_ABORTED),
    };
    // SAFETY: the connector whose request this is has not completed its close.
    unsafe { with(context, note) }
}

/// The peer has gone, or the connection has broken.
pub(super) unsafe extern "efiapi" fn disconnected<S: System>(context: *mut c_void) {
    // SAFETY: the connector whose event this is has not completed its close.
    unsafe { with(context, |state: &State<S>| state.client.lost(state.endpoint, STATUS_CONNECTION_RESET)) }
}

/// The link's NdkDisconnect has completed: both sides are done, or the peer's time was up.
pub(super) unsafe extern "efiapi" fn ended<S: System>(context: *mut c_void, _status: NTSTATUS) {
    // SAFETY: the connector whose request this is has not completed its close.
    unsafe { with(context, |state: &State<S>| state.client.note(state.endpoint, LinkEvents::DISCONNECTED)) }
}

/// The completion queue has results.
pub(super) unsafe extern "efiapi" fn completed<S: System>(context: *mut c_void, _status: NTSTATUS) {
    // SAFETY: the queue whose notification this is has not completed its close.
    unsafe { with(context, |state: &State<S>| state.client.note(state.endpoint, LinkEvents::COMPLETED)) }
}

/// One of the link's NDK objects is closed.
pub(super) unsafe extern "efiapi" fn closed<S: System>(context: *mut c_void) {
    let Some(raw) = NonNull::new(context) else { return };
    // SAFETY: this is what `own` gave to the object, which hands it back once.
    let state = unsafe { Shared::<State<S>>::from_raw(raw) };
    let last = state.objects.fetch_sub(1, Ordering::AcqRel) == 1;
    if last && !state.silent.load(Ordering::Acquire) {
        state.client.note(state.endpoint, LinkEvents::GONE);
    }
}
