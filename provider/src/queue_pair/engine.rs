//! Progress: takes requests off the initiator queue, one by one, and does them against the peer.
//!
//! Whoever changed something runs it: a post, a receive at the other end, a flush. It runs in that
//! caller, at its level, and calls no consumer: results go into completion queues, whose notifications
//! are deferred.
//!
//! A transfer keeps what it gathered on the stack. What does that is not inlined, so that the frame
//! of their caller does not grow to hold the locals of all: a frame over a page does not even link,
//! because a kernel stack has no probe for it.

use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_BUFFER_OVERFLOW, STATUS_INVALID_DEVICE_STATE,
    STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use super::ending::{Current, Ending};
use super::list::List;
use super::patience::Verdict;
use super::results::Message;
use super::work::{Flags, Initiated, Operation};
use super::{DEAD, FLUSH, FLUSH_RECEIVES, Qp, RANG};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::lifetime::Refused;
use crate::memory::{Gathered, Invalidated, Posted, Refusal, Rights, Sge, Token, Unfit, copy};
use crate::object::Object;
use crate::rundown::Lane;
use crate::sync::Ordering;

/// A message that met a receive.
struct Arrival {
    /// The receive's own.
    context: Opaque,
    /// The message's length, or the status by which the receive fails.
    moved: Result<usize, NTSTATUS>,
}

/// What became of one attempt at a request.
pub(super) enum Attempt {
    /// It is done.
    Done,
    /// It failed here; the connection breaks.
    Failed(NTSTATUS),
    /// It is done, but the other end could not take it; the connection breaks.
    Broken,
    /// The peer has no receive for it yet.
    Starves,
    /// Memory that it invalidated is still in use.
    Waits,
    /// No transfer is possible now.
    NoConnection,
}

impl From<Refusal> for Attempt {
    fn from(_: Refusal) -> Self {
        Self::Failed(STATUS_ACCESS_VIOLATION)
    }
}

impl From<Unfit> for Attempt {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Refused(refusal) => refusal.into(),
            Unfit::State => Self::Failed(STATUS_INVALID_DEVICE_STATE),
        }
    }
}

impl From<Refused> for Attempt {
    /// A queue pair that is being closed, or can't be held once more, does nothing new.
    fn from(_: Refused) -> Self {
        Self::NoConnection
    }
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// See the module's head. The caller holds the queue pair, directly or by a transfer.
    pub(crate) fn progress(&self) {
        self.engine.run(|current| self.advance(current));
    }

    fn advance(&self, current: &mut Current<K>) {
        loop {
            // A flush that comes after the look has left a note with the combiner.
            if self.cancel.load(Ordering::SeqCst) != 0 {
                let cancel = self.cancel.fetch_and(!(FLUSH | FLUSH_RECEIVES | RANG), Ordering::SeqCst);
                if cancel & RANG != 0 {
                    current.patience.ring();
                }
                if cancel & (FLUSH | DEAD) != 0 {
                    self.cancel_initiated(current);
                }
                if cancel & (FLUSH | DEAD | FLUSH_RECEIVES) != 0 {
                    self.cancel_receives();
                }
            }
            if !self.begin_next(current) {
                return;
            }
            let (status, breaks) = match self.attempt(current) {
                Attempt::Done => (STATUS_SUCCESS, false),
                Attempt::Failed(status) => (status, true),
                Attempt::Broken => (STATUS_SUCCESS, true),
                Attempt::Starves if self.starves(current) => (STATUS_IO_TIMEOUT, true),
                // A kill that came meanwhile has left a note with the combiner.
                Attempt::Starves | Attempt::Waits | Attempt::NoConnection => return,
            };
            self.finish(current, status);
            if breaks {
                self.break_connection();
            }
        }
    }

    /// Whether the present request has waited too long for a receive.
    #[cold]
    fn starves(&self, current: &mut Current<K>) -> bool {
        match current.patience.ask(self.initiator.begun()) {
            Verdict::TimedOut => true,
            Verdict::Waits => false,
            Verdict::WaitsFor(time) => {
                self.set_alarm(time);
                false
            }
        }
    }

    /// Takes the next request off the queue, if none is being done; whether there is one.
    pub(super) fn begin_next(&self, current: &mut Current<K>) -> bool {
        if current.work.is_none() {
            current.work = self.initiator.take(&mut current.list);
            if let Some(Initiated { operation: Operation::FastRegister | Operation::Bind, .. }) = current.work
            {
                current.posted = self.registrations.pop();
            }
        }
        current.work.is_some()
    }

    fn attempt(&self, current: &mut Current<K>) -> Attempt {
        let Current { work: Some(work), list, posted, ending, .. } = current else { return Attempt::Done };
        let Some((transfers, side)) = self.transfer() else { return Attempt::NoConnection };
        if ending.as_ref().is_some_and(|ending| ending.owner.is_awaited_by(self)) {
            return Attempt::Waits;
        }
        let done = match ending.take() {
            Some(ended) => Self::resume(work, posted, ended),
            None => self.start(work, list, posted, transfers.peer_of(side), ending),
        };
        done.unwrap_or_else(|failed| failed)
    }

