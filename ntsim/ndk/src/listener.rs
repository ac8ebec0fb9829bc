//! The listener and the shared endpoint: objects that hold a local address.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ntsim_core::exports;
use ntsim_core::sched;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::{NT_SUCCESS, NTSTATUS};
use sys::wdm::{BOOLEAN, FALSE, PVOID, ULONG};

use super::address::Address;
use super::call::enter;
use super::tracked::TrackedObject;
use super::type_state::TypeState;
use super::{layer, request, rules};

/// The state that the layer keeps of a listener.
///
/// An event that is already on its way on another processor may arrive a little after the call that
/// forbids it, and is no mistake. One that begins later on the very thread that made the call is.
#[derive(Default)]
pub(super) struct Listener {
    closed_by: AtomicU64,
    paused_by: AtomicU64,
}

fn thread() -> u64 {
    sched::current().map_or(0, |thread| thread.id)
}

impl Listener {
    /// The listener's close has returned STATUS_PENDING.
    pub(super) fn refuses_from_now(&self) {
        self.closed_by.store(thread(), Ordering::Relaxed);
    }

    /// The rule that an event breaks which begins now.
    pub(super) fn broken_by_event(&self) -> Option<&'static str> {
        let by_this_thread = |by: &AtomicU64| by.load(Ordering::Relaxed) == thread() && thread() != 0;
        if by_this_thread(&self.closed_by) {
            return Some(rules::CONNECT_EVENT_AFTER_CLOSE);
        }
        by_this_thread(&self.paused_by).then_some(rules::CONNECT_EVENT_PAUSED)
    }
}

/// Notes the address that a call of the provider's gave.
///
/// # Safety
/// `address` and `length` are the out-parameters of that call, which succeeded.
unsafe fn learn(tracked: &Arc<TrackedObject>, address: *const SOCKADDR, length: *const ULONG) {
    if length.is_null() {
        return;
    }
    // SAFETY: the caller vouches for it.
    let length = unsafe { length.read() };
    // SAFETY: as above; the provider wrote that many bytes.
    if let Some(address) = unsafe { Address::read(tracked, address, length) } {
        layer().endpoints.taken(tracked, address);
    }
}

exports! {
    "(ndk)";

    /// Starts listening.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkListen(
        listener: *mut NDK_LISTENER,
        address: *const SOCKADDR,
        length: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, listen) = enter!(listener, NdkListen);
        let tracked = Arc::clone(&call.tracked);
        // SAFETY: the address is the consumer's.
        let taken = unsafe { Address::read(&tracked, address, length) };
        let then = Box::new(move |status| {
            if let (true, Some(address)) = (NT_SUCCESS(status), taken) {
                layer().endpoints.taken(&tracked, address);
            }
        });
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            listen(listener, address, length, completion, context)
        }, Some(then))
    }

    /// Pauses or resumes connect events.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkControlConnectEvents(listener: *mut NDK_LISTENER, pause: BOOLEAN) {
        let (call, control) = enter!(listener, NdkControlConnectEvents, else return);
        let TypeState::Listener(part) = &call.tracked.type_state else { return };
        part.paused_by.store(0, Ordering::Relaxed);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { control(listener, pause) });
        if pause != FALSE {
            part.paused_by.store(thread(), Ordering::Relaxed);
        }
    }

    /// Reads the address that a listener listens on.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetListenerLocalAddress(
        listener: *mut NDK_LISTENER,
        address: *mut SOCKADDR,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let (call, local_address) = enter!(listener, NdkGetLocalAddress);
        // SAFETY: the consumer's arguments.
        let status = call.run(|| unsafe { local_address(listener, address, length) });
        if NT_SUCCESS(status) {
            // SAFETY: the call succeeded with these.
            unsafe { learn(&call.tracked, address, length) };
        }
        status
    }

    /// Reads the address of a shared endpoint.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetSharedEndpointLocalAddress(
        endpoint: *mut NDK_SHARED_ENDPOINT,
        address: *mut SOCKADDR,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let (call, local_address) = enter!(endpoint, NdkGetLocalAddress);
        // SAFETY: the consumer's arguments.
        let status = call.run(|| unsafe { local_address(endpoint, address, length) });
        if NT_SUCCESS(status) {
            // SAFETY: the call succeeded with these.
            unsafe { learn(&call.tracked, address, length) };
        }
        status
    }
}
