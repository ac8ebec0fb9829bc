//! The RDMA side of an adapter.
//!
//! `NDIS_NDK_PROVIDER_CHARACTERISTICS` is in no symbol file: documented order, offsets computed. The
//! lists and the statistics are compiled from mingw-w64's `ndkinfo.h`. Revision and size constants that no
//! public header spells out are computed from the last member.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OID};
use crate::ndk::{NDK_ADAPTER, NDK_ADAPTER_INFO, NDK_VERSION};
use crate::sockaddr::SOCKADDR_INET;
use crate::status::NDIS_STATUS;
use crate::wdm::{BOOLEAN, UCHAR, ULONG, ULONG64, USHORT};

layout! {
    /// The handlers that an RDMA provider registers in its set-options handler.
    struct NDIS_NDK_PROVIDER_CHARACTERISTICS: 0x18 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x04 => Flags: ULONG,
        /// Opens an NDK adapter.
        0x08 => OpenNDKAdapterHandler: Option<OPEN_NDK_ADAPTER_HANDLER>,
        /// Closes an NDK adapter.
        0x10 => CloseNDKAdapterHandler: Option<CLOSE_NDK_ADAPTER_HANDLER>,
    }

    /// The parameters of an opening of an NDK adapter.
    struct NDIS_OPEN_NDK_ADAPTER_PARAMETERS: 0xC {
        /// The version that is asked for.
        0x0 => Version: NDK_VERSION,
        /// The switch, for virtual functions.
        0x4 => SwitchId: ULONG,
        /// The virtual port.
        0x8 => VPortId: ULONG,
    }

    /// The RDMA attributes, to be set even while RDMA is disabled.
    struct NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES: 0x10 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// True if RDMA is enabled.
        0x04 => Enabled: BOOLEAN,
        /// The capabilities of the adapter.
        0x08 => NdkCapabilities: *const NDIS_NDK_CAPABILITIES,
    }

    /// The RDMA capabilities of an adapter.
    struct NDIS_NDK_CAPABILITIES: 0x38 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x04 => Flags: ULONG,
        /// The most queue pairs.
        0x08 => MaxQpCount: ULONG,
        /// The most completion queues.
        0x0C => MaxCqCount: ULONG,
        /// The most memory regions.
        0x10 => MaxMrCount: ULONG,
        /// The most protection domains.
        0x14 => MaxPdCount: ULONG,
        /// The most RDMA Reads of peers that it serves at a time.
        0x18 => MaxInboundReadLimit: ULONG,
        /// The most RDMA Reads that it has outstanding.
        0x1C => MaxOutboundReadLimit: ULONG,
        /// The most memory windows.
        0x20 => MaxMwCount: ULONG,
        /// The most shared receive queues.
        0x24 => MaxSrqCount: ULONG,
        /// The counters that it does not keep, one bit each.
        0x28 => MissingCounterMask: ULONG64,
        /// Properties and limits.
        0x30 => NdkInfo: *const NDK_ADAPTER_INFO,
    }

    /// Counters; the place of each is its bit in `NDIS_NDK_CAPABILITIES::MissingCounterMask`.
    struct NDIS_NDK_PERFORMANCE_COUNTERS: 0xF0 {
        /// Connections that this side began.
        0x00 => Connect: ULONG64,
        /// Connections that this side accepted.
        0x08 => Accept: ULONG64,
        /// Connections that could not be made.
        0x10 => ConnectFailure: ULONG64,
        /// Connections that broke.
        0x18 => ConnectionError: ULONG64,
        /// Connections that exist now.
        0x20 => ActiveConnection: ULONG64,
        /// Reserved.
        0x28 => Reserved01: ULONG64,
        /// Reserved.
        0x30 => Reserved02: ULONG64,
        /// Reserved.
        0x38 => Reserved03: ULONG64,
        /// Reserved.
        0x40 => Reserved04: ULONG64,
        /// Reserved.
        0x48 => Reserved05: ULONG64,
        /// Reserved.
        0x50 => Reserved06: ULONG64,
        /// Reserved.
        0x58 => Reserved07: ULONG64,
        /// Reserved.
        0x60 => Reserved08: ULONG64,
        /// Reserved.
        0x68 => Reserved09: ULONG64,
        /// Reserved.
        0x70 => Reserved10: ULONG64,
        /// Reserved.
        0x78 => Reserved11: ULONG64,
        /// Reserved.
        0x80 => Reserved12: ULONG64,
        /// Reserved.
        0x88 => Reserved13: ULONG64,
        /// Reserved.
        0x90 => Reserved14: ULONG64,
        /// Reserved.
        0x98 => Reserved15: ULONG64,
        /// Reserved.
        0xA0 => Reserved16: ULONG64,
        /// Reserved.
        0xA8 => Reserved17: ULONG64,
        /// Reserved.
        0xB0 => Reserved18: ULONG64,
        /// Reserved.
        0xB8 => Reserved19: ULONG64,
        /// Reserved.
        0xC0 => Reserved20: ULONG64,
        /// Completion queues that failed.
        0xC8 => CQError: ULONG64,
        /// Bytes received.
        0xD0 => RDMAInOctets: ULONG64,
        /// Bytes sent.
        0xD8 => RDMAOutOctets: ULONG64,
        /// Frames received.
        0xE0 => RDMAInFrames: ULONG64,
        /// Frames sent.
        0xE8 => RDMAOutFrames: ULONG64,
    }

    /// The answer to `OID_NDK_STATISTICS`.
    struct NDIS_NDK_STATISTICS_INFO: 0xF8 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x04 => Flags: ULONG,
        /// The counters.
        0x08 => CounterSet: NDIS_NDK_PERFORMANCE_COUNTERS,
    }

    /// One connection.
    struct NDIS_NDK_CONNECTION_ENTRY: 0x40 {
        /// The local address.
        0x00 => Local: SOCKADDR_INET,
        /// The peer's address.
        0x1C => Remote: SOCKADDR_INET,
        /// True if a process owns it.
        0x38 => UserModeOwner: BOOLEAN,
        /// The process; zero for the kernel.
        0x3C => OwnerPid: ULONG,
    }

    /// The answer to `OID_NDK_CONNECTIONS`.
    struct NDIS_NDK_CONNECTIONS: 0x50 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x04 => Flags: ULONG,
        /// The number of entries.
        0x08 => Count: ULONG,
        /// True if each comes with the TCP connection that carries it.
        0x0C => NDConnectionsMappedtoTCPConnections: BOOLEAN,
        /// The first of them.
        0x10 => Connections: [NDIS_NDK_CONNECTION_ENTRY; 1],
    }

    /// One local endpoint.
    struct NDIS_NDK_LOCAL_ENDPOINT_ENTRY: 0x24 {
        /// Its address.
        0x00 => Local: SOCKADDR_INET,
        /// True if a process owns it.
        0x1C => UserModeOwner: BOOLEAN,
        /// True if it listens.
        0x1D => Listener: BOOLEAN,
        /// The process; zero for the kernel.
        0x20 => OwnerPid: ULONG,
    }

    /// The answer to `OID_NDK_LOCAL_ENDPOINTS`.
    struct NDIS_NDK_LOCAL_ENDPOINTS: 0x34 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x04 => Flags: ULONG,
        /// The number of entries.
        0x08 => Count: ULONG,
        /// True if each comes with the TCP endpoint that carries it.
        0x0C => NDLocalEndpointsMappedtoTCPLocalEndpoints: BOOLEAN,
        /// The first of them.
        0x10 => LocalEndpoints: [NDIS_NDK_LOCAL_ENDPOINT_ENTRY; 1],
    }
}

