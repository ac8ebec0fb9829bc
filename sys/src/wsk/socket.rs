//! Sockets: the provider's tables, one for each category of socket, and their functions.

use super::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_INSPECT_ACTION,
    WSK_INSPECT_ID,
};
use crate::sockaddr::SOCKADDR;
use crate::status::NTSTATUS;
use crate::wdm::{IRP, PMDL, PVOID, SIZE_T, ULONG, VOID};

layout! {
    /// A socket: the table that belongs to its category, and whatever the provider keeps behind it.
    struct WSK_SOCKET: 0x8 {
        /// The provider's functions for this category of socket.
        0x0 => Dispatch: *const VOID,
    }

    /// A buffer: a part of an MDL chain.
    struct WSK_BUF: 0x18 {
        /// The chain.
        0x00 => Mdl: PMDL,
        /// Offset of the buffer in the first MDL.
        0x08 => Offset: ULONG,
        /// Its length, in bytes.
        0x10 => Length: SIZE_T,
    }

    /// A list of buffers.
    struct WSK_BUF_LIST: 0x20 {
        /// The next, or null.
        0x00 => Next: *mut WSK_BUF_LIST,
        /// The buffer.
        0x08 => Buffer: WSK_BUF,
    }

    /// Functions of every socket.
    struct WSK_PROVIDER_BASIC_DISPATCH: 0x10 {
        /// Sets or asks an option.
        0x0 => WskControlSocket: Option<PFN_WSK_CONTROL_SOCKET>,
        /// Closes the socket.
        0x8 => WskCloseSocket: Option<PFN_WSK_CLOSE_SOCKET>,
    }

    /// Functions of a listening socket.
    struct WSK_PROVIDER_LISTEN_DISPATCH: 0x30 {
        /// Functions of every socket.
        0x00 => Basic: WSK_PROVIDER_BASIC_DISPATCH,
        /// Binds it to a local address.
        0x10 => WskBind: Option<PFN_WSK_BIND>,
        /// Waits for a connection.
        0x18 => WskAccept: Option<PFN_WSK_ACCEPT>,
        /// Decides about a connection that was left undecided.
        0x20 => WskInspectComplete: Option<PFN_WSK_INSPECT_COMPLETE>,
        /// Reads the local address.
        0x28 => WskGetLocalAddress: Option<PFN_WSK_GET_LOCAL_ADDRESS>,
    }

    /// Functions of a connection. The last three are new in Windows 10; older tables end before them.
    struct WSK_PROVIDER_CONNECTION_DISPATCH: 0x68 {
        /// Functions of every socket.
        0x00 => Basic: WSK_PROVIDER_BASIC_DISPATCH,
        /// Binds it to a local address.
        0x10 => WskBind: Option<PFN_WSK_BIND>,
        /// Connects it.
        0x18 => WskConnect: Option<PFN_WSK_CONNECT>,
        /// Reads the local address.
        0x20 => WskGetLocalAddress: Option<PFN_WSK_GET_LOCAL_ADDRESS>,
        /// Reads the peer's address.
        0x28 => WskGetRemoteAddress: Option<PFN_WSK_GET_REMOTE_ADDRESS>,
        /// Sends.
        0x30 => WskSend: Option<PFN_WSK_SEND>,
        /// Receives.
        0x38 => WskReceive: Option<PFN_WSK_RECEIVE>,
        /// Disconnects.
        0x40 => WskDisconnect: Option<PFN_WSK_DISCONNECT>,
        /// Gives indicated data back.
        0x48 => WskRelease: Option<PFN_WSK_RELEASE_DATA_INDICATION_LIST>,
        /// Connects it and sends the first data.
        0x50 => WskConnectEx: Option<PFN_WSK_CONNECT_EX>,
        /// Undocumented parameters.
        0x58 => WskSendEx: PVOID,
        /// Undocumented parameters.
        0x60 => WskReceiveEx: PVOID,
    }

    /// Functions of a datagram socket.
    struct WSK_PROVIDER_DATAGRAM_DISPATCH: 0x40 {
        /// Functions of every socket.
        0x00 => Basic: WSK_PROVIDER_BASIC_DISPATCH,
        /// Binds it to a local address.
        0x10 => WskBind: Option<PFN_WSK_BIND>,
        /// Sends a datagram.
        0x18 => WskSendTo: Option<PFN_WSK_SEND_TO>,
        /// Receives a datagram.
        0x20 => WskReceiveFrom: Option<PFN_WSK_RECEIVE_FROM>,
        /// Gives indicated datagrams back.
        0x28 => WskRelease: Option<PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST>,
        /// Reads the local address.
        0x30 => WskGetLocalAddress: Option<PFN_WSK_GET_LOCAL_ADDRESS>,
        /// Sends several datagrams.
        0x38 => WskSendMessages: Option<PFN_WSK_SEND_MESSAGES>,
    }
}

open_enum! {
    /// Operations on an option.
    enum WSK_CONTROL_SOCKET_TYPE: i32 {
        /// Set it.
        WskSetOption = 0,
        /// Ask for it.
        WskGetOption = 1,
        /// Send a control code.
        WskIoctl = 2,
    }
}

