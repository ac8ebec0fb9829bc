//! The limits that the adapter reports, and within which requests are accepted.

#![forbid(unsafe_code)]

/// The most bytes of one request. A copy runs at the poster's level, which may be DISPATCH_LEVEL, so it is
/// bounded by what can be copied in about a millisecond.
pub(crate) const MAX_TRANSFER_LENGTH: u32 = 8 << 20;
/// The most inline data of one request, in bytes; a queue pair has so much room for each one of its depth.
pub(crate) const MAX_INLINE_DATA: u32 = 256;
/// The most requests of one queue of a queue pair, and of a shared receive queue.
pub(crate) const MAX_QUEUE_DEPTH: u32 = 16 << 10;
/// The most results of one completion queue.
pub(crate) const MAX_CQ_DEPTH: u32 = 256 << 10;
/// The most RDMA Reads in progress. They are done one by one, so the number is a promise to the peer.
pub(crate) const READ_LIMITS: ReadLimits = ReadLimits { inbound: 128, outbound: 128 };
/// The most memory of one region or window, in bytes. Nothing here depends on it; no more has been tried.
pub(crate) const MAX_REGISTRATION: usize = 1 << 30;

/// Read limits (IRD and ORD): how many RDMA Reads may be in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadLimits {
    pub(crate) inbound: u32,
    pub(crate) outbound: u32,
}

impl ReadLimits {
    /// Returns the limits in effect between this side and its peer (CM-6); both were capped to their
    /// adapter's maximum.
    pub(crate) fn effective(self, peer: Self) -> Self {
        Self { inbound: self.inbound.min(peer.outbound), outbound: self.outbound.min(peer.inbound) }
    }
}
