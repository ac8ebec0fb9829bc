//! The functions of sockets, and the table of connection-oriented ones.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::IRP;
use sys::wsk::*;

use super::buffer::Pieces;
use super::option::{self, Control};
use super::request::Request;
use super::socket::{self, Call, Connection, Socket};
use super::{address, connect, input, output};

/// The functions of every socket.
pub(super) const BASIC: WSK_PROVIDER_BASIC_DISPATCH = WSK_PROVIDER_BASIC_DISPATCH {
    WskControlSocket: Some(WskControlSocket),
    WskCloseSocket: Some(WskCloseSocket),
};

/// The table of connection-oriented sockets.
pub(super) static CONNECTION: Connections = Connections(WSK_PROVIDER_CONNECTION_DISPATCH {
    Basic: BASIC,
    WskBind: Some(WskBind),
    WskConnect: Some(WskConnect),
    WskGetLocalAddress: Some(WskGetLocalAddress),
    WskGetRemoteAddress: Some(WskGetRemoteAddress),
    WskSend: Some(WskSend),
    WskReceive: Some(WskReceive),
    WskDisconnect: Some(WskDisconnect),
    WskRelease: Some(WskRelease),
    WskConnectEx: None,
    WskSendEx: ptr::null_mut(),
    WskReceiveEx: ptr::null_mut(),
});

/// A table that has pointers for functions without a known type; all of them are null.
#[repr(transparent)]
pub(super) struct Connections(WSK_PROVIDER_CONNECTION_DISPATCH);

// SAFETY: the table never changes.
unsafe impl Sync for Connections {}

/// Begins a call that takes a request.
///
/// # Errors
/// The status for the caller; the request was completed with it, if it could be taken.
///
/// # Safety
/// `irp` is a request of the driver's.
pub(super) unsafe fn enter(
    socket: *mut WSK_SOCKET,
    irp: *mut IRP,
    function: &'static str,
) -> Result<(Call, Request), NTSTATUS> {
    let call = socket::call(socket, function);
    // SAFETY: the caller's contract.
    let request = unsafe { Request::take(irp, function) }?;
    match call {
        Ok(call) => Ok((call, request)),
        Err(status) => Err(request.complete(status)),
    }
}

