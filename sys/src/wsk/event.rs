//! Events: what the provider calls of a client.
//!
//! Events are off until the client enables them by an option of the socket.

use super::{WSK_BUF, WSK_SOCKET};
use crate::sockaddr::SOCKADDR;
use crate::status::NTSTATUS;
use crate::wdm::{GUID, PVOID, SIZE_T, ULONG, ULONG_PTR};

layout! {
    /// A client's functions for a listening socket; each may be null.
    struct WSK_CLIENT_LISTEN_DISPATCH: 0x18 {
        /// A connection was accepted.
        0x00 => WskAcceptEvent: Option<PFN_WSK_ACCEPT_EVENT>,
        /// A connection is asked for.
        0x08 => WskInspectEvent: Option<PFN_WSK_INSPECT_EVENT>,
        /// A connection that was left undecided is gone.
        0x10 => WskAbortEvent: Option<PFN_WSK_ABORT_EVENT>,
    }

    /// A client's functions for a connection; each may be null.
    struct WSK_CLIENT_CONNECTION_DISPATCH: 0x18 {
        /// Data has come.
        0x00 => WskReceiveEvent: Option<PFN_WSK_RECEIVE_EVENT>,
        /// The peer has ended.
        0x08 => WskDisconnectEvent: Option<PFN_WSK_DISCONNECT_EVENT>,
        /// The ideal backlog of sends has changed.
        0x10 => WskSendBacklogEvent: Option<PFN_WSK_SEND_BACKLOG_EVENT>,
    }

    /// A client's functions for a datagram socket.
    struct WSK_CLIENT_DATAGRAM_DISPATCH: 0x8 {
        /// Datagrams have come.
        0x0 => WskReceiveFromEvent: Option<PFN_WSK_RECEIVE_FROM_EVENT>,
    }

    /// Data that has come.
    struct WSK_DATA_INDICATION: 0x20 {
        /// More of it, or null.
        0x00 => Next: *mut WSK_DATA_INDICATION,
        /// The data.
        0x08 => Buffer: WSK_BUF,
    }

    /// A datagram that has come.
    struct WSK_DATAGRAM_INDICATION: 0x38 {
        /// The next, or null.
        0x00 => Next: *mut WSK_DATAGRAM_INDICATION,
        /// The data.
        0x08 => Buffer: WSK_BUF,
        /// Ancillary data.
        0x20 => ControlInfo: PVOID,
        /// Its length, in bytes.
        0x28 => ControlInfoLength: ULONG,
        /// The address of its sender.
        0x30 => RemoteAddress: *mut SOCKADDR,
    }

    /// The identity of a connection that was left undecided.
    struct WSK_INSPECT_ID: 0x10 {
        /// Key.
        0x0 => Key: ULONG_PTR,
        /// Serial number.
        0x8 => SerialNumber: ULONG,
    }

    /// The events that a client enables.
    struct WSK_EVENT_CALLBACK_CONTROL: 0x10 {
        /// The interface whose events are enabled.
        0x0 => NpiId: *const GUID,
        /// `WSK_EVENT_…`.
        0x8 => EventMask: ULONG,
    }
}

open_enum! {
    /// Answers to a connection request.
    enum WSK_INSPECT_ACTION: i32 {
        /// Reject it.
        WskInspectReject = 0,
        /// Accept it.
        WskInspectAccept = 1,
        /// Leave it undecided for now.
        WskInspectPend = 2,
    }
}

constants! { ULONG:
    /// Changes of the ideal backlog.
    WSK_EVENT_SEND_BACKLOG = 0x10;
    /// Data.
    WSK_EVENT_RECEIVE = 0x40;
    /// The peer's end.
    WSK_EVENT_DISCONNECT = 0x80;
    /// Datagrams.
    WSK_EVENT_RECEIVE_FROM = 0x100;
    /// Connections.
    WSK_EVENT_ACCEPT = 0x200;
    /// Disable in place of enable.
    WSK_EVENT_DISABLE = 0x8000_0000;
}

constants! { ULONG:
    /// The data is to be given back soon.
    WSK_FLAG_RELEASE_ASAP = 0x2;
    /// The data is all there is for now.
    WSK_FLAG_ENTIRE_MESSAGE = 0x4;
    /// The event is called at DISPATCH_LEVEL.
    WSK_FLAG_AT_DISPATCH_LEVEL = 0x8;
}

/// A connection was accepted; a null socket says that the listening socket is dead.
pub type PFN_WSK_ACCEPT_EVENT = unsafe extern "efiapi" fn(
    SocketContext: PVOID,
    Flags: ULONG,
    LocalAddress: *const SOCKADDR,
    RemoteAddress: *const SOCKADDR,
    AcceptSocket: *mut WSK_SOCKET,
    AcceptSocketContext: *mut PVOID,
    AcceptSocketDispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS;

/// A connection is asked for.
pub type PFN_WSK_INSPECT_EVENT = unsafe extern "efiapi" fn(
    SocketContext: PVOID,
    LocalAddress: *const SOCKADDR,
    RemoteAddress: *const SOCKADDR,
    InspectID: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION;

/// A connection that was left undecided is gone.
pub type PFN_WSK_ABORT_EVENT =
    unsafe extern "efiapi" fn(SocketContext: PVOID, InspectID: *mut WSK_INSPECT_ID) -> NTSTATUS;

/// Data has come; none says that the connection is dead.
pub type PFN_WSK_RECEIVE_EVENT = unsafe extern "efiapi" fn(
    SocketContext: PVOID,
    Flags: ULONG,
    DataIndication: *mut WSK_DATA_INDICATION,
    BytesIndicated: SIZE_T,
    BytesAccepted: *mut SIZE_T,
) -> NTSTATUS;

/// The peer has ended.
pub type PFN_WSK_DISCONNECT_EVENT = unsafe extern "efiapi" fn(SocketContext: PVOID, Flags: ULONG) -> NTSTATUS;

/// The ideal backlog of sends has changed.
pub type PFN_WSK_SEND_BACKLOG_EVENT =
    unsafe extern "efiapi" fn(SocketContext: PVOID, IdealBacklogSize: SIZE_T) -> NTSTATUS;

/// Datagrams have come; none says that the socket is dead.
pub type PFN_WSK_RECEIVE_FROM_EVENT = unsafe extern "efiapi" fn(
    SocketContext: PVOID,
    Flags: ULONG,
    DataIndication: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS;
