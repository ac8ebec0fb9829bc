//! The listener and the shared endpoint: objects that hold a local address.

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{BOOLEAN, PVOID, ULONG};

use super::call::{Call, slot};
use super::request;
use crate::export::exports;

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
        let Some(call) = Call::begin(listener, "NdkListen") else { return STATUS_INVALID_HANDLE };
        let listen = slot!(call, NdkListen);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            listen(listener, address, length, completion, context)
        }, None)
    }

    /// Pauses or resumes connect events.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkControlConnectEvents(listener: *mut NDK_LISTENER, pause: BOOLEAN) {
        let Some(call) = Call::begin(listener, "NdkControlConnectEvents") else { return };
        let control = slot!(call, NdkControlConnectEvents, ());
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { control(listener, pause) });
    }

    /// Reads the address that a listener listens on.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetListenerLocalAddress(
        listener: *mut NDK_LISTENER,
        address: *mut SOCKADDR,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(listener, "NdkGetLocalAddress") else { return STATUS_INVALID_HANDLE };
        let local_address = slot!(call, NdkGetLocalAddress);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { local_address(listener, address, length) })
    }

    /// Reads the address of a shared endpoint.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetSharedEndpointLocalAddress(
        endpoint: *mut NDK_SHARED_ENDPOINT,
        address: *mut SOCKADDR,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(endpoint, "NdkGetLocalAddress") else { return STATUS_INVALID_HANDLE };
        let local_address = slot!(call, NdkGetLocalAddress);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { local_address(endpoint, address, length) })
    }
}