constants! { ULONG:
    /// A socket for options only.
    WSK_FLAG_BASIC_SOCKET = 0x0;
    /// A socket that listens.
    WSK_FLAG_LISTEN_SOCKET = 0x1;
    /// A socket that connects.
    WSK_FLAG_CONNECTION_SOCKET = 0x2;
    /// A socket for datagrams.
    WSK_FLAG_DATAGRAM_SOCKET = 0x4;
    /// A socket that will listen or connect.
    WSK_FLAG_STREAM_SOCKET = 0x8;
}

constants! { ULONG:
    /// Send: do not wait for more.
    WSK_FLAG_NODELAY = 0x2;
}

constants! { ULONG:
    /// Receive: until the buffer is full.
    WSK_FLAG_WAITALL = 0x2;
    /// Receive: until the peer has ended, discarding.
    WSK_FLAG_DRAIN = 0x4;
}

constants! { ULONG:
    /// Disconnect: at once, discarding.
    WSK_FLAG_ABORTIVE = 0x1;
}

/// Sets or asks an option.
pub type PFN_WSK_CONTROL_SOCKET = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    RequestType: WSK_CONTROL_SOCKET_TYPE,
    ControlCode: ULONG,
    Level: ULONG,
    InputSize: SIZE_T,
    InputBuffer: PVOID,
    OutputSize: SIZE_T,
    OutputBuffer: PVOID,
    OutputSizeReturned: *mut SIZE_T,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Closes a socket, which cancels what is outstanding.
pub type PFN_WSK_CLOSE_SOCKET = unsafe extern "efiapi" fn(Socket: *mut WSK_SOCKET, Irp: *mut IRP) -> NTSTATUS;

/// Binds a socket to a local address.
pub type PFN_WSK_BIND = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    LocalAddress: *const SOCKADDR,
    Flags: ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Waits for a connection; the request's information is its socket.
pub type PFN_WSK_ACCEPT = unsafe extern "efiapi" fn(
    ListenSocket: *mut WSK_SOCKET,
    Flags: ULONG,
    AcceptSocketContext: PVOID,
    AcceptSocketDispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
    LocalAddress: *mut SOCKADDR,
    RemoteAddress: *mut SOCKADDR,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Decides about a connection that was left undecided.
pub type PFN_WSK_INSPECT_COMPLETE = unsafe extern "efiapi" fn(
    ListenSocket: *mut WSK_SOCKET,
    InspectID: *mut WSK_INSPECT_ID,
    Action: WSK_INSPECT_ACTION,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Connects a socket.
pub type PFN_WSK_CONNECT = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    RemoteAddress: *const SOCKADDR,
    Flags: ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Connects a socket and sends the first data.
pub type PFN_WSK_CONNECT_EX = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    RemoteAddress: *const SOCKADDR,
    Buffer: *mut WSK_BUF,
    Flags: ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Begins to listen on a stream socket.
pub type PFN_WSK_LISTEN = unsafe extern "efiapi" fn(Socket: *mut WSK_SOCKET, Irp: *mut IRP) -> NTSTATUS;

/// Reads the local address.
pub type PFN_WSK_GET_LOCAL_ADDRESS = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    LocalAddress: *mut SOCKADDR,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Reads the peer's address.
pub type PFN_WSK_GET_REMOTE_ADDRESS = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    RemoteAddress: *mut SOCKADDR,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Sends; the request's information is the number of bytes.
pub type PFN_WSK_SEND = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    Buffer: *mut WSK_BUF,
    Flags: ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Receives; the request's information is the number of bytes.
pub type PFN_WSK_RECEIVE = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    Buffer: *mut WSK_BUF,
    Flags: ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Disconnects, after sending the last data.
pub type PFN_WSK_DISCONNECT = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    Buffer: *mut WSK_BUF,
    Flags: ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Gives indicated data back.
pub type PFN_WSK_RELEASE_DATA_INDICATION_LIST =
    unsafe extern "efiapi" fn(Socket: *mut WSK_SOCKET, DataIndication: *mut WSK_DATA_INDICATION) -> NTSTATUS;

/// Sends a datagram.
pub type PFN_WSK_SEND_TO = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    Buffer: *mut WSK_BUF,
    Flags: ULONG,
    RemoteAddress: *const SOCKADDR,
    ControlInfoLength: ULONG,
    ControlInfo: PVOID,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Sends several datagrams.
pub type PFN_WSK_SEND_MESSAGES = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    BufferList: *mut WSK_BUF_LIST,
    Flags: ULONG,
    RemoteAddress: *const SOCKADDR,
    ControlInfoLength: ULONG,
    ControlInfo: PVOID,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Receives a datagram.
pub type PFN_WSK_RECEIVE_FROM = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    Buffer: *mut WSK_BUF,
    Flags: ULONG,
    RemoteAddress: *mut SOCKADDR,
    ControlLength: *mut ULONG,
    ControlInfo: PVOID,
    ControlFlags: *mut ULONG,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Gives indicated datagrams back.
pub type PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST = unsafe extern "efiapi" fn(
    Socket: *mut WSK_SOCKET,
    DatagramIndication: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS;
