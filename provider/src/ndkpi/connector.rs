//! The connector's table.

use core::ptr::NonNull;

use sys::ndk::{
    NDK_CONNECTOR, NDK_CONNECTOR_DISPATCH, NDK_FN_DISCONNECT_EVENT_CALLBACK,
    NDK_FN_DISCONNECT_EVENT_CALLBACK_EX, NDK_FN_REQUEST_COMPLETION, NDK_QP, NDK_SHARED_ENDPOINT, NDK_VERSION,
};
use sys::sockaddr::{PSOCKADDR, SOCKADDR};
use sys::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_CONNECTION_INVALID, STATUS_PENDING, STATUS_SUCCESS,
};
use sys::wdm::{PVOID, ULONG, VOID};

use super::{address, close, object, query_extension, request, status, ulong};
use crate::connection::{
    Connector, DisconnectEvent, Disconnected, Limits, MAX_PRIVATE_DATA, PrivateData, SharedEndpoint, Source,
    Way,
};
use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::object::Object;
use crate::port::LIMITS;
use crate::queue_pair::Qp;
use crate::status::Failure;

/// The functions of a connector.
pub(super) fn table<K: Kernel>() -> &'static NDK_CONNECTOR_DISPATCH {
    const {
        &NDK_CONNECTOR_DISPATCH {
            NdkCloseConnector: Some(close::<K, Connector<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkConnect: Some(connect::<K>),
            NdkConnectWithSharedEndpoint: Some(connect_with_shared_endpoint::<K>),
            NdkCompleteConnect: Some(complete_connect::<K>),
            NdkAccept: Some(accept::<K>),
            NdkReject: Some(reject::<K>),
            NdkGetConnectionData: Some(connection_data::<K>),
            NdkGetLocalAddress: Some(local_address::<K>),
            NdkGetPeerAddress: Some(peer_address::<K>),
            NdkDisconnect: Some(disconnect::<K>),
            NdkCompleteConnectEx: Some(complete_connect_ex::<K>),
            NdkAcceptEx: Some(accept_ex::<K>),
        }
    }
}

/// Makes the connector that a listener indicates.
///
/// # Errors
///
/// [`NoMemory`].
pub(crate) fn offered<K: Kernel>(
    version: NDK_VERSION,
    body: Connector<K>,
) -> Result<NonNull<Object<K, Connector<K>>>, NoMemory> {
    Object::create(version, table::<K>(), body)
}

/// Copies private data.
///
/// # Safety
///
/// `data` is null or has `length` readable bytes.
unsafe fn private_data(data: *const VOID, length: ULONG) -> Result<PrivateData, Failure> {
    let length = length as usize;
    if length == 0 {
        return Ok(PrivateData::empty());
    }
    if data.is_null() || length > MAX_PRIVATE_DATA {
        return Err(Failure::PARAMETER);
    }
    // SAFETY: not null, and so many readable bytes, which the consumer leaves alone during the call.
    let source = unsafe { core::slice::from_raw_parts(data.cast::<u8>(), length) };
    PrivateData::copy_of(source).ok_or(Failure::PARAMETER)
}

/// Caps what the consumer asks for to what the adapter has (CM-6).
fn limits(inbound: ULONG, outbound: ULONG) -> Limits {
    Limits { inbound: inbound.min(LIMITS.inbound), outbound: outbound.min(LIMITS.outbound) }
}

fn plain(event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>, context: PVOID) -> Option<DisconnectEvent> {
    event.map(|event| DisconnectEvent::Plain(event, Opaque(context)))
}

fn with_reason(
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    context: PVOID,
) -> Option<DisconnectEvent> {
    event.map(|event| DisconnectEvent::WithReason(event, Opaque(context)))
}

/// NdkConnect.
unsafe extern "win64" fn connect<K: Kernel>(
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
    let connecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        // SAFETY: the consumer passes a queue pair that it has not closed.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        let local = unsafe { address::read(source, source_length) }?;
        // SAFETY: as above.
        let remote = unsafe { address::read(destination, destination_length) }?;
        // SAFETY: as above.
        let data = unsafe { private_data(data, data_length) }?;
        let request = request(connector, completion, context)?;
        let way = Way { source: Source::Address(local), remote };
        connector.connect(qp, way, limits(inbound, outbound), data, request)?;
        Ok(STATUS_PENDING)
    };
    status(connecting())
}

/// NdkConnectWithSharedEndpoint.
unsafe extern "win64" fn connect_with_shared_endpoint<K: Kernel>(
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
    let connecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        // SAFETY: the consumer passes a queue pair that it has not closed.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        // SAFETY: the consumer passes an endpoint that it has not closed.
        let endpoint = unsafe { object::<K, SharedEndpoint<K>, _>(endpoint) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        let remote = unsafe { address::read(destination, destination_length) }?;
        // SAFETY: as above.
        let data = unsafe { private_data(data, data_length) }?;
        let request = request(connector, completion, context)?;
        let way = Way { source: Source::Shared(endpoint), remote };
        connector.connect(qp, way, limits(inbound, outbound), data, request)?;
        Ok(STATUS_PENDING)
    };
    status(connecting())
}

