//! The initiator of a QP: its send queue, what goes with the requests in it, and the request in flight.
//!
//! | module | contents |
//! |---|---|
//! | this one | the queue: requests go in, one is taken out, its result is reported |
//! | `engine` | executes the request in flight |
//! | `pending_invalidate` | its wait for the transfers that use memory which it invalidated |
//! | `rnr_timeout` | its wait for a receive |
//! | `inline` | inline data of the requests in the queue |
//! | `over_wire` | the execution of requests whose remote is over a network |

#![expect(unsafe_code, reason = "work requests name memory by its address")]

mod engine;
mod inline;
mod over_wire;
mod pending_invalidate;
mod rnr_timeout;

use sys::status::{NTSTATUS, STATUS_SUCCESS};

pub(super) use engine::Step;
pub(super) use pending_invalidate::PendingInvalidate;
pub(super) use rnr_timeout::{Rnr, RnrTimeout};

use super::Depths;
use super::post::PostError;
use super::sgl::{Sgl, length};
use super::work::{Flags, Operation, WorkQueue, WorkRequest};
use crate::adapter::{Cq, PendingRegistration};
use crate::combiner::Combiner;
use crate::completion::{Cqe, Overflow, Unsettled};
use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::limits::MAX_TRANSFER_LENGTH;
use crate::memory::Sge;
use crate::number::usize_from;
use crate::object::{ObjectRef, ObjectTimer};
use crate::ring::Ring;
use crate::sync::Line;
use inline::InlineData;

/// The request in flight: taken off the queue, and not over.
struct InFlight<K: Kernel> {
    work: Option<WorkRequest<K>>,
    /// Its scatter/gather list.
    list: Sgl,
    /// The registration that it makes valid, if it registers.
    posted: Option<PendingRegistration<K>>,
    /// It has moved its data and invalidated a token, and waits for the transfers that use the memory.
    pending_invalidate: Option<PendingInvalidate<K>>,
    /// The wait for a receive.
    rnr_timeout: RnrTimeout,
    /// Over a wire: the oldest request on its way has moved its data and invalidated a token, and waits likewise.
    settling: Option<PendingInvalidate<K>>,
}

impl<K: Kernel> Default for InFlight<K> {
    fn default() -> Self {
        Self {
            work: None,
            list: Sgl::new(),
            posted: None,
            pending_invalidate: None,
            rnr_timeout: RnrTimeout::default(),
            settling: None,
        }
    }
}

/// See the module's head.
pub(super) struct Initiator<K: Kernel> {
    pub(super) cq: ObjectRef<K, Cq<K>>,
    queue: WorkQueue<WorkRequest<K>>,
    max_sge: usize,
    /// Fast registrations and binds of the requests in the queue, in their order.
    registrations: Ring<PendingRegistration<K>>,
    inline: InlineData,
    /// Serialises the execution of requests. Its value is the request that was taken off the queue and can't go on yet.
    engine: Line<Combiner<InFlight<K>>>,
    /// Expires while a send waits for a receive.
    pub(super) timer: ObjectTimer<K>,
}

impl<K: Kernel> Initiator<K> {
    /// An empty send queue.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    #[inline(always)]
    pub(super) fn new(cq: ObjectRef<K, Cq<K>>, depths: &Depths) -> Result<Self, NoMemory> {
        // SAFETY: the consumer serialises posts to one queue (WR-1), as the edge relies on; and only a run of the combiner
        // takes, each of which happens before the next.
        let queue = unsafe { WorkQueue::new(depths.initiator, depths.initiator_sge) }?;
        Ok(Self {
            cq,
            queue,
            max_sge: usize_from(depths.initiator_sge),
            registrations: Ring::new(depths.initiator)?,
            inline: InlineData::new(depths.initiator, usize_from(depths.inline))?,
            engine: Line(Combiner::new(InFlight::default())),
            timer: ObjectTimer::new(),
        })
    }

    /// Refuses a scatter/gather list with too many entries or bytes.
    ///
    /// # Errors
    ///
    /// [`PostError::TooLarge`].
    pub(super) fn check(&self, list: impl ExactSizeIterator<Item = Sge>) -> Result<(), PostError> {
        if list.len() > self.max_sge || length(list) > usize_from(MAX_TRANSFER_LENGTH) {
            return Err(PostError::TooLarge);
        }
        Ok(())
    }

    /// Refuses inline data for which a request has no room.
    ///
    /// # Errors
    ///
    /// [`PostError::TooLarge`].
    pub(super) fn check_inline(&self, list: impl Iterator<Item = Sge>) -> Result<(), PostError> {
        if length(list) > self.inline.size() { Err(PostError::TooLarge) } else { Ok(()) }
    }

