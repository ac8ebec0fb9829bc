//! Queries: what a client can ask a transport.

use super::TRANSPORT_ADDRESS;
use crate::wdm::{BOOLEAN, LARGE_INTEGER, ULONG, USHORT};

layout! {
    /// The properties of a transport.
    struct TDI_PROVIDER_INFO: 0x28 {
        /// The version.
        0x00 => Version: ULONG,
        /// The most bytes of one send.
        0x04 => MaxSendSize: ULONG,
        /// The most data that goes with a connect or disconnect, in bytes.
        0x08 => MaxConnectionUserData: ULONG,
        /// The most bytes of a datagram.
        0x0C => MaxDatagramSize: ULONG,
        /// `TDI_SERVICE_…`.
        0x10 => ServiceFlags: ULONG,
        /// The least data that is indicated, in bytes.
        0x14 => MinimumLookaheadData: ULONG,
        /// The most data that is indicated, in bytes.
        0x18 => MaximumLookaheadData: ULONG,
        /// Resources in the statistics.
        0x1C => NumberOfResources: ULONG,
        /// The time at which the transport was started.
        0x20 => StartTime: LARGE_INTEGER,
    }

    /// A connection.
    struct TDI_CONNECTION_INFO: 0x38 {
        /// State.
        0x00 => State: ULONG,
        /// Event.
        0x04 => Event: ULONG,
        /// Messages sent.
        0x08 => TransmittedTsdus: ULONG,
        /// Messages received.
        0x0C => ReceivedTsdus: ULONG,
        /// Messages that could not be sent.
        0x10 => TransmissionErrors: ULONG,
        /// Bad messages.
        0x14 => ReceiveErrors: ULONG,
        /// Bytes per second, if it is known.
        0x18 => Throughput: LARGE_INTEGER,
        /// Delay in 100 ns, negative, if it is known.
        0x20 => Delay: LARGE_INTEGER,
        /// Size of the buffer to send from, in bytes.
        0x28 => SendBufferSize: ULONG,
        /// Size of the buffer to receive to, in bytes.
        0x2C => ReceiveBufferSize: ULONG,
        /// True if data can be lost.
        0x30 => Unreliable: BOOLEAN,
    }

    /// An address object.
    struct TDI_ADDRESS_INFO: 0x10 {
        /// The number of clients that have it open.
        0x00 => ActivityCount: ULONG,
        /// Its address.
        0x04 => Address: TRANSPORT_ADDRESS,
    }

    /// The limits of datagrams.
    struct TDI_DATAGRAM_INFO: 0x8 {
        /// The most bytes of a datagram.
        0x0 => MaximumDatagramBytes: ULONG,
        /// The most datagrams at a time.
        0x4 => MaximumDatagramCount: ULONG,
    }

    /// The limit of datagrams.
    struct TDI_MAX_DATAGRAM_INFO: 0x4 {
        /// The most bytes of a datagram.
        0x0 => MaxDatagramSize: ULONG,
    }

    /// Statistics of a transport.
    struct TDI_PROVIDER_STATISTICS: 0xD8 {
        /// The version.
        0x00 => Version: ULONG,
        /// Connections that exist now.
        0x04 => OpenConnections: ULONG,
        /// Connections that were made at once.
        0x08 => ConnectionsAfterNoRetry: ULONG,
        /// Connections that were made after a retry.
        0x0C => ConnectionsAfterRetry: ULONG,
        /// Connections that this side ended.
        0x10 => LocalDisconnects: ULONG,
        /// Connections that the other side ended.
        0x14 => RemoteDisconnects: ULONG,
        /// Connections that the link ended.
        0x18 => LinkFailures: ULONG,
        /// Connections that the adapter ended.
        0x1C => AdapterFailures: ULONG,
        /// Connections that a time limit ended.
        0x20 => SessionTimeouts: ULONG,
        /// Connections that were given up.
        0x24 => CancelledConnections: ULONG,
        /// Connections for which the other side lacked resources.
        0x28 => RemoteResourceFailures: ULONG,
        /// Connections for which this side lacked resources.
        0x2C => LocalResourceFailures: ULONG,
        /// Connections to an address that does not exist.
        0x30 => NotFoundFailures: ULONG,
        /// Connections to an address without a listener.
        0x34 => NoListenFailures: ULONG,
        /// Datagrams sent.
        0x38 => DatagramsSent: ULONG,
        /// Bytes of them.
        0x40 => DatagramBytesSent: LARGE_INTEGER,
        /// Datagrams received.
        0x48 => DatagramsReceived: ULONG,
        /// Bytes of them.
        0x50 => DatagramBytesReceived: LARGE_INTEGER,
        /// Packets sent.
        0x58 => PacketsSent: ULONG,
        /// Packets received.
        0x5C => PacketsReceived: ULONG,
        /// Packets with data sent.
        0x60 => DataFramesSent: ULONG,
        /// Bytes of them.
        0x68 => DataFrameBytesSent: LARGE_INTEGER,
        /// Packets with data received.
        0x70 => DataFramesReceived: ULONG,
        /// Bytes of them.
        0x78 => DataFrameBytesReceived: LARGE_INTEGER,
        /// Packets with data sent again.
        0x80 => DataFramesResent: ULONG,
        /// Bytes of them.
        0x88 => DataFrameBytesResent: LARGE_INTEGER,
        /// Packets with data rejected.
        0x90 => DataFramesRejected: ULONG,
        /// Bytes of them.
        0x98 => DataFrameBytesRejected: LARGE_INTEGER,
        /// Answers that were late.
        0xA0 => ResponseTimerExpirations: ULONG,
        /// Acknowledgements that were late.
        0xA4 => AckTimerExpirations: ULONG,
        /// The widest window, in bytes.
        0xA8 => MaximumSendWindow: ULONG,
        /// The usual window, in bytes.
        0xAC => AverageSendWindow: ULONG,
        /// Acknowledgements that waited for data.
        0xB0 => PiggybackAckQueued: ULONG,
        /// Acknowledgements that no longer waited for data.
        0xB4 => PiggybackAckTimeouts: ULONG,
        /// Bytes of packets that were not used.
        0xB8 => WastedPacketSpace: LARGE_INTEGER,
        /// Packets that were not full.
        0xC0 => WastedSpacePackets: ULONG,
        /// The number of resources that follow.
        0xC4 => NumberOfResources: ULONG,
        /// The first of them.
        0xC8 => ResourceStats: [TDI_PROVIDER_RESOURCE_STATS; 1],
    }

    /// Statistics of a resource.
    struct TDI_PROVIDER_RESOURCE_STATS: 0x10 {
        /// The identifier of the resource.
        0x00 => ResourceId: ULONG,
        /// The most that was used.
        0x04 => MaximumResourceUsed: ULONG,
        /// The usual number in use.
        0x08 => AverageResourceUsed: ULONG,
        /// The number of times that none was left.
        0x0C => ResourceExhausted: ULONG,
    }

    /// The head of an action's data.
    struct TDI_ACTION_HEADER: 0x8 {
        /// For which transport, four letters.
        0x0 => TransportId: ULONG,
        /// The code of the action.
        0x4 => ActionCode: USHORT,
        /// Zero.
        0x6 => Reserved: USHORT,
    }
}

