//! The connector's functions.

use ntsim_core::exports;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{PVOID, ULONG, VOID};

use crate::call::{argument, enter};
use crate::callback::{NdkDisconnectEventCallback, NdkDisconnectEventCallbackEx};
use crate::connection::{depending, extended, plain, register, taking};
use crate::endpoints::Address;
use crate::request;

exports! {
    "(ndk)";

    /// Connects from an address of its own.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkConnect(
        connector: *mut NDK_CONNECTOR,
        qp: *mut NDK_QP,
        source: *const SOCKADDR,
        source_length: ULONG,
        destination: *const SOCKADDR,
        destination_length: ULONG,
        inbound: ULONG,
        outbound: ULONG,
        data: *const VOID,
        data_length: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, connect) = enter!(connector, NdkConnect);
        let Ok(used) = argument(qp, call.name) else { return STATUS_INVALID_HANDLE };
        // SAFETY: the address is the consumer's.
        let taken = unsafe { Address::read(&call.tracked, source, source_length) };
        let depending = depending(&call.tracked, Vec::from_iter(used), None);
        let then = taking(&call.tracked, taken, depending);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            connect(
                connector, qp, source, source_length, destination, destination_length, inbound, outbound,
                data, data_length, completion, context,
            )
        }, then)
    }

    /// Connects from a shared endpoint.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkConnectWithSharedEndpoint(
        connector: *mut NDK_CONNECTOR,
        qp: *mut NDK_QP,
        endpoint: *mut NDK_SHARED_ENDPOINT,
        destination: *const SOCKADDR,
        destination_length: ULONG,
        inbound: ULONG,
        outbound: ULONG,
        data: *const VOID,
        data_length: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, connect) = enter!(connector, NdkConnectWithSharedEndpoint);
        let Ok(used) = argument(qp, call.name) else { return STATUS_INVALID_HANDLE };
        let Ok(shared) = argument(endpoint, call.name) else { return STATUS_INVALID_HANDLE };
        let then = depending(&call.tracked, used.into_iter().chain(shared).collect(), None);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            connect(
                connector, qp, endpoint, destination, destination_length, inbound, outbound, data,
                data_length, completion, context,
            )
        }, then)
    }

    /// Completes a connection that the peer has accepted.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCompleteConnect(
        connector: *mut NDK_CONNECTOR,
        event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
        event_context: PVOID,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, complete) = enter!(connector, NdkCompleteConnect);
        let (event, pointer) = register(&call, plain(event, event_context));
        let callback = event.as_ref().map(|_| NdkDisconnectEventCallback as NDK_FN_DISCONNECT_EVENT_CALLBACK);
        let then = depending(&call.tracked, Vec::new(), event);
        // SAFETY: the consumer's arguments, and the layer's completion and event.
        request::run(&call, completion, context, |completion, context| unsafe {
            complete(connector, callback, pointer, completion, context)
        }, then)
    }

    /// Completes a connection that the peer has accepted, with an extended disconnect event.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCompleteConnectEx(
        connector: *mut NDK_CONNECTOR,
        event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
        event_context: PVOID,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, complete) = enter!(connector, NdkCompleteConnectEx, since 2, 1);
        let (event, pointer) = register(&call, extended(event, event_context));
        let callback =
            event.as_ref().map(|_| NdkDisconnectEventCallbackEx as NDK_FN_DISCONNECT_EVENT_CALLBACK_EX);
        let then = depending(&call.tracked, Vec::new(), event);
        // SAFETY: the consumer's arguments, and the layer's completion and event.
        request::run(&call, completion, context, |completion, context| unsafe {
            complete(connector, callback, pointer, completion, context)
        }, then)
    }

    /// Accepts an offered connection.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkAccept(
        connector: *mut NDK_CONNECTOR,
        qp: *mut NDK_QP,
        inbound: ULONG,
        outbound: ULONG,
        data: *const VOID,
        data_length: ULONG,
        event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
        event_context: PVOID,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, accept) = enter!(connector, NdkAccept);
        let Ok(used) = argument(qp, call.name) else { return STATUS_INVALID_HANDLE };
        let (event, pointer) = register(&call, plain(event, event_context));
        let callback = event.as_ref().map(|_| NdkDisconnectEventCallback as NDK_FN_DISCONNECT_EVENT_CALLBACK);
        let then = depending(&call.tracked, Vec::from_iter(used), event);
        // SAFETY: the consumer's arguments, and the layer's completion and event.
        request::run(&call, completion, context, |completion, context| unsafe {
            accept(
                connector, qp, inbound, outbound, data, data_length, callback, pointer, completion, context,
            )
        }, then)
    }

    /// Accepts an offered connection, with an extended disconnect event.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkAcceptEx(
        connector: *mut NDK_CONNECTOR,
        qp: *mut NDK_QP,
        inbound: ULONG,
        outbound: ULONG,
        data: *const VOID,
        data_length: ULONG,
        event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
        event_context: PVOID,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, accept) = enter!(connector, NdkAcceptEx, since 2, 1);
        let Ok(used) = argument(qp, call.name) else { return STATUS_INVALID_HANDLE };
        let (event, pointer) = register(&call, extended(event, event_context));
        let callback =
            event.as_ref().map(|_| NdkDisconnectEventCallbackEx as NDK_FN_DISCONNECT_EVENT_CALLBACK_EX);
        let then = depending(&call.tracked, Vec::from_iter(used), event);
        // SAFETY: the consumer's arguments, and the layer's completion and event.
        request::run(&call, completion, context, |completion, context| unsafe {
            accept(
                connector, qp, inbound, outbound, data, data_length, callback, pointer, completion, context,
            )
        }, then)
    }

    /// Rejects an offered connection.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkReject(connector: *mut NDK_CONNECTOR, data: *const VOID, length: ULONG) -> NTSTATUS {
        let (call, reject) = enter!(connector, NdkReject);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { reject(connector, data, length) })
    }

    /// Reads the peer's private data.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetConnectionData(
        connector: *mut NDK_CONNECTOR,
        inbound: *mut ULONG,
        outbound: *mut ULONG,
        data: PVOID,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let (call, connection_data) = enter!(connector, NdkGetConnectionData);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { connection_data(connector, inbound, outbound, data, length) })
    }

    /// Reads the local address.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetLocalAddress(
        connector: *mut NDK_CONNECTOR,
        address: *mut SOCKADDR,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let (call, local_address) = enter!(connector, NdkGetLocalAddress);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { local_address(connector, address, length) })
    }

    /// Reads the peer's address.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetPeerAddress(
        connector: *mut NDK_CONNECTOR,
        address: *mut SOCKADDR,
        length: *mut ULONG,
    ) -> NTSTATUS {
        let (call, peer_address) = enter!(connector, NdkGetPeerAddress);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { peer_address(connector, address, length) })
    }

    /// Ends a connection.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkDisconnect(
        connector: *mut NDK_CONNECTOR,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, disconnect) = enter!(connector, NdkDisconnect);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            disconnect(connector, completion, context)
        }, None)
    }
}