constants! { UCHAR:
    /// NDIS 6.30; documented by name only.
    NDIS_NDK_PROVIDER_CHARACTERISTICS_REVISION_1 = 1;
    /// NDIS 6.30.
    NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES_REVISION_1 = 1;
    /// NDIS 6.30.
    NDIS_NDK_CAPABILITIES_REVISION_1 = 1;
    /// NDIS 6.30.
    NDIS_NDK_STATISTICS_INFO_REVISION_1 = 1;
    /// NDIS 6.30.
    NDIS_NDK_CONNECTIONS_REVISION_1 = 1;
    /// NDIS 6.30.
    NDIS_NDK_LOCAL_ENDPOINTS_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_NDK_PROVIDER_CHARACTERISTICS_REVISION_1 = 0x18;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_MINIPORT_ADAPTER_NDK_ATTRIBUTES_REVISION_1 = 0x10;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_NDK_CAPABILITIES_REVISION_1 = 0x38;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_NDK_STATISTICS_INFO_REVISION_1 = 0xF8;
}

/// Size of an answer with so many connections, in bytes; the head's `Size` holds no more than 0xFFFF.
#[must_use]
pub const fn NDIS_SIZEOF_NDK_CONNECTIONS_REVISION_1(count: usize) -> usize {
    count.saturating_mul(64).saturating_add(16)
}

/// Size of an answer with so many endpoints, in bytes; the head's `Size` holds no more than 0xFFFF.
#[must_use]
pub const fn NDIS_SIZEOF_NDK_LOCAL_ENDPOINTS_REVISION_1(count: usize) -> usize {
    count.saturating_mul(36).saturating_add(16)
}

constants! { NDIS_OID:
    /// Set: enable or disable RDMA; must not pend.
    OID_NDK_SET_STATE = 0xFC04_0201;
    /// Query, also direct: `NDIS_NDK_STATISTICS_INFO`.
    OID_NDK_STATISTICS = 0xFC04_0202;
    /// Query: `NDIS_NDK_CONNECTIONS`.
    OID_NDK_CONNECTIONS = 0xFC04_0203;
    /// Query: `NDIS_NDK_LOCAL_ENDPOINTS`.
    OID_NDK_LOCAL_ENDPOINTS = 0xFC04_0204;
}

/// The provider's: open an NDK adapter. PASSIVE_LEVEL.
///
/// `NDIS_STATUS_BAD_VERSION` for a version that is not supported, `NDIS_STATUS_ADAPTER_NOT_READY` while RDMA
/// is disabled.
pub type OPEN_NDK_ADAPTER_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    Parameters: *const NDIS_OPEN_NDK_ADAPTER_PARAMETERS,
    ppNdkAdapter: *mut *mut NDK_ADAPTER,
) -> NDIS_STATUS;

/// The provider's: close an NDK adapter; returns when every callback on it has returned. PASSIVE_LEVEL.
pub type CLOSE_NDK_ADAPTER_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE, pNdkAdapter: *mut NDK_ADAPTER);
