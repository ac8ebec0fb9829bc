//! Events: what a transport calls of a client, at any level up to DISPATCH_LEVEL.

use super::CONNECTION_CONTEXT;
use crate::status::NTSTATUS;
use crate::wdm::{IRP, LONG, PMDL, PVOID, ULONG, VOID};

constants! { LONG:
    /// A connect request.
    TDI_EVENT_CONNECT = 0;
    /// The other side has disconnected.
    TDI_EVENT_DISCONNECT = 1;
    /// Something is wrong.
    TDI_EVENT_ERROR = 2;
    /// Data has come.
    TDI_EVENT_RECEIVE = 3;
    /// A datagram has come.
    TDI_EVENT_RECEIVE_DATAGRAM = 4;
    /// Expedited data has come.
    TDI_EVENT_RECEIVE_EXPEDITED = 5;
    /// Data can be sent again.
    TDI_EVENT_SEND_POSSIBLE = 6;
    /// Data has come, which the client may keep.
    TDI_EVENT_CHAINED_RECEIVE = 7;
    /// A datagram has come, which the client may keep.
    TDI_EVENT_CHAINED_RECEIVE_DATAGRAM = 8;
    /// Expedited data has come, which the client may keep.
    TDI_EVENT_CHAINED_RECEIVE_EXPEDITED = 9;
    /// Something is wrong, with more about it.
    TDI_EVENT_ERROR_EX = 0xA;
}

constants! { ULONG:
    /// The datagram was for all.
    TDI_RECEIVE_BROADCAST = 4;
    /// The datagram was for a group.
    TDI_RECEIVE_MULTICAST = 8;
    /// Only a part of the message.
    TDI_RECEIVE_PARTIAL = 0x10;
    /// Normal data.
    TDI_RECEIVE_NORMAL = 0x20;
    /// Expedited data.
    TDI_RECEIVE_EXPEDITED = 0x40;
    /// The data stays where it is.
    TDI_RECEIVE_PEEK = 0x80;
    /// No answer is expected.
    TDI_RECEIVE_NO_RESPONSE_EXP = 0x100;
    /// The indicated data may be copied by any means.
    TDI_RECEIVE_COPY_LOOKAHEAD = 0x200;
    /// The whole message is indicated.
    TDI_RECEIVE_ENTIRE_MESSAGE = 0x400;
    /// The caller is at DISPATCH_LEVEL.
    TDI_RECEIVE_AT_DISPATCH_LEVEL = 0x800;
    /// The options hold control information.
    TDI_RECEIVE_CONTROL_INFO = 0x1000;
}

/// The client's handler of a connect request. `STATUS_MORE_PROCESSING_REQUIRED` with an accept request takes it.
pub type PTDI_IND_CONNECT = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    RemoteAddressLength: LONG,
    RemoteAddress: *const VOID,
    UserDataLength: LONG,
    UserData: *const VOID,
    OptionsLength: LONG,
    Options: *const VOID,
    ConnectionContext: *mut CONNECTION_CONTEXT,
    AcceptIrp: *mut *mut IRP,
) -> NTSTATUS;

/// The client's: the other side has disconnected.
pub type PTDI_IND_DISCONNECT = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    ConnectionContext: CONNECTION_CONTEXT,
    DisconnectDataLength: LONG,
    DisconnectData: *const VOID,
    DisconnectInformationLength: LONG,
    DisconnectInformation: *const VOID,
    DisconnectFlags: ULONG,
) -> NTSTATUS;

/// The client's: something is wrong.
pub type PTDI_IND_ERROR = unsafe extern "efiapi" fn(TdiEventContext: PVOID, Status: NTSTATUS) -> NTSTATUS;

/// The client's: something is wrong, with more about it.
pub type PTDI_IND_ERROR_EX =
    unsafe extern "efiapi" fn(TdiEventContext: PVOID, Status: NTSTATUS, Buffer: PVOID) -> NTSTATUS;

/// The client's: data has come. `STATUS_MORE_PROCESSING_REQUIRED` with a receive request takes the rest.
pub type PTDI_IND_RECEIVE = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    ConnectionContext: CONNECTION_CONTEXT,
    ReceiveFlags: ULONG,
    BytesIndicated: ULONG,
    BytesAvailable: ULONG,
    BytesTaken: *mut ULONG,
    Tsdu: *const VOID,
    IoRequestPacket: *mut *mut IRP,
) -> NTSTATUS;

/// The client's: a datagram has come.
pub type PTDI_IND_RECEIVE_DATAGRAM = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    SourceAddressLength: LONG,
    SourceAddress: *const VOID,
    OptionsLength: LONG,
    Options: *const VOID,
    ReceiveDatagramFlags: ULONG,
    BytesIndicated: ULONG,
    BytesAvailable: ULONG,
    BytesTaken: *mut ULONG,
    Tsdu: *const VOID,
    IoRequestPacket: *mut *mut IRP,
) -> NTSTATUS;

/// The client's: expedited data has come.
pub type PTDI_IND_RECEIVE_EXPEDITED = PTDI_IND_RECEIVE;

/// The client's: data has come; `STATUS_PENDING` keeps it.
pub type PTDI_IND_CHAINED_RECEIVE = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    ConnectionContext: CONNECTION_CONTEXT,
    ReceiveFlags: ULONG,
    ReceiveLength: ULONG,
    StartingOffset: ULONG,
    Tsdu: PMDL,
    TsduDescriptor: PVOID,
) -> NTSTATUS;

/// The client's: a datagram has come; `STATUS_PENDING` keeps it.
pub type PTDI_IND_CHAINED_RECEIVE_DATAGRAM = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    SourceAddressLength: LONG,
    SourceAddress: *const VOID,
    OptionsLength: LONG,
    Options: *const VOID,
    ReceiveDatagramFlags: ULONG,
    ReceiveDatagramLength: ULONG,
    StartingOffset: ULONG,
    Tsdu: PMDL,
    TsduDescriptor: PVOID,
) -> NTSTATUS;

/// The client's: expedited data has come; `STATUS_PENDING` keeps it.
pub type PTDI_IND_CHAINED_RECEIVE_EXPEDITED = PTDI_IND_CHAINED_RECEIVE;

/// The client's: data can be sent again.
pub type PTDI_IND_SEND_POSSIBLE = unsafe extern "efiapi" fn(
    TdiEventContext: PVOID,
    ConnectionContext: PVOID,
    BytesAvailable: ULONG,
) -> NTSTATUS;
