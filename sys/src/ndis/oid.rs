//! OID requests, and the object identifiers that an Ethernet miniport meets.
//!
//! The page of `NDIS_OID_REQUEST` shows the reserved arrays as arrays of pointers; symbol files have byte
//! arrays. Identifiers: mingw-w64's `ntddndis.h`, equal in windows-sys.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OID, NDIS_PORT_NUMBER};
use crate::wdm::{PVOID, UCHAR, UINT, ULONG, USHORT};

layout! {
    /// A question or an order to a miniport.
    struct NDIS_OID_REQUEST: 0xF8 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The kind of request, which selects the member of `DATA`.
        0x04 => RequestType: NDIS_REQUEST_TYPE,
        /// The port.
        0x08 => PortNumber: NDIS_PORT_NUMBER,
        /// Seconds; zero for no limit.
        0x0C => Timeout: UINT,
        /// Identifies the request for a cancellation.
        0x10 => RequestId: PVOID,
        /// For NDIS.
        0x18 => RequestHandle: NDIS_HANDLE,
        /// The parameters.
        0x20 => DATA: NDIS_OID_REQUEST_DATA,
        /// Reserved.
        0x48 => NdisReserved: [UCHAR; 128],
        /// The miniport's own.
        0xC8 => MiniportReserved: [UCHAR; 16],
        /// The sender's own.
        0xD8 => SourceReserved: [UCHAR; 16],
        /// The revision that the answer has.
        0xE8 => SupportedRevision: UCHAR,
        /// Reserved.
        0xE9 => Reserved1: UCHAR,
        /// Reserved.
        0xEA => Reserved2: USHORT,
        /// The switch, for virtual functions.
        0xEC => SwitchId: ULONG,
        /// The virtual port.
        0xF0 => VPortId: ULONG,
        /// `NDIS_OID_REQUEST_FLAGS_…`.
        0xF4 => Flags: ULONG,
    }

    /// `NDIS_OID_REQUEST::DATA`, an unnamed union in C.
    union NDIS_OID_REQUEST_DATA: 0x28 {
        /// Of a query.
        0x00 => QUERY_INFORMATION: NDIS_OID_QUERY_INFORMATION,
        /// Of a set.
        0x00 => SET_INFORMATION: NDIS_OID_SET_INFORMATION,
        /// Of a method.
        0x00 => METHOD_INFORMATION: NDIS_OID_METHOD_INFORMATION,
    }

    /// Parameters of a query.
    struct NDIS_OID_QUERY_INFORMATION: 0x20 {
        /// The object identifier that is queried.
        0x00 => Oid: NDIS_OID,
        /// The buffer for the answer.
        0x08 => InformationBuffer: PVOID,
        /// Length of that, in bytes.
        0x10 => InformationBufferLength: UINT,
        /// The length of what was put there, in bytes.
        0x14 => BytesWritten: UINT,
        /// The length that would have been needed, in bytes.
        0x18 => BytesNeeded: UINT,
    }

    /// Parameters of a set.
    struct NDIS_OID_SET_INFORMATION: 0x20 {
        /// The object identifier that is set.
        0x00 => Oid: NDIS_OID,
        /// To what.
        0x08 => InformationBuffer: PVOID,
        /// Length of that, in bytes.
        0x10 => InformationBufferLength: UINT,
        /// The length of what was read, in bytes.
        0x14 => BytesRead: UINT,
        /// The length that would have been needed, in bytes.
        0x18 => BytesNeeded: UINT,
    }

    /// Parameters of a method.
    struct NDIS_OID_METHOD_INFORMATION: 0x28 {
        /// The method's identifier.
        0x00 => Oid: NDIS_OID,
        /// Input, then output.
        0x08 => InformationBuffer: PVOID,
        /// Length of the input, in bytes.
        0x10 => InputBufferLength: ULONG,
        /// Length of the buffer for output, in bytes.
        0x14 => OutputBufferLength: ULONG,
        /// The kind of method.
        0x18 => MethodId: ULONG,
        /// The length of what was put there, in bytes.
        0x1C => BytesWritten: UINT,
        /// The length of what was read, in bytes.
        0x20 => BytesRead: UINT,
        /// The length that would have been needed, in bytes.
        0x24 => BytesNeeded: UINT,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_OID_REQUEST_REVISION_1 = 1;
    /// NDIS 6.50: switch and virtual port.
    NDIS_OID_REQUEST_REVISION_2 = 2;
}

open_enum! {
    /// The kinds of requests.
    enum NDIS_REQUEST_TYPE: i32 {
        /// A query.
        NdisRequestQueryInformation = 0,
        /// A set.
        NdisRequestSetInformation = 1,
        /// A query of statistics.
        NdisRequestQueryStatistics = 2,
        /// A method.
        NdisRequestMethod = 12,
    }
}

