//! Work requests, and the queues that hold them.

use sys::ndk::{
    NDK_OP_FLAG_DEFER, NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT, NDK_OP_FLAG_SILENT_SUCCESS, NDK_OPERATION_TYPE,
};

use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::memory::{MAX_SGE, Owner, Posted, Sge, Token};
use crate::ring::Ring;
use crate::sync::{AtomicU32, Ordering};

bitflags::bitflags! {
    /// How a work request is to be done (WR-3). A read fence needs nothing: requests are done one by one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Flags: u32 {
        /// No result if it succeeds.
        const SILENT = NDK_OP_FLAG_SILENT_SUCCESS;
        /// The peer's receive counts as solicited.
        const SOLICIT = NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT;
        /// More follows; it may wait (WR-6).
        const DEFER = NDK_OP_FLAG_DEFER;
    }
}

/// A scatter/gather list of at most [`MAX_SGE`] entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sgl {
    entries: [Sge; MAX_SGE],
    count: usize,
}

impl Sgl {
    /// A copy of `entries`, or `None` if there are too many.
    pub(crate) fn new(entries: impl ExactSizeIterator<Item = Sge>) -> Option<Self> {
        let count = entries.len();
        let mut list = Self { entries: [Sge::default(); MAX_SGE], count };
        for (place, entry) in list.entries.get_mut(..count)?.iter_mut().zip(entries) {
            *place = entry;
        }
        Some(list)
    }

    /// A list of one entry.
    pub(crate) fn single(entry: Sge) -> Self {
        let mut list = Self { entries: [Sge::default(); MAX_SGE], count: 1 };
        if let Some(first) = list.entries.first_mut() {
            *first = entry;
        }
        list
    }

    /// The entries.
    pub(crate) fn entries(&self) -> &[Sge] {
        self.entries.get(..self.count).unwrap_or_default()
    }

    /// Bytes in all entries.
    pub(crate) fn length(&self) -> usize {
        self.entries().iter().fold(0, |sum, sge| sum.saturating_add(sge.length as usize))
    }
}

/// What an initiator request does.
pub(crate) enum Operation<K: Kernel> {
    /// A message; it also invalidates a token of the peer's.
    Send { data: Sgl, invalidates: Option<Token> },
    /// RDMA Write to this address and token of the peer's.
    Write { data: Sgl, address: usize, token: Token },
    /// RDMA Read from this address and token of the peer's; invalidates the first token of the sink.
    Read { sink: Sgl, address: usize, token: Token, invalidates: bool },
    /// A fast registration.
    FastRegister(Posted<K>),
    /// A bind of a window.
    Bind(Posted<K>),
    /// An invalidation of a region or window; of none once it is over.
    Invalidate(Option<Owner<K>>),
}

impl<K: Kernel> Operation<K> {
    /// What results call it.
    pub(super) fn name(&self) -> NDK_OPERATION_TYPE {
        match self {
            Self::Send { .. } => NDK_OPERATION_TYPE::NdkOperationTypeSend,
            Self::Write { .. } => NDK_OPERATION_TYPE::NdkOperationTypeWrite,
            Self::Read { .. } => NDK_OPERATION_TYPE::NdkOperationTypeRead,
            Self::FastRegister(_) => NDK_OPERATION_TYPE::NdkOperationTypeFastRegister,
            Self::Bind(_) => NDK_OPERATION_TYPE::NdkOperationTypeBind,
            Self::Invalidate(_) => NDK_OPERATION_TYPE::NdkOperationTypeInvalidate,
        }
    }

    /// It is over. What it holds goes before its result is visible, for then the consumer may deregister or
    /// close that.
    pub(super) fn let_go(&mut self) {
        match self {
            Self::FastRegister(posted) | Self::Bind(posted) => posted.let_go(),
            Self::Invalidate(owner) => drop(owner.take()),
            Self::Send { .. } | Self::Write { .. } | Self::Read { .. } => {}
        }
    }

    /// The memory on this side, if it moves data.
    pub(super) fn local(&self) -> Option<&Sgl> {
        match self {
            Self::Send { data, .. } | Self::Write { data, .. } => Some(data),
            Self::Read { sink, .. } => Some(sink),
            Self::FastRegister(_) | Self::Bind(_) | Self::Invalidate(_) => None,
        }
    }

    /// Bytes that it moves.
    pub(super) fn length(&self) -> usize {
        self.local().map_or(0, Sgl::length)
    }
}

/// A request on the initiator queue.
pub(crate) struct Initiated<K: Kernel> {
    pub(crate) operation: Operation<K>,
    pub(crate) flags: Flags,
    pub(crate) context: Opaque,
}

/// A request on the receive queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receive {
    pub(crate) context: Opaque,
    pub(crate) sink: Sgl,
}

/// A queue that accepts as many requests as are not completed yet, up to its depth.
pub(crate) struct WorkQueue<W> {
    ring: Ring<W>,
    depth: u32,
    /// Accepted and not completed; also counts the one that is being done.
    outstanding: AtomicU32,
}

/// The queue holds as many requests as its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl<W> WorkQueue<W> {
    /// A queue for `depth` outstanding requests.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(depth: u32) -> Result<Self, NoMemory> {
        Ok(Self { ring: Ring::new(depth)?, depth, outstanding: AtomicU32::new(0) })
    }

    /// Accepts the request that `make` makes for its position in the queue, in its place there: requests are
    /// too large to be moved about. The consumer serialises posts
    /// to one queue (WR-1).
    ///
    /// # Errors
    ///
    /// [`QueueFull`], and there will be no result for the request (WR-2).
    pub(crate) fn post(&self, make: impl FnOnce(u64) -> W) -> Result<(), QueueFull> {
        if self.outstanding.fetch_add(1, Ordering::AcqRel) >= self.depth {
            self.outstanding.fetch_sub(1, Ordering::AcqRel);
            return Err(QueueFull);
        }
        // The ring has room: it holds no more than the outstanding ones.
        self.ring.push_with(make).map(drop).ok_or(QueueFull)
    }

    /// The oldest request that nobody has begun.
    pub(crate) fn take(&self) -> Option<W> {
        self.ring.pop()
    }

    /// A request that was taken has its result, or goes without one. Called before the result is visible,
    /// so that the consumer may post the next one in answer to it.
    pub(crate) fn completed(&self) {
        self.outstanding.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_queue_takes_its_depth_and_not_one_more() {
        let queue = WorkQueue::new(3).unwrap();
        for work in 0..3 {
            assert_eq!(queue.post(|_| work), Ok(()));
        }
        assert_eq!(queue.post(|_| 3), Err(QueueFull));
    }

    #[test]
    fn a_request_counts_until_it_is_completed() {
        let queue = WorkQueue::new(1).unwrap();
        queue.post(|_| 'a').unwrap();
        assert_eq!(queue.take(), Some('a'));
        assert_eq!(queue.post(|_| 'b'), Err(QueueFull));
        queue.completed();
        assert_eq!(queue.post(|_| 'b'), Ok(()));
    }

    #[test]
    fn a_list_has_at_most_the_advertised_entries() {
        let sge = |length| Sge { address: 0, length, token: 0 };
        assert_eq!(Sgl::new((0..16).map(sge)).unwrap().length(), 120);
        assert!(Sgl::new((0..17).map(sge)).is_none());
    }
}
