//! Link state and status indications.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_PORT_NUMBER};
use crate::status::NDIS_STATUS;
use crate::wdm::{GUID, PVOID, UCHAR, ULONG, ULONG64, USHORT};

layout! {
    /// The state of the link; goes with `NDIS_STATUS_LINK_STATE`.
    struct NDIS_LINK_STATE: 0x28 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The connection state.
        0x04 => MediaConnectState: NET_IF_MEDIA_CONNECT_STATE,
        /// The duplex state.
        0x08 => MediaDuplexState: NET_IF_MEDIA_DUPLEX_STATE,
        /// The speed at which it sends, in bits per second.
        0x10 => XmitLinkSpeed: ULONG64,
        /// The speed at which it receives, in bits per second.
        0x18 => RcvLinkSpeed: ULONG64,
        /// The pause functions that it supports.
        0x20 => PauseFunctions: NDIS_SUPPORTED_PAUSE_FUNCTIONS,
        /// `NDIS_LINK_STATE_…` that were negotiated.
        0x24 => AutoNegotiationFlags: ULONG,
    }

    /// A status that a miniport indicates.
    struct NDIS_STATUS_INDICATION: 0x70 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The adapter.
        0x08 => SourceHandle: NDIS_HANDLE,
        /// The port.
        0x10 => PortNumber: NDIS_PORT_NUMBER,
        /// The status that is indicated, `NDIS_STATUS_…`.
        0x14 => StatusCode: NDIS_STATUS,
        /// Zero.
        0x18 => Flags: ULONG,
        /// The protocol binding that it is for; null for all.
        0x20 => DestinationHandle: NDIS_HANDLE,
        /// The request that it belongs to, or null.
        0x28 => RequestId: PVOID,
        /// The buffer that goes with it.
        0x30 => StatusBuffer: PVOID,
        /// Length of that, in bytes.
        0x38 => StatusBufferSize: ULONG,
        /// For a private status.
        0x3C => Guid: GUID,
        /// Reserved.
        0x50 => NdisReserved: [PVOID; 4],
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_LINK_STATE_REVISION_1 = 1;
    /// NDIS 6.0.
    NDIS_STATUS_INDICATION_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_LINK_STATE_REVISION_1 = 0x28;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_STATUS_INDICATION_REVISION_1 = 0x70;
}

constants! { ULONG64:
    /// The speed is not known.
    NDIS_LINK_SPEED_UNKNOWN = u64::MAX;
}

open_enum! {
    /// Connection states of a medium.
    enum NET_IF_MEDIA_CONNECT_STATE: i32 {
        /// Not known.
        MediaConnectStateUnknown = 0,
        /// It is.
        MediaConnectStateConnected = 1,
        /// It is not.
        MediaConnectStateDisconnected = 2,
    }

    /// Duplex states of a medium.
    enum NET_IF_MEDIA_DUPLEX_STATE: i32 {
        /// Not known.
        MediaDuplexStateUnknown = 0,
        /// One way at a time.
        MediaDuplexStateHalf = 1,
        /// Both ways at once.
        MediaDuplexStateFull = 2,
    }

    /// Pause functions of a link.
    enum NDIS_SUPPORTED_PAUSE_FUNCTIONS: i32 {
        /// Not at all.
        NdisPauseFunctionsUnsupported = 0,
        /// It sends pause frames.
        NdisPauseFunctionsSendOnly = 1,
        /// It obeys pause frames.
        NdisPauseFunctionsReceiveOnly = 2,
        /// It does both.
        NdisPauseFunctionsSendAndReceive = 3,
        /// Not known.
        NdisPauseFunctionsUnknown = 4,
    }
}
