//! Listeners and connectors.

use super::*;
use ntsim_core::address::Va;

requests! {
    listen(NDK_LISTENER, *const SOCKADDR, ULONG);
    disconnect(NDK_CONNECTOR);
}

addresses! {
    listener_address(NDK_LISTENER);
    connector_address(NDK_CONNECTOR);
}

extern "efiapi" fn control_connect_events(_listener: *mut NDK_LISTENER, _pause: BOOLEAN) {}

pub(crate) const LISTENER: NDK_LISTENER_DISPATCH = NDK_LISTENER_DISPATCH {
    NdkCloseListener: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkListen: Some(listen),
    NdkGetLocalAddress: Some(listener_address),
    NdkControlConnectEvents: Some(control_connect_events),
};

/// Offers a connection to a listener's consumer.
pub(crate) fn offer(listener: *mut NDK_LISTENER) {
    let fake = fake(listener);
    let adapter = fake.parents.lock().first().copied();
    let parents = adapter.into_iter().chain([fake.at()]).collect();
    let connector = make::<NDK_CONNECTOR>(fake.provider(), &fake.provider().connector, parents);
    let (event, context) = fake.state().event;
    fake.hold();
    // SAFETY: the number is the address of the callback that was passed for this, with this context.
    unsafe {
        let event = core::mem::transmute::<usize, NDK_FN_CONNECT_EVENT_CALLBACK>(event);
        event(ptr::with_exposed_provenance_mut(context), connector);
    }
    fake.release();
}

extern "efiapi" fn connect(
    connector: *mut NDK_CONNECTOR,
    qp: *mut NDK_QP,
    _source: *const SOCKADDR,
    _source_length: ULONG,
    _destination: *const SOCKADDR,
    _destination_length: ULONG,
    _inbound: ULONG,
    _outbound: ULONG,
    _data: *const VOID,
    _data_length: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    fake(connector).depend_on(At::of(qp));
    answer(fake(connector), completion, context)
}

extern "efiapi" fn connect_shared(
    connector: *mut NDK_CONNECTOR,
    qp: *mut NDK_QP,
    endpoint: *mut NDK_SHARED_ENDPOINT,
    _destination: *const SOCKADDR,
    _destination_length: ULONG,
    _inbound: ULONG,
    _outbound: ULONG,
    _data: *const VOID,
    _data_length: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    fake(connector).depend_on(At::of(qp));
    fake(connector).depend_on(At::of(endpoint));
    answer(fake(connector), completion, context)
}

/// Defines both functions that establish a connection, and remember a disconnect event of one of its two types.
macro_rules! establishing {
    ($complete:ident, $accept:ident, $event:ty) => {
        extern "efiapi" fn $complete(
            connector: *mut NDK_CONNECTOR,
            event: Option<$event>,
            event_context: PVOID,
            completion: Option<NDK_FN_REQUEST_COMPLETION>,
            context: PVOID,
        ) -> NTSTATUS {
            let fake = fake(connector);
            fake.state().event =
                (event.map_or(0, |f| Va::of(f as *const ()).get()), event_context.expose_provenance());
            answer(fake, completion, context)
        }

        extern "efiapi" fn $accept(
            connector: *mut NDK_CONNECTOR,
            qp: *mut NDK_QP,
            _inbound: ULONG,
            _outbound: ULONG,
            _data: *const VOID,
            _data_length: ULONG,
            event: Option<$event>,
            event_context: PVOID,
            completion: Option<NDK_FN_REQUEST_COMPLETION>,
            context: PVOID,
        ) -> NTSTATUS {
            fake(connector).depend_on(At::of(qp));
            $complete(connector, event, event_context, completion, context)
        }
    };
}

establishing!(complete_connect, accept, NDK_FN_DISCONNECT_EVENT_CALLBACK);
establishing!(complete_connect_ex, accept_ex, NDK_FN_DISCONNECT_EVENT_CALLBACK_EX);

extern "efiapi" fn reject(_connector: *mut NDK_CONNECTOR, _data: *const VOID, _length: ULONG) -> NTSTATUS {
    STATUS_SUCCESS
}

extern "efiapi" fn connection_data(
    _connector: *mut NDK_CONNECTOR,
    _inbound: *mut ULONG,
    _outbound: *mut ULONG,
    _data: PVOID,
    _length: *mut ULONG,
) -> NTSTATUS {
    STATUS_SUCCESS
}

/// Tells a connector's consumer that the peer has gone.
pub(crate) fn peer_disconnects(connector: *mut NDK_CONNECTOR) {
    let fake = fake(connector);
    let (event, context) = fake.state().event;
    fake.hold();
    // SAFETY: the number is the address of the callback that was passed for this, with this context.
    unsafe {
        let event = core::mem::transmute::<usize, NDK_FN_DISCONNECT_EVENT_CALLBACK>(event);
        event(ptr::with_exposed_provenance_mut(context));
    }
    fake.release();
}

pub(crate) const CONNECTOR: NDK_CONNECTOR_DISPATCH = NDK_CONNECTOR_DISPATCH {
    NdkCloseConnector: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkConnect: Some(connect),
    NdkConnectWithSharedEndpoint: Some(connect_shared),
    NdkCompleteConnect: Some(complete_connect),
    NdkAccept: Some(accept),
    NdkReject: Some(reject),
    NdkGetConnectionData: Some(connection_data),
    NdkGetLocalAddress: Some(connector_address),
    NdkGetPeerAddress: Some(connector_address),
    NdkDisconnect: Some(disconnect),
    NdkCompleteConnectEx: Some(complete_connect_ex),
    NdkAcceptEx: Some(accept_ex),
};
