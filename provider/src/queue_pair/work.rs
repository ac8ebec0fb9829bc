//! Work requests, and the queues that hold them.

#![expect(unsafe_code, reason = "a queue's users serialise their pushes and pops")]

use sys::ndk::{
    NDK_OP_FLAG_DEFER, NDK_OP_FLAG_READ_FENCE, NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT,
    NDK_OP_FLAG_SILENT_SUCCESS, NDK_OPERATION_TYPE,
};

use super::sgl::{Sgl, SglTable};
use crate::adapter::RegionOrWindow;
use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::memory::{Sge, Token};
use crate::number::usize_from;
use crate::ring::Ring;
use crate::sync::{AtomicU64, Line, Ordering};

bitflags::bitflags! {
    /// Flags of a work request (WR-3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Flags: u32 {
        /// No result if it succeeds.
        const SILENT = NDK_OP_FLAG_SILENT_SUCCESS;
        /// It begins when all earlier reads are done. Over loopback each one is done before the next begins.
        const READ_FENCE = NDK_OP_FLAG_READ_FENCE;
        /// The peer's receive counts as solicited.
        const SOLICIT = NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT;
        /// More follows; it may wait (WR-6).
        const DEFER = NDK_OP_FLAG_DEFER;
    }
}

/// Operation of an initiator request. Its scatter/gather list names the local memory; the parameters of a
/// registration lie in a queue of their own, so that the others are small.
pub(crate) enum Operation<K: Kernel> {
    /// A message.
    Send,
    /// A message that also invalidates a token of the peer's.
    SendAndInvalidate { token: Token },
    /// RDMA Write to this address and token of the peer's.
    Write { address: usize, token: Token },
    /// RDMA Read from this address and token of the peer's.
    Read { address: usize, token: Token },
    /// The same, and the first token of the sink is invalidated afterwards.
    ReadAndInvalidate { address: usize, token: Token },
    /// A fast registration: the next in the queue's registrations.
    FastRegister,
    /// A bind of a window: likewise.
    Bind,
    /// An invalidation of a region or window.
    Invalidate(RegionOrWindow<K>),
}

impl<K: Kernel> Operation<K> {
    /// Returns the operation type that its result reports.
    pub(super) fn name(&self) -> NDK_OPERATION_TYPE {
        match self {
            Self::Send | Self::SendAndInvalidate { .. } => NDK_OPERATION_TYPE::NdkOperationTypeSend,
            Self::Write { .. } => NDK_OPERATION_TYPE::NdkOperationTypeWrite,
            Self::Read { .. } | Self::ReadAndInvalidate { .. } => NDK_OPERATION_TYPE::NdkOperationTypeRead,
            Self::FastRegister => NDK_OPERATION_TYPE::NdkOperationTypeFastRegister,
            Self::Bind => NDK_OPERATION_TYPE::NdkOperationTypeBind,
            Self::Invalidate(_) => NDK_OPERATION_TYPE::NdkOperationTypeInvalidate,
        }
    }
}

/// A request on the initiator queue.
pub(crate) struct WorkRequest<K: Kernel> {
    pub(crate) operation: Operation<K>,
    pub(crate) flags: Flags,
    pub(crate) context: Opaque,
}

/// A queue that accepts as many requests as are not completed yet, up to its depth. Each has a
/// scatter/gather list.
pub(crate) struct WorkQueue<W> {
    ring: Ring<Queued<W>>,
    /// The lists of the requests in the ring.
    lists: SglTable,
    depth: u32,
    /// Number of completed requests. Those that were accepted beyond that are outstanding.
    completed: Line<AtomicU64>,
    /// The poster's copy of `completed`, which it refreshes when the queue seems to be full.
    seen: Line<AtomicU64>,
}

struct Queued<W> {
    work: W,
    /// Entries in its list.
    entries: usize,
}

