//! Statistics of an adapter, and which of them it keeps.
//!
//! An adapter says which it keeps by `NDIS_STATISTICS_FLAGS_VALID_…`, in the structure and in its general
//! attributes; values from `ntddndis.h` as mingw-w64 publishes it.

use super::NDIS_OBJECT_HEADER;
use crate::wdm::{UCHAR, ULONG, ULONG64, USHORT};

layout! {
    /// The answer to `OID_GEN_STATISTICS`.
    struct NDIS_STATISTICS_INFO: 0x98 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The members below that are kept, `NDIS_STATISTICS_FLAGS_VALID_…`.
        0x04 => SupportedStatistics: ULONG,
        /// Good frames that were not delivered.
        0x08 => ifInDiscards: ULONG64,
        /// Bad frames.
        0x10 => ifInErrors: ULONG64,
        /// Bytes received.
        0x18 => ifHCInOctets: ULONG64,
        /// Frames received for the adapter's address.
        0x20 => ifHCInUcastPkts: ULONG64,
        /// Frames received for multicast addresses.
        0x28 => ifHCInMulticastPkts: ULONG64,
        /// Frames received for all.
        0x30 => ifHCInBroadcastPkts: ULONG64,
        /// Bytes sent.
        0x38 => ifHCOutOctets: ULONG64,
        /// Frames sent to one address.
        0x40 => ifHCOutUcastPkts: ULONG64,
        /// Frames sent to multicast addresses.
        0x48 => ifHCOutMulticastPkts: ULONG64,
        /// Frames sent to all.
        0x50 => ifHCOutBroadcastPkts: ULONG64,
        /// Frames that could not be sent.
        0x58 => ifOutErrors: ULONG64,
        /// Frames that were not sent though they could.
        0x60 => ifOutDiscards: ULONG64,
        /// Bytes received for the adapter's address.
        0x68 => ifHCInUcastOctets: ULONG64,
        /// Bytes received for multicast addresses.
        0x70 => ifHCInMulticastOctets: ULONG64,
        /// Bytes received for all.
        0x78 => ifHCInBroadcastOctets: ULONG64,
        /// Bytes sent to one address.
        0x80 => ifHCOutUcastOctets: ULONG64,
        /// Bytes sent to multicast addresses.
        0x88 => ifHCOutMulticastOctets: ULONG64,
        /// Bytes sent to all.
        0x90 => ifHCOutBroadcastOctets: ULONG64,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_STATISTICS_INFO_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_STATISTICS_INFO_REVISION_1 = 0x98;
}

constants! { ULONG:
    /// `ifHCInUcastPkts` is kept.
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV = 0x1;
    /// `ifHCInMulticastPkts` is kept.
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_RCV = 0x2;
    /// `ifHCInBroadcastPkts` is kept.
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_RCV = 0x4;
    /// `ifHCInOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_BYTES_RCV = 0x8;
    /// `ifInDiscards` is kept.
    NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS = 0x10;
    /// `ifInErrors` is kept.
    NDIS_STATISTICS_FLAGS_VALID_RCV_ERROR = 0x20;
    /// `ifHCOutUcastPkts` is kept.
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT = 0x40;
    /// `ifHCOutMulticastPkts` is kept.
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_XMIT = 0x80;
    /// `ifHCOutBroadcastPkts` is kept.
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_XMIT = 0x100;
    /// `ifHCOutOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_BYTES_XMIT = 0x200;
    /// `ifOutErrors` is kept.
    NDIS_STATISTICS_FLAGS_VALID_XMIT_ERROR = 0x400;
    /// `ifOutDiscards` is kept.
    NDIS_STATISTICS_FLAGS_VALID_XMIT_DISCARDS = 0x8000;
    /// `ifHCInUcastOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_RCV = 0x0001_0000;
    /// `ifHCInMulticastOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_RCV = 0x0002_0000;
    /// `ifHCInBroadcastOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_RCV = 0x0004_0000;
    /// `ifHCOutUcastOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_XMIT = 0x0008_0000;
    /// `ifHCOutMulticastOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_XMIT = 0x0010_0000;
    /// `ifHCOutBroadcastOctets` is kept.
    NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_XMIT = 0x0020_0000;
}
