//! The information that an adapter gives about itself.
//!
//! Flag values: documented, and equal in the Windows 8.1 kit and in windows-sys; mingw-w64 lacks
//! `NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED`. `RdmaTechnology` is in the symbol files (0x68
//! bytes) but neither in the 8.1 kit nor in mingw-w64 (0x60 bytes); that it came with 2.0 is inferred.

use super::NDK_VERSION;
use crate::wdm::{SIZE_T, UINT32, ULONG};

layout! {
    /// The adapter's properties and limits. The last member is new in 2.0; before, the size was 0x60.
    struct NDK_ADAPTER_INFO: 0x68 {
        /// The version that the adapter was opened with.
        0x00 => Version: NDK_VERSION,
        /// The maker, by its PCI identifier.
        0x04 => VendorId: UINT32,
        /// The device, by its PCI identifier.
        0x08 => DeviceId: UINT32,
        /// The most memory that one region can register, in bytes.
        0x10 => MaxRegistrationSize: SIZE_T,
        /// The most memory that one window can cover, in bytes.
        0x18 => MaxWindowSize: SIZE_T,
        /// The most pages that one fast registration can cover; at least 16.
        0x20 => FRMRPageCount: ULONG,
        /// The most scatter/gather entries of a send, write, or bind.
        0x24 => MaxInitiatorRequestSge: ULONG,
        /// The most scatter/gather entries of a receive.
        0x28 => MaxReceiveRequestSge: ULONG,
        /// The most scatter/gather entries of an RDMA Read.
        0x2C => MaxReadRequestSge: ULONG,
        /// The most bytes that one request can move.
        0x30 => MaxTransferLength: ULONG,
        /// The most bytes that a request can carry inline.
        0x34 => MaxInlineDataSize: ULONG,
        /// The most RDMA Reads of the peer that one queue pair serves at a time.
        0x38 => MaxInboundReadLimit: ULONG,
        /// The most RDMA Reads that one queue pair has outstanding.
        0x3C => MaxOutboundReadLimit: ULONG,
        /// The most receives that a queue pair can hold.
        0x40 => MaxReceiveQueueDepth: ULONG,
        /// The most initiator requests that a queue pair can hold.
        0x44 => MaxInitiatorQueueDepth: ULONG,
        /// The most receives that a shared receive queue can hold.
        0x48 => MaxSrqDepth: ULONG,
        /// The most results that a completion queue can hold.
        0x4C => MaxCqDepth: ULONG,
        /// From how many bytes on a request should be split over several connections.
        0x50 => LargeRequestThreshold: ULONG,
        /// The most private data of a connect, in bytes.
        0x54 => MaxCallerData: ULONG,
        /// The most private data of an accept or reject, in bytes.
        0x58 => MaxCalleeData: ULONG,
        /// `NDK_ADAPTER_FLAG_…`.
        0x5C => AdapterFlags: ULONG,
        /// The technology below (2.0).
        0x60 => RdmaTechnology: NDK_RDMA_TECHNOLOGY,
    }
}

open_enum! {
    /// The technology below the interface (2.0).
    enum NDK_RDMA_TECHNOLOGY: i32 {
        /// Not said.
        NdkUndefined = 0,
        /// iWARP: RDMA over TCP.
        NdkiWarp = 1,
        /// InfiniBand.
        NdkInfiniBand = 2,
        /// RDMA over converged Ethernet, version 1.
        NdkRoCE = 3,
        /// RDMA over converged Ethernet, version 2: routable.
        NdkRoCEv2 = 4,
        /// One past the last.
        NdkMaxTechnology = 5,
    }
}

constants! { ULONG:
    /// Data arrives in memory in the order in which it was sent.
    NDK_ADAPTER_FLAG_IN_ORDER_DMA_SUPPORTED = 0x1;
    /// A region that an RDMA Read writes to needs no flag that says so.
    NDK_ADAPTER_FLAG_RDMA_READ_SINK_NOT_REQUIRED = 0x2;
    /// Completion queues can hold notifications back.
    NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED = 0x4;
    /// Several engines: using more connections gives more bandwidth.
    NDK_ADAPTER_FLAG_MULTI_ENGINE_SUPPORTED = 0x8;
    /// An RDMA Read can invalidate its local token when it is done (1.2).
    NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED = 0x10;
    /// Completion queues can be resized.
    NDK_ADAPTER_FLAG_CQ_RESIZE_SUPPORTED = 0x100;
    /// The adapter can connect to itself.
    NDK_ADAPTER_FLAG_LOOPBACK_CONNECTIONS_SUPPORTED = 0x10000;
}