/// As [`enter`], of a connection.
///
/// # Safety
/// As for [`enter`].
unsafe fn enter_connection(
    socket: *mut WSK_SOCKET,
    irp: *mut IRP,
    function: &'static str,
    body: impl FnOnce(&Call, &Connection, Request) -> NTSTATUS,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let (call, request) = match unsafe { enter(socket, irp, function) } {
        Ok(entered) => entered,
        Err(status) => return status,
    };
    match call.socket.connection() {
        Some(connection) => body(&call, connection, request),
        None => request.complete(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// The address that a driver passes, of the socket's family.
///
/// # Safety
/// As for [`address::read`].
unsafe fn own_family(socket: &Socket, at: *const SOCKADDR) -> Option<core::net::SocketAddr> {
    // SAFETY: the caller's contract.
    unsafe { address::read(at) }.filter(|address| address::family(*address) == socket.family)
}

/// The bytes that a driver passes.
///
/// # Safety
/// There are `size` bytes at `start` that only this call uses, or `start` is null.
unsafe fn bytes<'a>(start: *mut c_void, size: usize) -> &'a mut [u8] {
    if start.is_null() {
        return &mut [];
    }
    // SAFETY: the caller's contract.
    unsafe { core::slice::from_raw_parts_mut(start.cast(), size) }
}

exports! {
    "(WSK)";

    /// Sets or asks an option.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskControlSocket(
        socket: *mut WSK_SOCKET,
        kind: WSK_CONTROL_SOCKET_TYPE,
        code: u32,
        level: u32,
        input_size: usize,
        input: *mut c_void,
        output_size: usize,
        output: *mut c_void,
        _returned: *mut usize,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let call = socket::call(socket, "WskControlSocket");
        let request = if irp.is_null() {
            None
        } else {
            // SAFETY: the driver passes a request of its own.
            match unsafe { Request::take(irp, "WskControlSocket") } {
                Ok(request) => Some(request),
                Err(status) => return status,
            }
        };
        let call = match (call, request) {
            (Ok(call), request) => (call, request),
            (Err(status), Some(request)) => return request.complete(status),
            (Err(status), None) => return status,
        };
        // SAFETY: the driver passes the buffers with their sizes.
        let input = unsafe { bytes(input, input_size) };
        // SAFETY: as above.
        let output = unsafe { bytes(output, output_size) };
        option::control(&call.0.socket, Control { kind, code, level, input, output }, call.1)
    }

    /// Closes a socket.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskCloseSocket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: the driver passes a request of its own.
        let (call, request) = match unsafe { enter(socket, irp, "WskCloseSocket") } {
            Ok(entered) => entered,
            Err(status) => return status,
        };
        let socket = call.socket.clone();
        // The close itself is no call in progress.
        drop(call);
        socket.close(request)
    }

    /// Binds a socket to a local address.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskBind(socket: *mut WSK_SOCKET, local: *const SOCKADDR, _flags: u32, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: the driver passes a request of its own.
        let (call, request) = match unsafe { enter(socket, irp, "WskBind") } {
            Ok(entered) => entered,
            Err(status) => return status,
        };
        // SAFETY: the driver passes an address.
        let outcome = match unsafe { own_family(&call.socket, local) } {
            Some(local) => call.socket.bind(local).err().unwrap_or(STATUS_SUCCESS),
            None => STATUS_INVALID_PARAMETER,
        };
        call.socket.answer(request, outcome)
    }

    /// Connects a socket.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskConnect(socket: *mut WSK_SOCKET, remote: *const SOCKADDR, _flags: u32, irp: *mut IRP) -> NTSTATUS {
        let body = |call: &Call, connection: &Connection, request: Request| {
            // SAFETY: the driver passes an address.
            match unsafe { own_family(&call.socket, remote) } {
                Some(remote) => connect::connect(&call.socket, connection, remote, request, STATUS_SUCCESS.into()),
                None => request.complete(STATUS_INVALID_PARAMETER),
            }
        };
        // SAFETY: the driver passes a request of its own.
        unsafe { enter_connection(socket, irp, "WskConnect", body) }
    }

    /// Reads the local address.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskGetLocalAddress(socket: *mut WSK_SOCKET, local: *mut SOCKADDR, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: the driver passes a request of its own.
        let (call, request) = match unsafe { enter(socket, irp, "WskGetLocalAddress") } {
            Ok(entered) => entered,
            Err(status) => return status,
        };
        let Some(address) = call.socket.end.local() else {
            return call.socket.answer(request, STATUS_INVALID_DEVICE_STATE);
        };
        // SAFETY: the driver passes room for an address.
        unsafe { address::write(local, address) };
        call.socket.answer(request, STATUS_SUCCESS)
    }

    /// Reads the peer's address.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskGetRemoteAddress(socket: *mut WSK_SOCKET, remote: *mut SOCKADDR, irp: *mut IRP) -> NTSTATUS {
        let body = |call: &Call, _: &Connection, request: Request| {
            let Some(address) = call.socket.end.remote() else {
                return call.socket.answer(request, STATUS_INVALID_DEVICE_STATE);
            };
            // SAFETY: the driver passes room for an address.
            unsafe { address::write(remote, address) };
            call.socket.answer(request, STATUS_SUCCESS)
        };
        // SAFETY: the driver passes a request of its own.
        unsafe { enter_connection(socket, irp, "WskGetRemoteAddress", body) }
    }

    /// Sends.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskSend(socket: *mut WSK_SOCKET, buffer: *mut WSK_BUF, _flags: u32, irp: *mut IRP) -> NTSTATUS {
        let body = |call: &Call, connection: &Connection, request: Request| {
            // SAFETY: the driver passes a buffer.
            match unsafe { Pieces::read(buffer, "WskSend") } {
                Ok(pieces) => output::send(&call.socket, connection, request, pieces),
                Err(status) => request.complete(status),
            }
        };
        // SAFETY: the driver passes a request of its own.
        unsafe { enter_connection(socket, irp, "WskSend", body) }
    }

    /// Receives.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskReceive(socket: *mut WSK_SOCKET, buffer: *mut WSK_BUF, flags: u32, irp: *mut IRP) -> NTSTATUS {
        let body = |call: &Call, connection: &Connection, request: Request| {
            // SAFETY: the driver passes a buffer.
            match unsafe { Pieces::read(buffer, "WskReceive") } {
                Ok(pieces) => input::receive(&call.socket, connection, request, pieces, flags),
                Err(status) => request.complete(status),
            }
        };
        // SAFETY: the driver passes a request of its own.
        unsafe { enter_connection(socket, irp, "WskReceive", body) }
    }

    /// Disconnects a connection, after sending the last bytes or at once.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskDisconnect(socket: *mut WSK_SOCKET, buffer: *mut WSK_BUF, flags: u32, irp: *mut IRP) -> NTSTATUS {
        let body = |call: &Call, connection: &Connection, request: Request| {
            if flags & WSK_FLAG_ABORTIVE != 0 {
                if !buffer.is_null() {
                    return request.complete(STATUS_INVALID_PARAMETER);
                }
                return output::abort(&call.socket, connection, request);
            }
            // SAFETY: the driver passes a buffer or null.
            let last = match unsafe { buffer.as_ref() } {
                // SAFETY: the driver passes a buffer.
                Some(_) => match unsafe { Pieces::read(buffer, "WskDisconnect") } {
                    Ok(pieces) => Some(pieces),
                    Err(status) => return request.complete(status),
                },
                None => None,
            };
            output::disconnect(&call.socket, connection, request, last)
        };
        // SAFETY: the driver passes a request of its own.
        unsafe { enter_connection(socket, irp, "WskDisconnect", body) }
    }

    /// Takes back data that was retained.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskRelease(socket: *mut WSK_SOCKET, indication: *mut WSK_DATA_INDICATION) -> NTSTATUS {
        let call = match socket::call(socket, "WskRelease") {
            Ok(call) => call,
            Err(status) => return status,
        };
        match call.socket.connection() {
            Some(connection) => input::release(connection, Va::of(indication)),
            None => STATUS_INVALID_PARAMETER,
        }
    }
}