constants! { NDIS_OID:
    /// Query: the list of supported identifiers.
    OID_GEN_SUPPORTED_LIST = 0x0001_0101;
    /// Query: whether the hardware is ready.
    OID_GEN_HARDWARE_STATUS = 0x0001_0102;
    /// Query: the supported media.
    OID_GEN_MEDIA_SUPPORTED = 0x0001_0103;
    /// Query: the media in use.
    OID_GEN_MEDIA_IN_USE = 0x0001_0104;
    /// Query: the most bytes of lookahead.
    OID_GEN_MAXIMUM_LOOKAHEAD = 0x0001_0105;
    /// Query: the most payload of a frame, in bytes.
    OID_GEN_MAXIMUM_FRAME_SIZE = 0x0001_0106;
    /// Query: the speed, in 100 bits per second.
    OID_GEN_LINK_SPEED = 0x0001_0107;
    /// Query: bytes of transmit buffer.
    OID_GEN_TRANSMIT_BUFFER_SPACE = 0x0001_0108;
    /// Query: bytes of receive buffer.
    OID_GEN_RECEIVE_BUFFER_SPACE = 0x0001_0109;
    /// Query: bytes of transmit buffer that a frame takes at least.
    OID_GEN_TRANSMIT_BLOCK_SIZE = 0x0001_010A;
    /// Query: bytes of receive buffer that a frame takes at least.
    OID_GEN_RECEIVE_BLOCK_SIZE = 0x0001_010B;
    /// Query: the maker's IEEE code and a number.
    OID_GEN_VENDOR_ID = 0x0001_010C;
    /// Query: a description, terminated.
    OID_GEN_VENDOR_DESCRIPTION = 0x0001_010D;
    /// Query and set: `NDIS_PACKET_TYPE_…`.
    OID_GEN_CURRENT_PACKET_FILTER = 0x0001_010E;
    /// Query and set: bytes of lookahead.
    OID_GEN_CURRENT_LOOKAHEAD = 0x0001_010F;
    /// Query: the NDIS version of the driver.
    OID_GEN_DRIVER_VERSION = 0x0001_0110;
    /// Query: the most bytes of a frame with its header.
    OID_GEN_MAXIMUM_TOTAL_SIZE = 0x0001_0111;
    /// Set: options of protocols.
    OID_GEN_PROTOCOL_OPTIONS = 0x0001_0112;
    /// Query: `NDIS_MAC_OPTION_…`.
    OID_GEN_MAC_OPTIONS = 0x0001_0113;
    /// Query: whether the medium is connected.
    OID_GEN_MEDIA_CONNECT_STATUS = 0x0001_0114;
    /// Query: how many packets one send takes.
    OID_GEN_MAXIMUM_SEND_PACKETS = 0x0001_0115;
    /// Query: the driver's own version.
    OID_GEN_VENDOR_DRIVER_VERSION = 0x0001_0116;
    /// Set: the addresses of the layer above.
    OID_GEN_NETWORK_LAYER_ADDRESSES = 0x0001_0118;
    /// Query: the physical medium.
    OID_GEN_PHYSICAL_MEDIUM = 0x0001_0202;
    /// Query: `NDIS_LINK_STATE`.
    OID_GEN_LINK_STATE = 0x0001_0207;
    /// Set: `NDIS_LINK_PARAMETERS`.
    OID_GEN_LINK_PARAMETERS = 0x0001_0208;
    /// Query and set: interrupt moderation.
    OID_GEN_INTERRUPT_MODERATION = 0x0001_0209;
    /// Query: frames sent.
    OID_GEN_XMIT_OK = 0x0002_0101;
    /// Query: frames received.
    OID_GEN_RCV_OK = 0x0002_0102;
    /// Query: frames that could not be sent.
    OID_GEN_XMIT_ERROR = 0x0002_0103;
    /// Query: bad frames.
    OID_GEN_RCV_ERROR = 0x0002_0104;
    /// Query: frames lost for want of a buffer.
    OID_GEN_RCV_NO_BUFFER = 0x0002_0105;
    /// Query: `NDIS_STATISTICS_INFO`.
    OID_GEN_STATISTICS = 0x0002_0106;
    /// Query: the address it was made with.
    OID_802_3_PERMANENT_ADDRESS = 0x0101_0101;
    /// Query: the address it has.
    OID_802_3_CURRENT_ADDRESS = 0x0101_0102;
    /// Query and set: multicast addresses.
    OID_802_3_MULTICAST_LIST = 0x0101_0103;
    /// Query: how many multicast addresses it can filter.
    OID_802_3_MAXIMUM_LIST_SIZE = 0x0101_0104;
    /// Query: frames with a broken alignment.
    OID_802_3_RCV_ERROR_ALIGNMENT = 0x0102_0101;
    /// Query: frames sent after one collision.
    OID_802_3_XMIT_ONE_COLLISION = 0x0102_0102;
    /// Query: frames sent after several collisions.
    OID_802_3_XMIT_MORE_COLLISIONS = 0x0102_0103;
    /// Query: power management, before NDIS 6.20.
    OID_PNP_CAPABILITIES = 0xFD01_0100;
    /// Set: go to a power state.
    OID_PNP_SET_POWER = 0xFD01_0101;
    /// Query: may it go to a power state?
    OID_PNP_QUERY_POWER = 0xFD01_0102;
    /// Query and set: power management.
    OID_PM_PARAMETERS = 0xFD01_0109;
}
