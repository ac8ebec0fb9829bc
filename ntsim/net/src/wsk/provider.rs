//! The provider's dispatch table.

use core::ffi::c_void;

use std::sync::Arc;

use nt::fault;
use ntsim_core::address::Va;
use ntsim_core::exports;
use parking_lot::Mutex;
use sys::sockaddr::{ADDRESS_FAMILY, AF_INET, AF_INET6, SOCKADDR};
use sys::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use sys::wdm::{GUID, IRP, UNICODE_STRING};
use sys::wsk::*;

use super::client::{Client, found};
use super::request::{Outcome, Request};
use super::socket::{Callbacks, Role, Socket};
use super::{address, connect, ndk};

static DISPATCH: WSK_PROVIDER_DISPATCH = WSK_PROVIDER_DISPATCH {
    Version: MAKE_WSK_VERSION(1, 0),
    Reserved: 0,
    WskSocket: Some(WskSocket),
    WskSocketConnect: Some(WskSocketConnect),
    WskControlClient: Some(WskControlClient),
    WskGetAddressInfo: Some(WskGetAddressInfo),
    WskFreeAddressInfo: Some(WskFreeAddressInfo),
    WskGetNameInfo: Some(WskGetNameInfo),
};

/// The table.
pub(super) fn dispatch() -> *const WSK_PROVIDER_DISPATCH {
    &raw const DISPATCH
}

/// The success of a function that makes a socket.
fn got(socket: &Socket) -> Outcome {
    Outcome { status: STATUS_SUCCESS, information: socket.address().get() }
}

/// Makes a socket over TCP.
///
/// # Errors
/// STATUS_NOT_SUPPORTED for another transport, STATUS_INSUFFICIENT_RESOURCES.
fn make(
    client: Arc<Client>,
    family: ADDRESS_FAMILY,
    (kind, protocol): (u16, u32),
    role: Role,
    (context, dispatch): (Va, Va),
) -> Result<Arc<Socket>, NTSTATUS> {
    if !matches!(family, AF_INET | AF_INET6) || kind != SOCK_STREAM || protocol != IPPROTO_TCP {
        return Err(STATUS_NOT_SUPPORTED);
    }
    if fault::strikes() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    let end = Socket::open_end(family)?;
    let callbacks = Callbacks { context, dispatch, ..Callbacks::default() };
    Socket::new(client, family, end, role, callbacks).ok_or(STATUS_INSUFFICIENT_RESOURCES)
}

/// Completes the caller's request, as every function that takes one does, and returns its status.
///
/// # Safety
/// `irp` is null or a request of the caller's.
unsafe fn answer(irp: *mut IRP, status: NTSTATUS) -> NTSTATUS {
    if irp.is_null() {
        return status;
    }
    // SAFETY: the caller's contract.
    unsafe { Request::take(irp, "a function of the provider") }
        .map_or_else(|status| status, |request| request.complete(status))
}

