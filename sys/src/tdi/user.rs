//! Requests as programs send them by `IRP_MJ_DEVICE_CONTROL`: control codes, and the input buffers that go
//! with them.

use super::TDI_CONNECTION_INFORMATION;
use crate::wdm::{HANDLE, LARGE_INTEGER, LONG, PVOID, ULONG, USHORT};

layout! {
    /// The head of every request.
    struct TDI_REQUEST: 0x20 {
        /// The file.
        0x00 => Handle: PVOID,
        /// Called when the request is complete.
        0x08 => RequestNotifyObject: PVOID,
        /// Its context.
        0x10 => RequestContext: PVOID,
        /// The outcome.
        0x18 => TdiStatus: LONG,
    }

    /// Input of associate.
    struct TDI_REQUEST_ASSOCIATE_ADDRESS: 0x28 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The address object.
        0x20 => AddressHandle: HANDLE,
    }

    /// Input of connect.
    struct TDI_REQUEST_CONNECT: 0x38 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The information of the client.
        0x20 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The place for the outcome.
        0x28 => ReturnConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The time limit.
        0x30 => Timeout: LARGE_INTEGER,
    }

    /// Input of listen.
    struct TDI_REQUEST_LISTEN: 0x38 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The information of the client.
        0x20 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The place for the outcome.
        0x28 => ReturnConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// `TDI_QUERY_ACCEPT` or none.
        0x30 => ListenFlags: USHORT,
    }

    /// Input of disconnect.
    struct TDI_REQUEST_DISCONNECT: 0x28 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The time limit.
        0x20 => Timeout: LARGE_INTEGER,
    }

    /// Input of send.
    struct TDI_REQUEST_SEND: 0x28 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// `TDI_SEND_…`.
        0x20 => SendFlags: USHORT,
    }

    /// Input of receive.
    struct TDI_REQUEST_RECEIVE: 0x28 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// `TDI_RECEIVE_…`.
        0x20 => ReceiveFlags: USHORT,
    }

    /// Input of send datagram.
    struct TDI_REQUEST_SEND_DATAGRAM: 0x28 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The destination.
        0x20 => SendDatagramInformation: *mut TDI_CONNECTION_INFORMATION,
    }

    /// Input of receive datagram.
    struct TDI_REQUEST_RECEIVE_DATAGRAM: 0x38 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The source that is asked for.
        0x20 => ReceiveDatagramInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The place for the source's address.
        0x28 => ReturnInformation: *mut TDI_CONNECTION_INFORMATION,
        /// `TDI_RECEIVE_…`.
        0x30 => ReceiveFlags: USHORT,
    }

    /// Input of set information.
    struct TDI_REQUEST_SET_INFORMATION: 0x30 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// The kind of information that is set, `TDI_QUERY_…`.
        0x20 => SetType: ULONG,
        /// The address that it is about.
        0x28 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
    }

    /// Input of query information.
    struct TDI_REQUEST_QUERY_INFORMATION: 0x30 {
        /// The head.
        0x00 => Request: TDI_REQUEST,
        /// `TDI_QUERY_…`.
        0x20 => QueryType: ULONG,
        /// The address that it is about.
        0x28 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
    }
}

constants! { ULONG:
    /// Accepts a connection.
    IOCTL_TDI_ACCEPT = 0x0021_0000;
    /// Connects.
    IOCTL_TDI_CONNECT = 0x0021_0004;
    /// Disconnects.
    IOCTL_TDI_DISCONNECT = 0x0021_0008;
    /// Waits for a connection.
    IOCTL_TDI_LISTEN = 0x0021_000C;
    /// Asks something; the output buffer is the answer's.
    IOCTL_TDI_QUERY_INFORMATION = 0x0021_0012;
    /// Receives to the output buffer.
    IOCTL_TDI_RECEIVE = 0x0021_0016;
    /// Receives a datagram to the output buffer.
    IOCTL_TDI_RECEIVE_DATAGRAM = 0x0021_001A;
    /// Sends the output buffer.
    IOCTL_TDI_SEND = 0x0021_001D;
    /// Sends the output buffer as a datagram.
    IOCTL_TDI_SEND_DATAGRAM = 0x0021_0021;
    /// Registers an event handler.
    IOCTL_TDI_SET_EVENT_HANDLER = 0x0021_0024;
    /// Sets something.
    IOCTL_TDI_SET_INFORMATION = 0x0021_0029;
    /// Associates a connection with an address.
    IOCTL_TDI_ASSOCIATE_ADDRESS = 0x0021_002C;
    /// Takes that back.
    IOCTL_TDI_DISASSOCIATE_ADDRESS = 0x0021_0030;
    /// Does something of the transport's own.
    IOCTL_TDI_ACTION = 0x0021_0036;
}