/// The common part of NdkAccept and NdkAcceptEx.
///
/// # Safety
///
/// The arguments are what the consumer passed to either.
unsafe fn accept_with<K: Kernel>(
    (connector, qp): (*mut NDK_CONNECTOR, *mut NDK_QP),
    limits: Limits,
    (data, data_length): (*const VOID, ULONG),
    event: Option<DisconnectEvent>,
    (completion, context): (Option<NDK_FN_REQUEST_COMPLETION>, PVOID),
) -> NTSTATUS {
    let accepting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        // SAFETY: the consumer passes a queue pair that it has not closed.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        let data = unsafe { private_data(data, data_length) }?;
        let request = request(connector, completion, context)?;
        connector.accept(qp, limits, data, event, request)?;
        Ok(STATUS_PENDING)
    };
    status(accepting())
}

/// NdkAccept.
unsafe extern "win64" fn accept<K: Kernel>(
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
    let event = plain(event, event_context);
    let (limits, data) = (limits(inbound, outbound), (data, data_length));
    // SAFETY: the arguments go on as they came.
    unsafe { accept_with::<K>((connector, qp), limits, data, event, (completion, context)) }
}

/// NdkAcceptEx.
unsafe extern "win64" fn accept_ex<K: Kernel>(
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
    let event = with_reason(event, event_context);
    let (limits, data) = (limits(inbound, outbound), (data, data_length));
    // SAFETY: the arguments go on as they came.
    unsafe { accept_with::<K>((connector, qp), limits, data, event, (completion, context)) }
}

/// The common part of NdkCompleteConnect and NdkCompleteConnectEx: always inline.
///
/// # Safety
///
/// `connector` is one that the consumer has not closed.
unsafe fn complete_with<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    event: Option<DisconnectEvent>,
) -> NTSTATUS {
    let completing = || {
        // SAFETY: as the caller promises.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        connector.complete_connect(event)?;
        Ok(STATUS_SUCCESS)
    };
    status(completing())
}

/// NdkCompleteConnect.
unsafe extern "win64" fn complete_connect<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
    event_context: PVOID,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    // SAFETY: the consumer passes a connector that it has not closed.
    unsafe { complete_with::<K>(connector, plain(event, event_context)) }
}

/// NdkCompleteConnectEx.
unsafe extern "win64" fn complete_connect_ex<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    event_context: PVOID,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    // SAFETY: the consumer passes a connector that it has not closed.
    unsafe { complete_with::<K>(connector, with_reason(event, event_context)) }
}

/// NdkReject, always inline.
unsafe extern "win64" fn reject<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    data: *const VOID,
    data_length: ULONG,
) -> NTSTATUS {
    let rejecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        connector.reject(unsafe { private_data(data, data_length) }?)?;
        Ok(STATUS_SUCCESS)
    };
    status(rejecting())
}

/// NdkDisconnect.
unsafe extern "win64" fn disconnect<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let disconnecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        Ok(match connector.disconnect(request(connector, completion, context)?)? {
            Disconnected::Pending => STATUS_PENDING,
            Disconnected::Done => STATUS_SUCCESS,
        })
    };
    status(disconnecting())
}

/// NdkGetConnectionData (CM-7): the length is in and out; too small a buffer gets what fits.
unsafe extern "win64" fn connection_data<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    inbound: *mut ULONG,
    outbound: *mut ULONG,
    buffer: PVOID,
    length: *mut ULONG,
) -> NTSTATUS {
    let given = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        let (limits, data) = connector.peer_data().ok_or(Failure(STATUS_CONNECTION_INVALID))?;
        for (place, limit) in [(inbound, limits.inbound), (outbound, limits.outbound)] {
            if !place.is_null() {
                // SAFETY: not null; the consumer passes a place for a limit.
                unsafe { place.write(limit) };
            }
        }
        if length.is_null() {
            return if buffer.is_null() { Ok(STATUS_SUCCESS) } else { Err(Failure::PARAMETER) };
        }
        let bytes = data.bytes();
        // SAFETY: not null; the consumer passes a place for a length.
        let room = unsafe { length.replace(ulong(bytes.len())) } as usize;
        if buffer.is_null() {
            return if room == 0 { Ok(STATUS_SUCCESS) } else { Err(Failure::PARAMETER) };
        }
        let count = room.min(bytes.len());
        // SAFETY: the consumer's buffer has room for so many bytes, and ours has them; they don't overlap.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast::<u8>(), count) };
        Ok(if room < bytes.len() { STATUS_BUFFER_TOO_SMALL } else { STATUS_SUCCESS })
    };
    status(given())
}

/// NdkGetLocalAddress of a connector.
unsafe extern "win64" fn local_address<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    buffer: PSOCKADDR,
    length: *mut ULONG,
) -> NTSTATUS {
    let written = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        let local = connector.local_address().ok_or(Failure(STATUS_CONNECTION_INVALID))?;
        // SAFETY: the consumer passes a length, and a buffer of that length.
        Ok(unsafe { address::write(local, buffer, length) })
    };
    status(written())
}

/// NdkGetPeerAddress.
unsafe extern "win64" fn peer_address<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    buffer: PSOCKADDR,
    length: *mut ULONG,
) -> NTSTATUS {
    let written = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        let peer = connector.peer_address().ok_or(Failure(STATUS_CONNECTION_INVALID))?;
        // SAFETY: the consumer passes a length, and a buffer of that length.
        Ok(unsafe { address::write(peer, buffer, length) })
    };
    status(written())
}