constants! { ULONG:
    /// Asks for the address of all.
    TDI_QUERY_BROADCAST_ADDRESS = 1;
    /// Asks for `TDI_PROVIDER_INFO`.
    TDI_QUERY_PROVIDER_INFO = 2;
    /// Asks for `TDI_ADDRESS_INFO`.
    TDI_QUERY_ADDRESS_INFO = 3;
    /// Asks for `TDI_CONNECTION_INFO`.
    TDI_QUERY_CONNECTION_INFO = 4;
    /// Asks for `TDI_PROVIDER_STATISTICS`.
    TDI_QUERY_PROVIDER_STATISTICS = 5;
    /// Asks for the space that datagrams have.
    TDI_QUERY_DATAGRAM_INFO = 6;
    /// Asks for the adapter's address.
    TDI_QUERY_DATA_LINK_ADDRESS = 7;
    /// Asks for the network's address.
    TDI_QUERY_NETWORK_ADDRESS = 8;
    /// Asks for `TDI_MAX_DATAGRAM_INFO`.
    TDI_QUERY_MAX_DATAGRAM_INFO = 9;
}

constants! { ULONG:
    /// Connections.
    TDI_SERVICE_CONNECTION_MODE = 1;
    /// Disconnects in order.
    TDI_SERVICE_ORDERLY_RELEASE = 2;
    /// Datagrams.
    TDI_SERVICE_CONNECTIONLESS_MODE = 4;
    /// Data arrives as it was sent.
    TDI_SERVICE_ERROR_FREE_DELIVERY = 8;
    /// Security.
    TDI_SERVICE_SECURITY_LEVEL = 0x10;
    /// Datagrams to all.
    TDI_SERVICE_BROADCAST_SUPPORTED = 0x20;
    /// Datagrams to groups.
    TDI_SERVICE_MULTICAST_SUPPORTED = 0x40;
    /// A connection need not be accepted at once.
    TDI_SERVICE_DELAYED_ACCEPTANCE = 0x80;
    /// Expedited data.
    TDI_SERVICE_EXPEDITED_DATA = 0x100;
    /// Data is buffered before it is received.
    TDI_SERVICE_INTERNAL_BUFFERING = 0x200;
    /// Routing.
    TDI_SERVICE_ROUTE_DIRECTED = 0x400;
    /// No empty messages.
    TDI_SERVICE_NO_ZERO_LENGTH = 0x800;
    /// Two parties only.
    TDI_SERVICE_POINT_TO_POINT = 0x1000;
    /// Messages keep their bounds.
    TDI_SERVICE_MESSAGE_MODE = 0x2000;
    /// One direction at a time.
    TDI_SERVICE_HALF_DUPLEX = 0x4000;
    /// Connections over datagrams.
    TDI_SERVICE_DGRAM_CONNECTION = 0x8000;
    /// Addresses are subject to access checks.
    TDI_SERVICE_FORCE_ACCESS_CHECK = 0x0001_0000;
    /// Sends that disconnect.
    TDI_SERVICE_SEND_AND_DISCONNECT = 0x0002_0000;
    /// Accepts from the connect event.
    TDI_SERVICE_DIRECT_ACCEPT = 0x0004_0000;
    /// The local address in the connect event.
    TDI_SERVICE_ACCEPT_LOCAL_ADDR = 0x0008_0000;
}
