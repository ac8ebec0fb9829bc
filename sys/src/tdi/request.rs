//! Requests: what a client asks of a transport by `IRP_MJ_INTERNAL_DEVICE_CONTROL`.
//!
//! The minor function says which; its parameters overlay `IO_STACK_LOCATION::Parameters`, its data is the
//! request's MDL chain.

use crate::wdm::{HANDLE, LONG, PVOID, UCHAR, ULONG};

layout! {
    /// The other side of a request: an address with data and options that go with it.
    struct TDI_CONNECTION_INFORMATION: 0x30 {
        /// Length of the data, in bytes.
        0x00 => UserDataLength: LONG,
        /// Data that goes with a connect or disconnect.
        0x08 => UserData: PVOID,
        /// Length of the options, in bytes.
        0x10 => OptionsLength: LONG,
        /// Options.
        0x18 => Options: PVOID,
        /// Length of the address, in bytes.
        0x20 => RemoteAddressLength: LONG,
        /// A `TRANSPORT_ADDRESS`.
        0x28 => RemoteAddress: PVOID,
    }

    /// Parameters of connect, listen, disconnect and disassociate. `RequestFlags` is `ULONG_PTR` in newer
    /// headers; the offsets are the same.
    struct TDI_REQUEST_KERNEL: 0x20 {
        /// Flags of the request.
        0x00 => RequestFlags: ULONG,
        /// The information of the client.
        0x08 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The place for the outcome.
        0x10 => ReturnConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// Of connect and disconnect: the time limit, a `LARGE_INTEGER *`.
        0x18 => RequestSpecific: PVOID,
    }

    /// Parameters of associate.
    struct TDI_REQUEST_KERNEL_ASSOCIATE: 0x8 {
        /// The address object.
        0x0 => AddressHandle: HANDLE,
    }

    /// Parameters of accept.
    struct TDI_REQUEST_KERNEL_ACCEPT: 0x10 {
        /// The information of the client.
        0x00 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The place for the outcome.
        0x08 => ReturnConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
    }

    /// Parameters of send.
    struct TDI_REQUEST_KERNEL_SEND: 0x8 {
        /// Bytes to send.
        0x0 => SendLength: ULONG,
        /// `TDI_SEND_…`.
        0x4 => SendFlags: ULONG,
    }

    /// Parameters of receive.
    struct TDI_REQUEST_KERNEL_RECEIVE: 0x8 {
        /// Bytes to receive at most.
        0x0 => ReceiveLength: ULONG,
        /// `TDI_RECEIVE_…`.
        0x4 => ReceiveFlags: ULONG,
    }

    /// Parameters of send datagram.
    struct TDI_REQUEST_KERNEL_SENDDG: 0x10 {
        /// Bytes to send.
        0x00 => SendLength: ULONG,
        /// The destination.
        0x08 => SendDatagramInformation: *mut TDI_CONNECTION_INFORMATION,
    }

    /// Parameters of receive datagram.
    struct TDI_REQUEST_KERNEL_RECEIVEDG: 0x20 {
        /// Bytes to receive at most.
        0x00 => ReceiveLength: ULONG,
        /// The source that is asked for.
        0x08 => ReceiveDatagramInformation: *mut TDI_CONNECTION_INFORMATION,
        /// The place for the source's address.
        0x10 => ReturnDatagramInformation: *mut TDI_CONNECTION_INFORMATION,
        /// `TDI_RECEIVE_…`.
        0x18 => ReceiveFlags: ULONG,
    }

    /// Parameters of set event handler.
    struct TDI_REQUEST_KERNEL_SET_EVENT: 0x18 {
        /// `TDI_EVENT_…`.
        0x00 => EventType: LONG,
        /// The handler, or null to take it back.
        0x08 => EventHandler: PVOID,
        /// Its context.
        0x10 => EventContext: PVOID,
    }

    /// Parameters of query information.
    struct TDI_REQUEST_KERNEL_QUERY_INFORMATION: 0x10 {
        /// `TDI_QUERY_…`.
        0x00 => QueryType: LONG,
        /// The address that it is about.
        0x08 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
    }

    /// Parameters of set information.
    struct TDI_REQUEST_KERNEL_SET_INFORMATION: 0x10 {
        /// The object identifier that is set.
        0x00 => SetType: LONG,
        /// The address that it is about.
        0x08 => RequestConnectionInformation: *mut TDI_CONNECTION_INFORMATION,
    }
}

/// The context that a client has for its connection; opaque to the transport.
pub type CONNECTION_CONTEXT = PVOID;

constants! { UCHAR:
    /// Associates a connection with an address.
    TDI_ASSOCIATE_ADDRESS = 1;
    /// Takes that back.
    TDI_DISASSOCIATE_ADDRESS = 2;
    /// Connects.
    TDI_CONNECT = 3;
    /// Waits for a connection.
    TDI_LISTEN = 4;
    /// Accepts a connection.
    TDI_ACCEPT = 5;
    /// Disconnects.
    TDI_DISCONNECT = 6;
    /// Sends.
    TDI_SEND = 7;
    /// Receives.
    TDI_RECEIVE = 8;
    /// Sends a datagram.
    TDI_SEND_DATAGRAM = 9;
    /// Receives a datagram.
    TDI_RECEIVE_DATAGRAM = 0xA;
    /// Registers an event handler, or takes it back.
    TDI_SET_EVENT_HANDLER = 0xB;
    /// Asks something.
    TDI_QUERY_INFORMATION = 0xC;
    /// Sets something.
    TDI_SET_INFORMATION = 0xD;
    /// Does something of the transport's own.
    TDI_ACTION = 0xE;
}

constants! { ULONG:
    /// The data overtakes other data.
    TDI_SEND_EXPEDITED = 0x20;
    /// More of the message follows.
    TDI_SEND_PARTIAL = 0x40;
    /// No answer is expected.
    TDI_SEND_NO_RESPONSE_EXPECTED = 0x80;
    /// Fails in place of waiting.
    TDI_SEND_NON_BLOCKING = 0x100;
    /// Disconnects after the data.
    TDI_SEND_AND_DISCONNECT = 0x200;
}

constants! { ULONG:
    /// Waits for the other side to disconnect.
    TDI_DISCONNECT_WAIT = 1;
    /// Disconnects at once.
    TDI_DISCONNECT_ABORT = 2;
    /// Disconnects in order.
    TDI_DISCONNECT_RELEASE = 4;
}

constants! { ULONG:
    /// The client accepts the connection itself.
    TDI_QUERY_ACCEPT = 1;
}