/// The queue holds as many requests as its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl<W> WorkQueue<W> {
    /// Bytes of a slot.
    #[cfg(all(test, not(loom)))]
    pub(crate) const SLOT: usize = Ring::<Queued<W>>::SLOT;

    /// A queue for `depth` outstanding requests with lists of at most `width` entries.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    ///
    /// # Safety
    ///
    /// Each [`WorkQueue::post`] happens before the next, which the consumer sees to (WR-1), and each [`WorkQueue::take`]
    /// before the next.
    pub(crate) unsafe fn new(depth: u32, width: u32) -> Result<Self, NoMemory> {
        let ring = Ring::new(depth)?;
        let lists = SglTable::new(ring.capacity(), usize_from(width))?;
        Ok(Self { ring, lists, depth, completed: Line(AtomicU64::new(0)), seen: Line(AtomicU64::new(0)) })
    }

    /// Accepts the request that `make` makes for its position in the queue, with its list. The consumer
    /// serialises posts to one queue (WR-1).
    ///
    /// # Errors
    ///
    /// [`QueueFull`], and there will be no result for the request (WR-2).
    pub(crate) fn post<L: Iterator<Item = Sge>>(
        &self,
        make: impl FnOnce(u64) -> (W, L),
    ) -> Result<(), QueueFull> {
        if !self.has_room(self.seen.load(Ordering::Relaxed)) {
            let completed = self.completed.load(Ordering::Acquire);
            self.seen.store(completed, Ordering::Relaxed);
            if !self.has_room(completed) {
                return Err(QueueFull);
            }
        }
        // The ring has room: it holds no more than the outstanding ones.
        let queued = |position| {
            let (work, list) = make(position);
            Queued { work, entries: self.lists.write(position, list) }
        };
        // SAFETY: posts happen one before another, as the maker of the queue promised, and the ring is never sealed.
        let pushed = unsafe { self.ring.push_alone(queued) };
        pushed.map(drop).ok_or(QueueFull)
    }

    /// Returns true if one more request may be outstanding beyond so many completed.
    fn has_room(&self, completed: u64) -> bool {
        self.ring.tail().wrapping_sub(completed) < u64::from(self.depth)
    }

    /// A request is to be taken soon.
    pub(crate) fn expect_take(&self) {
        self.ring.expect_pop();
    }

    /// Another request is to be taken, but not soon.
    pub(crate) fn expect_another(&self) {
        self.ring.expect_another();
    }

    /// Returns the number of requests that were taken.
    pub(crate) fn begun(&self) -> u64 {
        self.ring.head()
    }

    /// Takes the oldest request in the queue. Its list replaces the contents of `list`.
    pub(crate) fn take(&self, list: &mut Sgl) -> Option<W> {
        let take = |position, Queued { work, entries }| {
            self.lists.read(position, entries, list);
            work
        };
        // SAFETY: takes happen one before another, as the maker of the queue promised.
        unsafe { self.ring.pop_alone(take) }
    }

    /// Reads the list of a request once more that was taken, and is not completed: the one at this position, with so
    /// many entries.
    pub(crate) fn reread(&self, position: u64, entries: usize, list: &mut Sgl) {
        self.lists.read(position, entries, list);
    }

    /// Returns true if every request that was accepted has its result, or goes without one.
    pub(crate) fn is_idle(&self) -> bool {
        self.completed.load(Ordering::Acquire) == self.ring.tail()
    }

    /// Returns the most requests that are outstanding.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// A request that was taken has its result, or goes without one. Called before the result is visible,
    /// so that the consumer may post the next one in answer to it; never twice at the same time, as requests are
    /// completed one by one.
    pub(crate) fn completed(&self) {
        let completed = self.completed.load(Ordering::Relaxed).wrapping_add(1);
        self.completed.store(completed, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A queue that the test's thread alone uses.
    fn queue<W>(depth: u32, width: u32) -> WorkQueue<W> {
        // SAFETY: one thread posts and takes.
        unsafe { WorkQueue::new(depth, width) }.unwrap()
    }

    fn post<W>(queue: &WorkQueue<W>, work: W, lengths: &[u32]) -> Result<(), QueueFull> {
        let list = lengths.iter().map(|length| Sge { address: 0, length: *length, token: 0 });
        queue.post(|_| (work, list))
    }

    #[test]
    fn queue_takes_its_depth_and_not_one_more() {
        let queue = queue(3, 1);
        for work in 0..3 {
            assert_eq!(post(&queue, work, &[]), Ok(()));
        }
        assert_eq!(post(&queue, 3, &[]), Err(QueueFull));
    }

    #[test]
    fn request_counts_until_it_is_completed() {
        let (queue, mut list) = (queue(1, 1), Sgl::new());
        post(&queue, 'a', &[]).unwrap();
        assert_eq!(queue.take(&mut list), Some('a'));
        assert_eq!(post(&queue, 'b', &[]), Err(QueueFull));
        queue.completed();
        assert_eq!(post(&queue, 'b', &[]), Ok(()));
    }

    #[test]
    fn each_request_comes_with_its_own_list() {
        let (queue, mut list) = (queue(2, 3), Sgl::new());
        for round in 0..5 {
            post(&queue, 'a', &[round, 2, 3]).unwrap();
            post(&queue, 'b', &[9]).unwrap();
            assert_eq!(queue.take(&mut list), Some('a'));
            assert_eq!(list.iter().map(|sge| sge.length).collect::<Vec<_>>(), [round, 2, 3]);
            assert_eq!(queue.take(&mut list), Some('b'));
            assert_eq!(list.iter().map(|sge| sge.length).collect::<Vec<_>>(), [9]);
            queue.completed();
            queue.completed();
        }
    }
}