    fn start(
        &self,
        work: &Initiated<K>,
        list: &List,
        posted: &mut Option<Posted<K>>,
        peer: &Self,
        ending: &mut Option<Ending<K>>,
    ) -> Result<Attempt, Attempt> {
        let flags = work.flags;
        match &work.operation {
            Operation::Send => self.send((list, flags), None, peer, ending),
            Operation::SendAndInvalidate { token } => self.send((list, flags), Some(*token), peer, ending),
            Operation::Write { address, token } => self.write(list, peer, *address, *token),
            Operation::Read { address, token } => self.read(list, peer, *address, *token),
            Operation::ReadAndInvalidate { address, token } => {
                self.read(list, peer, *address, *token)?;
                match list.first() {
                    Some(first) => self.invalidate_sink(Token(first.token), ending),
                    None => Ok(Attempt::Done),
                }
            }
            Operation::FastRegister => Self::carry_out(posted),
            Operation::Bind => {
                let window = posted.as_ref().ok_or(Unfit::State)?.owner().keep()?;
                match self.invalidate(window, None, None, ending)? {
                    Invalidated::Later => Ok(Attempt::Waits),
                    // A window that was not bound is bound all the same.
                    Invalidated::Now | Invalidated::NotValid => Self::carry_out(posted),
                }
            }
            Operation::Invalidate(owner) => {
                Self::invalidated(self.invalidate(owner.keep()?, None, None, ending)?)
            }
        }
    }

    fn send(
        &self,
        (data, flags): (&List, Flags),
        invalidates: Option<Token>,
        peer: &Self,
        ending: &mut Option<Ending<K>>,
    ) -> Result<Attempt, Attempt> {
        let Some(Arrival { context, moved }) = self.deliver(data, peer)? else { return Ok(Attempt::Starves) };
        let mut message =
            Message { context, bytes: 0, solicited: flags.contains(Flags::SOLICIT), invalidated: None };
        let length = match moved {
            Ok(length) => length,
            Err(status) => {
                peer.delivered(status, message);
                return Ok(Attempt::Broken);
            }
        };
        self.count(self, peer, length);
        message.bytes = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(token) = invalidates {
            message.invalidated = Some(token);
            let owner = peer.pd.adapter().table().invalidatable(token, peer.domain(), true);
            let outcome = match owner {
                Ok((owner, which)) => self.invalidate(owner, Some(which), Some((peer, message)), ending),
                Err(_) => Ok(Invalidated::NotValid),
            };
            match outcome {
                Ok(Invalidated::Now) => {}
                Ok(Invalidated::Later) => return Ok(Attempt::Waits),
                // The receiver must abort the connection (the page of NdkSendAndInvalidate).
                Ok(Invalidated::NotValid) | Err(_) => {
                    message.invalidated = None;
                    peer.delivered(STATUS_ACCESS_VIOLATION, message);
                    return Ok(Attempt::Broken);
                }
            }
        }
        peer.delivered(STATUS_SUCCESS, message);
        Ok(Attempt::Done)
    }

    /// Moves a message into the peer's next receive, which keeps the turn until [`Object::delivered`]. `None` if
    /// the peer has no receive, or it is not this side's turn.
    #[inline(never)]
    fn deliver(&self, data: &List, peer: &Self) -> Result<Option<Arrival>, Refusal> {
        peer.expect_delivery();
        let (mut source, mut sink) = (Gathered::new(), Gathered::new());
        self.gather(&mut source, data, (Rights::LOCAL_READ, Lane::Near))?;
        let mut receive = List::new();
        let Some(context) = peer.next_receive(&mut receive) else { return Ok(None) };
        let moved = if peer.gather(&mut sink, &receive, (Rights::LOCAL_WRITE, Lane::Far)).is_err() {
            Err(STATUS_ACCESS_VIOLATION)
        } else if source.length() > sink.length() {
            Err(STATUS_BUFFER_OVERFLOW)
        } else {
            copy(&source, &sink, source.length());
            Ok(source.length())
        };
        Ok(Some(Arrival { context, moved }))
    }

    #[inline(never)]
    fn write(&self, data: &List, peer: &Self, address: usize, token: Token) -> Result<Attempt, Attempt> {
        let (mut source, mut sink) = (Gathered::new(), Gathered::new());
        self.gather(&mut source, data, (Rights::LOCAL_READ, Lane::Near))?;
        peer.gather_named(&mut sink, source.length(), Rights::REMOTE_WRITE, address, token)?;
        copy(&source, &sink, source.length());
        self.count(self, peer, source.length());
        Ok(Attempt::Done)
    }

    #[inline(never)]
    fn read(&self, list: &List, peer: &Self, address: usize, token: Token) -> Result<Attempt, Attempt> {
        let (mut source, mut sink) = (Gathered::new(), Gathered::new());
        self.gather(&mut sink, list, (Rights::LOCAL_WRITE, Lane::Near))?;
        peer.gather_named(&mut source, sink.length(), Rights::REMOTE_READ, address, token)?;
        copy(&source, &sink, sink.length());
        self.count(peer, self, sink.length());
        Ok(Attempt::Done)
    }

    /// This side's own memory, for itself or for its peer.
    fn gather<'t>(
        &'t self,
        gathered: &mut Gathered<'t, K>,
        list: &List,
        needed: (Rights, Lane),
    ) -> Result<(), Refusal> {
        gathered.local(self.pd.adapter().table(), self.domain(), needed, list)
    }

    /// What the peer names of this side's memory.
    fn gather_named<'t>(
        &'t self,
        gathered: &mut Gathered<'t, K>,
        length: usize,
        needed: Rights,
        address: usize,
        token: Token,
    ) -> Result<(), Refusal> {
        let length = u32::try_from(length).map_err(|_| Refusal::Bounds)?;
        let named = Sge { address, length, token: token.0 };
        gathered.remote(self.pd.adapter().table(), self.domain(), needed, named)
    }

    /// Counts what this side's request has moved.
    fn count(&self, from: &Self, to: &Self, bytes: usize) {
        let stripe = usize::try_from(self.direction.load(Ordering::Relaxed)).unwrap_or(0);
        from.pd.adapter().port().counters().sent(stripe, bytes as u64);
        to.pd.adapter().port().counters().received(stripe, bytes as u64);
    }
}
