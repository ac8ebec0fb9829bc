//! The listener and the shared endpoint: objects that hold a local address.

use std::sync::Arc;

use ntsim_core::exports;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::{NT_SUCCESS, NTSTATUS};
use sys::wdm::{BOOLEAN, FALSE, PVOID, ULONG};

use crate::call::enter;
use crate::endpoints::Address;
use crate::layer::layer;
use crate::object::{TrackedObject, TypeState};
use crate::request;

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
        let TypeState::Listener(state) = &call.tracked.type_state else { return };
        state.resumed();
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { control(listener, pause) });
        if pause != FALSE {
            state.paused();
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
