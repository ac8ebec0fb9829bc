//! The functions of listening sockets, and their table.

use core::ffi::c_void;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::sockaddr::SOCKADDR;
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER};
use sys::wdm::IRP;
use sys::wsk::*;

use super::accept::{self, Accept};
use super::functions::{BASIC, WskBind, WskGetLocalAddress, enter};
use super::socket::Role;

/// The table of listening sockets.
pub(super) static LISTEN: WSK_PROVIDER_LISTEN_DISPATCH = WSK_PROVIDER_LISTEN_DISPATCH {
    Basic: BASIC,
    WskBind: Some(WskBind),
    WskAccept: Some(WskAccept),
    WskInspectComplete: Some(WskInspectComplete),
    WskGetLocalAddress: Some(WskGetLocalAddress),
};

exports! {
    "(WSK)";

    /// Waits for a connection.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskAccept(
        socket: *mut WSK_SOCKET,
        _flags: u32,
        context: *mut c_void,
        dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        local: *mut SOCKADDR,
        remote: *mut SOCKADDR,
        irp: *mut IRP,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a request of its own.
        let (call, request) = match unsafe { enter(socket, irp, "WskAccept") } {
            Ok(entered) => entered,
            Err(status) => return status,
        };
        let Role::Listen(listening) = &call.socket.role else {
            return request.complete(STATUS_INVALID_DEVICE_REQUEST);
        };
        let accept = Accept {
            request,
            context: Va::of(context),
            dispatch: Va::of(dispatch),
            local: Va::of(local),
            remote: Va::of(remote),
        };
        accept::accept(&call.socket, listening, accept)
    }

    /// Decides about a connection that was left undecided.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskInspectComplete(
        socket: *mut WSK_SOCKET,
        id: *mut WSK_INSPECT_ID,
        action: WSK_INSPECT_ACTION,
        irp: *mut IRP,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a request of its own.
        let (call, request) = match unsafe { enter(socket, irp, "WskInspectComplete") } {
            Ok(entered) => entered,
            Err(status) => return status,
        };
        // SAFETY: the driver passes the identity that it got.
        let id = unsafe { id.as_ref() };
        let (Role::Listen(listening), Some(id)) = (&call.socket.role, id) else {
            return request.complete(STATUS_INVALID_PARAMETER);
        };
        let admitted = match action {
            WSK_INSPECT_ACTION::WskInspectAccept => true,
            WSK_INSPECT_ACTION::WskInspectReject => false,
            _ => return request.complete(STATUS_INVALID_PARAMETER),
        };
        let outcome = accept::inspected(&call.socket, listening, id.SerialNumber, admitted);
        call.socket.answer(request, outcome)
    }
}
