//! Requests that are on their way: they have left the send queue, and have no result yet (RD-10).
//!
//! Results come in the order of the posts, whatever ends first: the oldest request has the next result. So what needs
//! no network, and is done at once, waits here for those before it.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;

use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS};

use iwarp::ddp::Msn;
use iwarp::rdmap::{Message, Placed, ReadRequest, Terminate};

use super::WireTransfers;
use super::outcome::{Named, status};
use crate::heap::{NoMemory, Within as _};
use crate::kernel::Kernel;
use crate::memory::Token;
use crate::number::u64_from;
use crate::queue_pair::work::{Operation, WorkRequest};
use crate::sync::Ordering;

/// The event that ends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue_pair) enum Until {
    /// It has ended, with this status.
    Ended(NTSTATUS),
    /// The batch with its last byte, and all before, are back: TCP needs its bytes no more (TX-4).
    Sent(u64),
    /// The response to the read with this number is there.
    Read(u64),
}

/// A request that is on its way.
pub(in crate::queue_pair) struct Launched<K: Kernel> {
    pub(in crate::queue_pair) work: WorkRequest<K>,
    /// Bytes in its list.
    pub(in crate::queue_pair) bytes: u32,
    /// The token of the first entry of its list.
    pub(in crate::queue_pair) first_token: Option<Token>,
    pub(in crate::queue_pair) until: Until,
    /// Of a Send.
    msn: Option<Msn>,
}

/// See the module's head.
pub(super) struct Flight<K: Kernel> {
    requests: VecDeque<Launched<K>>,
    /// The number of the next Send.
    next_send: Msn,
}

impl<K: Kernel> Flight<K> {
    /// No room.
    pub(super) const fn new() -> Self {
        Self { requests: VecDeque::new(), next_send: Msn::FIRST }
    }

    /// Room for as many requests as may be outstanding.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn with_room(depth: usize) -> Result<Self, NoMemory> {
        let mut flight = Self::new();
        flight.requests.try_reserve_exact(depth).map_err(|_| NoMemory)?;
        Ok(flight)
    }
}

impl<K: Kernel> Launched<K> {
    fn named(&self) -> Option<Named> {
        match self.work.operation {
            Operation::Send | Operation::SendAndInvalidate { .. } => Some(Named::Send),
            Operation::Write { .. } => Some(Named::Write),
            Operation::Read { .. } | Operation::ReadAndInvalidate { .. } => Some(Named::Read),
            Operation::FastRegister | Operation::Bind | Operation::Invalidate(_) => None,
        }
    }

    /// Returns true if the header that a Terminate copies is one of this request's.
    fn is_of(&self, message: Message, request: Option<ReadRequest>) -> bool {
        match (&self.work.operation, message) {
            (Operation::Send | Operation::SendAndInvalidate { .. }, Message::Send(_, place)) => {
                self.msn == Some(place.msn)
            }
            (Operation::Write { address, token }, Message::Write(Placed { stag, offset, .. })) => {
                let first = u64_from(*address);
                stag.0 == token.0 && offset.checked_sub(first).is_some_and(|at| at < u64::from(self.bytes))
            }
            (
                Operation::Read { address, token } | Operation::ReadAndInvalidate { address, token },
                Message::ReadRequest(_),
            ) => request.is_none_or(|request| {
                request.source.0 == token.0
                    && request.source_offset == u64_from(*address)
                    && request.length == self.bytes
            }),
            _ => false,
        }
    }
}

impl<K: Kernel> WireTransfers<K> {
    /// Puts a request behind the others.
    pub(in crate::queue_pair) fn launch(
        &self,
        work: WorkRequest<K>,
        (bytes, first_token): (u32, Option<Token>),
        until: Until,
    ) {
        let mut flight = self.flight.lock();
        let is_send = matches!(work.operation, Operation::Send | Operation::SendAndInvalidate { .. });
        let msn = is_send.then_some(flight.next_send);
        if is_send {
            flight.next_send = flight.next_send.next();
        }
        let refused = flight.requests.push_within(Launched { work, bytes, first_token, until, msn }).err();
        drop(flight);
        debug_assert!(refused.is_none(), "there is room for as many as may be outstanding");
    }

