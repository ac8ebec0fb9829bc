//! Adapter information, NDK_ADAPTER_INFO (NDIS-7, NDIS-8).

use sys::ndk::{
    NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED, NDK_ADAPTER_FLAG_CQ_RESIZE_SUPPORTED,
    NDK_ADAPTER_FLAG_IN_ORDER_DMA_SUPPORTED, NDK_ADAPTER_FLAG_LOOPBACK_CONNECTIONS_SUPPORTED,
    NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED, NDK_ADAPTER_FLAG_RDMA_READ_SINK_NOT_REQUIRED,
    NDK_ADAPTER_INFO, NDK_RDMA_TECHNOLOGY, NDK_VERSION,
};

use super::ulong;
use crate::connection::MAX_PRIVATE_DATA;
use crate::kernel::Kernel;
use crate::limits::{
    MAX_CQ_DEPTH, MAX_INLINE_DATA, MAX_QUEUE_DEPTH, MAX_REGISTRATION, MAX_TRANSFER_LENGTH, READ_LIMITS,
};
use crate::memory::{MAX_PAGES, MAX_SGE};
use crate::rnic::Rnic;

impl<K: Kernel> Rnic<K> {
    /// Returns the NDK_ADAPTER_INFO of an adapter of this version.
    #[must_use]
    pub fn adapter_info(version: NDK_VERSION) -> NDK_ADAPTER_INFO {
        adapter_info(version)
    }
}

/// See [`Rnic::adapter_info`].
pub(super) fn adapter_info(version: NDK_VERSION) -> NDK_ADAPTER_INFO {
    let sge = ulong(MAX_SGE);
    NDK_ADAPTER_INFO {
        Version: version,
        // Neither the vendor nor the device is a PCI one.
        VendorId: 0,
        DeviceId: 0,
        MaxRegistrationSize: MAX_REGISTRATION,
        MaxWindowSize: MAX_REGISTRATION,
        FRMRPageCount: ulong(MAX_PAGES),
        MaxInitiatorRequestSge: sge,
        MaxReceiveRequestSge: sge,
        MaxReadRequestSge: sge,
        MaxTransferLength: MAX_TRANSFER_LENGTH,
        MaxInlineDataSize: MAX_INLINE_DATA,
        MaxInboundReadLimit: READ_LIMITS.inbound,
        MaxOutboundReadLimit: READ_LIMITS.outbound,
        MaxReceiveQueueDepth: MAX_QUEUE_DEPTH,
        MaxInitiatorQueueDepth: MAX_QUEUE_DEPTH,
        MaxSrqDepth: MAX_QUEUE_DEPTH,
        MaxCqDepth: MAX_CQ_DEPTH,
        LargeRequestThreshold: MAX_TRANSFER_LENGTH,
        MaxCallerData: ulong(MAX_PRIVATE_DATA),
        MaxCalleeData: ulong(MAX_PRIVATE_DATA),
        AdapterFlags: NDK_ADAPTER_FLAG_IN_ORDER_DMA_SUPPORTED
            | NDK_ADAPTER_FLAG_RDMA_READ_SINK_NOT_REQUIRED
            | NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED
            | NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED
            | NDK_ADAPTER_FLAG_CQ_RESIZE_SUPPORTED
            | NDK_ADAPTER_FLAG_LOOPBACK_CONNECTIONS_SUPPORTED,
        RdmaTechnology: NDK_RDMA_TECHNOLOGY::NdkiWarp,
    }
}