    /// Queues a request.
    ///
    /// # Errors
    ///
    /// [`PostError::QueueFull`].
    pub(super) fn post(
        &self,
        work: WorkRequest<K>,
        list: impl Iterator<Item = Sge>,
    ) -> Result<(), PostError> {
        Ok(self.queue.post(|_| (work, list))?)
    }

    /// Queues a request with a copy of the data of `entries`.
    ///
    /// # Errors
    ///
    /// [`PostError::QueueFull`].
    ///
    /// # Safety
    ///
    /// The entries name memory that can be read at the caller's level.
    pub(super) unsafe fn post_inline(
        &self,
        work: WorkRequest<K>,
        entries: impl Iterator<Item = Sge>,
    ) -> Result<(), PostError> {
        Ok(self.queue.post(|position| {
            // SAFETY: as the caller promises.
            let copy = unsafe { self.inline.fill(position, entries) };
            (work, core::iter::once(copy))
        })?)
    }

    /// Queues a fast registration or a bind. Its token is known from then on.
    ///
    /// # Errors
    ///
    /// [`PostError::QueueFull`]; the registration is taken back.
    pub(super) fn post_registration(
        &self,
        work: WorkRequest<K>,
        mut posted: PendingRegistration<K>,
    ) -> Result<(), PostError> {
        Ok(self.queue.post(|_| {
            posted.reserve_key();
            // There is room, as for the request itself: it is taken out before the request is over.
            let pushed = self.registrations.push(posted);
            debug_assert!(pushed.is_ok(), "as many registrations as requests");
            (work, core::iter::empty())
        })?)
    }

    /// Returns true if every request that was accepted is over.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }

    /// The most requests that are outstanding.
    pub(super) fn depth(&self) -> u32 {
        self.queue.depth()
    }

    /// The place in the queue of the request that was taken last.
    pub(super) fn position(&self) -> u64 {
        self.queue.begun().wrapping_sub(1)
    }

    /// Reads the list of a request that has no result yet: see [`WorkQueue::reread`].
    pub(super) fn reread(&self, position: u64, entries: usize, list: &mut Sgl) {
        self.queue.reread(position, entries, list);
    }

    /// Takes the next request off the queue, if none is in flight. Returns true if one is in flight then.
    fn begin_next(&self, in_flight: &mut InFlight<K>) -> bool {
        if in_flight.work.is_none() {
            in_flight.work = self.queue.take(&mut in_flight.list);
            if let Some(WorkRequest { operation: Operation::FastRegister | Operation::Bind, .. }) =
                in_flight.work
            {
                in_flight.posted = self.registrations.pop();
            }
        }
        in_flight.work.is_some()
    }

    /// Determines the RNR state of the send in flight, which has found no receive.
    fn check_rnr_timeout(&self, in_flight: &mut InFlight<K>) -> Rnr {
        in_flight.rnr_timeout.check(self.queue.begun())
    }

    /// Ends the request in flight, with its result unless it succeeded silently, which the caller settles.
    ///
    /// # Errors
    ///
    /// [`Overflow`]: the CQ had no room for the result.
    fn report(
        &self,
        in_flight: &mut InFlight<K>,
        status: NTSTATUS,
        qp_context: Opaque,
    ) -> Result<Option<Unsettled>, Overflow> {
        let Some(work) = in_flight.work.take() else { return Ok(None) };
        let bytes = length(in_flight.list.iter().copied());
        in_flight.posted = None;
        self.end(work, bytes, status, qp_context)
    }

    /// Ends a request that was taken off the queue: as [`Initiator::report`].
    ///
    /// # Errors
    ///
    /// [`Overflow`].
    fn end(
        &self,
        WorkRequest { operation, flags, context }: WorkRequest<K>,
        bytes: usize,
        status: NTSTATUS,
        qp_context: Opaque,
    ) -> Result<Option<Unsettled>, Overflow> {
        let name = operation.name();
        // What it holds goes before its result is visible, for then the consumer may deregister or close that.
        drop(operation);
        self.queue.completed();
        if status == STATUS_SUCCESS && flags.contains(Flags::SILENT) {
            return Ok(None);
        }
        let result = Cqe {
            status,
            bytes: if status == STATUS_SUCCESS { u32::try_from(bytes).unwrap_or(u32::MAX) } else { 0 },
            qp_context,
            request_context: context,
            operation: name,
            invalidated: 0,
        };
        self.cq.push_unsettled(result, false).map(Some)
    }
}