    /// The oldest request.
    fn take(&self) -> Option<Launched<K>> {
        self.flight.lock().requests.pop_front()
    }

    /// Takes the oldest request out, if it has ended: with its status.
    pub(in crate::queue_pair) fn take_ended(&self) -> Option<(Launched<K>, NTSTATUS)> {
        // Looked up before, as one lock is taken at a time.
        let until = self.flight.lock().requests.front()?.until;
        let status = self.status(until)?;
        Some((self.take()?, status))
    }

    /// Puts a request back that was taken out as the oldest.
    pub(in crate::queue_pair) fn put_back(&self, launched: Launched<K>) {
        let mut flight = self.flight.lock();
        if flight.requests.len() < flight.requests.capacity() {
            flight.requests.push_front(launched);
        }
    }

    /// The status of a request that ends by this, once it has one.
    fn status(&self, until: Until) -> Option<NTSTATUS> {
        match until {
            Until::Ended(status) => Some(status),
            Until::Sent(batch) => self.is_back(batch).then_some(STATUS_SUCCESS),
            Until::Read(number) => self.sinks.status(number),
        }
    }

    /// Takes the oldest request out for a flush: with the status that it has, or as cancelled.
    /// `dead`: the connection is over, and bytes that TCP has may not arrive.
    pub(in crate::queue_pair) fn take_flushed(&self, dead: bool) -> Option<(Launched<K>, NTSTATUS)> {
        let until = self.flight.lock().requests.front()?.until;
        let unless_known =
            if matches!(until, Until::Sent(_)) && !dead { STATUS_SUCCESS } else { STATUS_CANCELLED };
        let status = self.status(until).unwrap_or(unless_known);
        Some((self.take()?, status))
    }

    /// Cancels the reads on their way: nothing more is placed for them. Returns false if one is being placed: the
    /// arrival runs the initiator again.
    #[must_use]
    pub(in crate::queue_pair) fn cancel_reads(&self, resume: impl FnOnce()) -> bool {
        match self.sinks.cancel() {
            None => false,
            Some(contended) => {
                if contended {
                    resume();
                }
                true
            }
        }
    }

    /// Returns true if a read is on its way: a request with a read fence waits (RD-9).
    pub(in crate::queue_pair) fn has_reads(&self) -> bool {
        self.sinks.is_awaited()
    }

    /// Returns true if a Terminate of the peer has come that the requests have not been told of.
    pub(in crate::queue_pair) fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Acquire)
    }

    /// Tells the requests on their way of the Terminate of the peer: the one that it names has its
    /// status, the Sends and Writes before it have arrived, and all others are left to the flush that follows.
    pub(in crate::queue_pair) fn settle_terminate(&self) {
        self.terminated.store(false, Ordering::Relaxed);
        let Some(Terminate { code, copied }) = self.terminate.lock().take() else { return };
        let Some((message, request)) = copied.and_then(|copied| Some((copied.message()?, copied.request)))
        else {
            return;
        };
        let mut flight = self.flight.lock();
        let is_named = |launched: &Launched<K>| launched.is_of(message, request);
        let Some(place) = flight.requests.iter().position(is_named) else { return };
        for (index, launched) in flight.requests.iter_mut().enumerate().take(place.saturating_add(1)) {
            match launched.named() {
                Some(named) if index == place => launched.until = Until::Ended(status(code, named)),
                Some(Named::Send | Named::Write) if matches!(launched.until, Until::Sent(_)) => {
                    launched.until = Until::Ended(STATUS_SUCCESS);
                }
                Some(Named::Send | Named::Write | Named::Read) | None => {}
            }
        }
    }

    /// Keeps the Terminate of the peer for [`WireTransfers::settle_terminate`].
    pub(super) fn terminated(&self, terminate: Terminate) {
        *self.terminate.lock() = Some(terminate);
        self.terminated.store(true, Ordering::Release);
    }
}
