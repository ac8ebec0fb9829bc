//! The connector's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

mod establish;

use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::ndk::{NDK_CONNECTOR, NDK_CONNECTOR_DISPATCH, NDK_FN_REQUEST_COMPLETION, NDK_VERSION};
use sys::sockaddr::PSOCKADDR;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_CONNECTION_INVALID, STATUS_PENDING, STATUS_SUCCESS,
};
use sys::wdm::{PVOID, ULONG, VOID};

use self::establish::{
    accept, accept_ex, complete_connect, complete_connect_ex, connect, connect_with_shared_endpoint,
};
use super::{address, close, object, query_extension, request, status, ulong};
use crate::connection::{Connector, Disconnected, MAX_PRIVATE_DATA, PrivateData};
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, Status};
use crate::number::usize_from;
use crate::object::Object;
use crate::status::StatusError;

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
pub(crate) fn requested<K: Kernel>(
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
unsafe fn private_data(data: *const VOID, length: ULONG) -> Result<PrivateData, StatusError> {
    let length = usize_from(length);
    if length == 0 {
        return Ok(PrivateData::empty());
    }
    if data.is_null() || length > MAX_PRIVATE_DATA {
        return Err(StatusError::PARAMETER);
    }
    // SAFETY: not null, and so many readable bytes, which the consumer leaves alone during the call.
    let source = unsafe { core::slice::from_raw_parts(data.cast::<u8>(), length) };
    PrivateData::copy_of(source).ok_or(StatusError::PARAMETER)
}

/// The local and the peer's address of a connector, for an event; none if no session listens. Taken before the call, in
/// which the consumer may close the connector.
fn traced_addresses<K: Kernel>(
    connector: &Object<K, Connector<K>>,
) -> (Option<SocketAddr>, Option<SocketAddr>) {
    if K::is_traced() { (connector.local_address(), connector.peer_address()) } else { (None, None) }
}

/// NdkReject, always inline.
unsafe extern "efiapi" fn reject<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    data: *const VOID,
    data_length: ULONG,
) -> NTSTATUS {
    let mut addresses = (None, None);
    let mut rejecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        addresses = traced_addresses(connector);
        // SAFETY: the consumer passes as many bytes as it says.
        connector.reject(unsafe { private_data(data, data_length) }?)?;
        Ok(STATUS_SUCCESS)
    };
    let status = status(rejecting());
    let (object, (local, remote)) = (Handle(connector.addr()), addresses);
    event::write::<K>(|| Event::Reject { object, local, remote, status: Status(status) });
    status
}

/// NdkDisconnect.
unsafe extern "efiapi" fn disconnect<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let mut addresses = (None, None);
    let mut disconnecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        addresses = traced_addresses(connector);
        Ok(match connector.disconnect(request(connector, completion, context)?)? {
            Disconnected::Pending => STATUS_PENDING,
            Disconnected::Done => STATUS_SUCCESS,
        })
    };
    let status = status(disconnecting());
    let (object, (local, remote)) = (Handle(connector.addr()), addresses);
    event::write::<K>(|| Event::Disconnect { object, local, remote, status: Status(status) });
    status
}

/// NdkGetConnectionData (CM-7): the length is in and out; too small a buffer gets what fits.
unsafe extern "efiapi" fn connection_data<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    inbound: *mut ULONG,
    outbound: *mut ULONG,
    buffer: PVOID,
    length: *mut ULONG,
) -> NTSTATUS {
    let given = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        let (limits, data) = connector.peer_data().ok_or(StatusError(STATUS_CONNECTION_INVALID))?;
        // SAFETY: null, or the consumer passes a place for a length.
        let room = unsafe { length.as_ref() }.map(|length| usize_from(*length));
        // All is checked before anything is written.
        let room = match (room, buffer.is_null()) {
            (None | Some(0), true) => 0,
            (Some(room), false) => room,
            (None, false) | (Some(_), true) => return Err(StatusError::PARAMETER),
        };
        for (place, limit) in [(inbound, limits.inbound), (outbound, limits.outbound)] {
            if !place.is_null() {
                // SAFETY: not null; the consumer passes a place for a limit.
                unsafe { place.write(limit) };
            }
        }
        let bytes = data.bytes();
        if !length.is_null() {
            // SAFETY: not null; the consumer passes a place for a length.
            unsafe { length.write(ulong(bytes.len())) };
        }
        if buffer.is_null() {
            return Ok(STATUS_SUCCESS);
        }
        let count = room.min(bytes.len());
        // SAFETY: the consumer's buffer has room for so many bytes, and ours has them; they don't overlap.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast::<u8>(), count) };
        Ok(if room < bytes.len() { STATUS_BUFFER_TOO_SMALL } else { STATUS_SUCCESS })
    };
    status(given())
}

/// Writes one of a connector's two addresses, if it has it.
///
/// # Safety
///
/// The arguments are what the consumer passed.
unsafe fn write_address<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    which: impl FnOnce(&Connector<K>) -> Option<SocketAddr>,
    (buffer, length): (PSOCKADDR, *mut ULONG),
) -> NTSTATUS {
    let written = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        let address = which(connector).ok_or(StatusError(STATUS_CONNECTION_INVALID))?;
        // SAFETY: the consumer passes a length, and a buffer of that length.
        Ok(unsafe { address::write(address, buffer, length) })
    };
    status(written())
}

/// NdkGetLocalAddress of a connector.
unsafe extern "efiapi" fn local_address<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    buffer: PSOCKADDR,
    length: *mut ULONG,
) -> NTSTATUS {
    // SAFETY: the arguments go on as they came.
    unsafe { write_address::<K>(connector, Connector::local_address, (buffer, length)) }
}

/// NdkGetPeerAddress.
unsafe extern "efiapi" fn peer_address<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    buffer: PSOCKADDR,
    length: *mut ULONG,
) -> NTSTATUS {
    // SAFETY: the arguments go on as they came.
    unsafe { write_address::<K>(connector, Connector::peer_address, (buffer, length)) }
}