exports! {
    "(WSK)";

    /// Makes a socket: one that listens, or one that connects, over TCP.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskSocket(
        client: *mut WSK_CLIENT,
        family: ADDRESS_FAMILY,
        kind: u16,
        protocol: u32,
        flags: u32,
        context: *mut c_void,
        dispatch: *const c_void,
        _process: *mut c_void,
        _thread: *mut c_void,
        _security: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let client = Client::calling(client, "WskSocket");
        // SAFETY: the client passes a request of its own.
        let request = match unsafe { Request::take(irp, "WskSocket") } {
            Ok(request) => request,
            Err(status) => return status,
        };
        let Some(client) = client else { return request.complete(STATUS_INVALID_PARAMETER) };
        let role = match flags {
            WSK_FLAG_LISTEN_SOCKET => Role::Listen(Mutex::default()),
            WSK_FLAG_CONNECTION_SOCKET => Role::Connection(Box::default()),
            _ => return request.complete(STATUS_NOT_SUPPORTED),
        };
        match make(client, family, (kind, protocol), role, (Va::of(context), Va::of(dispatch))) {
            Ok(socket) => socket.answer(request, got(&socket)),
            Err(status) => request.complete(status),
        }
    }

    /// Makes, binds and connects a socket.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskSocketConnect(
        client: *mut WSK_CLIENT,
        kind: u16,
        protocol: u32,
        local: *const SOCKADDR,
        remote: *const SOCKADDR,
        _flags: u32,
        context: *mut c_void,
        dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        _process: *mut c_void,
        _thread: *mut c_void,
        _security: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let client = Client::calling(client, "WskSocketConnect");
        // SAFETY: the client passes a request of its own.
        let request = match unsafe { Request::take(irp, "WskSocketConnect") } {
            Ok(request) => request,
            Err(status) => return status,
        };
        // SAFETY: the client passes addresses.
        let addresses = (unsafe { address::read(local) }, unsafe { address::read(remote) });
        let (Some(client), (Some(local), Some(remote))) = (client, addresses) else {
            return request.complete(STATUS_INVALID_PARAMETER);
        };
        let role = Role::Connection(Box::default());
        let callbacks = (Va::of(context), Va::of(dispatch));
        let socket = match make(client, address::family(local), (kind, protocol), role, callbacks) {
            Ok(socket) => socket,
            Err(status) => return request.complete(status),
        };
        if let Err(status) = socket.bind(local) {
            socket.discard();
            return request.complete(status);
        }
        let Some(connection) = socket.connection() else { return STATUS_NOT_SUPPORTED };
        connect::connect(&socket, connection, remote, request, got(&socket))
    }

    /// Controls a client; the only code that is known here leads to RDMA adapters.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskControlClient(
        client: *mut WSK_CLIENT,
        code: u32,
        input_size: usize,
        _input: *mut c_void,
        output_size: usize,
        output: *mut c_void,
        returned: *mut usize,
        irp: *mut IRP,
    ) -> NTSTATUS {
        if Client::calling(client, "WskControlClient").is_none() {
            return STATUS_INVALID_PARAMETER;
        }
        if code != WSKNDK_GET_WSK_PROVIDER_NDK_DISPATCH {
            // SAFETY: the client passes a request of its own.
            return unsafe { answer(irp, STATUS_NOT_SUPPORTED) };
        }
        if input_size != 0
            || output_size != size_of::<WSK_PROVIDER_NDK_DISPATCH>()
            || output.is_null()
            || !irp.is_null()
        {
            found(
                "WskControlClient",
                "the control code for RDMA takes a table's room and neither input nor request".into(),
            );
            // SAFETY: the client passes a request of its own.
            return unsafe { answer(irp, STATUS_INVALID_PARAMETER) };
        }
        // SAFETY: the client passes room for the table.
        unsafe { output.cast::<WSK_PROVIDER_NDK_DISPATCH>().write(ndk::DISPATCH) };
        if !returned.is_null() {
            // SAFETY: the client passes room for the size.
            unsafe { returned.write(output_size) };
        }
        STATUS_SUCCESS
    }

    /// Resolves a name; there is nothing to resolve it with here.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskGetAddressInfo(
        client: *mut WSK_CLIENT,
        _node: *mut UNICODE_STRING,
        _service: *mut UNICODE_STRING,
        _namespace: u32,
        _provider: *const GUID,
        _hints: *mut c_void,
        _result: *mut *mut c_void,
        _process: *mut c_void,
        _thread: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let _ = Client::calling(client, "WskGetAddressInfo");
        // SAFETY: the client passes a request of its own.
        unsafe { answer(irp, STATUS_NOT_SUPPORTED) }
    }

    /// Frees what a resolution yielded; none does.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskFreeAddressInfo(_client: *mut WSK_CLIENT, info: *mut c_void) {
        found("WskFreeAddressInfo", format!("{info:p} did not come from WskGetAddressInfo"));
    }

    /// Finds the name of an address; there is nothing to find it with here.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskGetNameInfo(
        client: *mut WSK_CLIENT,
        _address: *const SOCKADDR,
        _length: u32,
        _node: *mut UNICODE_STRING,
        _service: *mut UNICODE_STRING,
        _flags: u32,
        _process: *mut c_void,
        _thread: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let _ = Client::calling(client, "WskGetNameInfo");
        // SAFETY: the client passes a request of its own.
        unsafe { answer(irp, STATUS_NOT_SUPPORTED) }
    }
}
