//! The peer's stream: segments into memory, messages into receives.
//!
//! One call at a time: the network's, or that of a thread which ends a wait. A wait leaves the bytes where they are,
//! and names what it is for ([`Wait`]); the next call goes on there.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_SUCCESS,
};

use iwarp::fault::LocalFault;
use iwarp::rdmap::SendKind;
use iwarp::{Segment, SegmentEnd};

use super::input::{Input, Stash};
use super::look::{Look, Next};
use super::place::{self, Target};
use crate::adapter::RegionOrWindow;
use crate::connection::Wire;
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::kernel::network::Runs;
use crate::lifetime::Kind;
use crate::memory::{Invalidated, Token};
use crate::number::{u64_from, usize_from};
use crate::object::{Object, Resumption};
use crate::queue_pair::Qp;
use crate::queue_pair::initiator::{Rnr, RnrTimeout};
use crate::queue_pair::responder::Message;
use crate::queue_pair::sgl::{Sgl, length};
use crate::sync::Ordering;

/// The receive of the message that comes. The delivery is locked from the first segment to the result (RX-4).
struct Receiving {
    context: Opaque,
    list: Sgl,
    /// Bytes in its list.
    room: usize,
}

/// The thing that the arrival waits for.
enum Wait<K: Kernel> {
    /// A receive for the message that begins.
    Receive(Segment),
    /// Transfers that use memory which a message invalidated; then its receive has this result.
    Invalidation(RegionOrWindow<K>, Message),
    /// A flush, which cancels the reads.
    Sink,
}

/// See the module's head.
pub(super) struct Arrival<K: Kernel> {
    stash: Stash,
    target: Target,
    /// Bytes of payload that were moved, and that the engine has not been told of.
    placed: u16,
    receiving: Option<Receiving>,
    wait: Option<Wait<K>>,
    rnr_timeout: RnrTimeout,
    /// Messages that have begun, which names the one that waits.
    messages: u64,
}

/// The stream ends before its time, and the connection with it.
struct Broken;

/// The QP and the connection of a call.
type Ends<'a, K> = (&'a Object<K, Qp<K>>, &'a Wire<K>);

impl<K: Kernel> Arrival<K> {
    pub(super) fn new() -> Self {
        Self {
            stash: Stash::of(Vec::new()),
            target: Target::Nowhere,
            placed: 0,
            receiving: None,
            wait: None,
            rnr_timeout: RnrTimeout::default(),
            messages: 0,
        }
    }

    /// Gives the arrival its room for bytes that outlive an indication.
    pub(super) fn set_stash(&mut self, stash: Vec<u8>) {
        self.stash = Stash::of(stash);
    }

    /// Goes as far as the bytes reach.
    pub(super) fn advance(&mut self, qp: &Object<K, Qp<K>>, wire: &Wire<K>, bytes: (&dyn Runs, &mut usize)) {
        let (runs, taken) = bytes;
        let expired = wire.transfers().expirations.swap(0, Ordering::Relaxed);
        for _ in 0..expired {
            self.rnr_timeout.on_timer();
        }
        if qp.is_dead() {
            // Nothing that comes goes anywhere.
            self.cancel(qp);
            *taken = runs.length();
            wire.transfers().stalled.store(false, Ordering::Relaxed);
            return;
        }
        // Moved out, as the rest of the arrival works on what is in it.
        let mut stash = core::mem::replace(&mut self.stash, Stash::of(Vec::new()));
        let mut input = Input { stash: &mut stash, runs, taken };
        if self.run((qp, wire), &mut input).is_err() {
            self.cancel(qp);
            qp.break_connection();
            // A Terminate may be owed.
            qp.progress();
        }
        self.stash = stash;
        wire.transfers().stalled.store(self.wait.is_some(), Ordering::Relaxed);
    }

    /// The receive of a message that came in part is cancelled, as no more of it comes.
    fn cancel(&mut self, qp: &Object<K, Qp<K>>) {
        let invalidating = match self.wait.take() {
            Some(Wait::Invalidation(_, message)) => Some(message),
            Some(Wait::Receive(_) | Wait::Sink) | None => None,
        };
        self.target = Target::Nowhere;
        let receiving = self.receiving.take().map(|receiving| Message::none(receiving.context));
        if let Some(message) = receiving.or(invalidating) {
            qp.responder.delivered(qp, STATUS_CANCELLED, Message::none(message.context));
        }
    }

    fn run(&mut self, (qp, wire): Ends<'_, K>, input: &mut Input<'_, '_>) -> Result<(), Broken> {
        let mut progress = false;
        let outcome = self.steps((qp, wire), input, &mut progress);
        if progress {
            qp.progress();
        }
        outcome
    }

    fn steps(
        &mut self,
        (qp, wire): Ends<'_, K>,
        input: &mut Input<'_, '_>,
        progress: &mut bool,
    ) -> Result<(), Broken> {
        loop {
            if !self.end_wait((qp, wire))? {
                return Ok(());
            }
            let placed = core::mem::take(&mut self.placed);
            let Look { consumed, ended, begins, next } = {
                let piece = input.piece();
                wire.with_stream(|stream| Look::at(stream, piece, placed))
            };
            if consumed > 0 {
                input.consume(consumed);
            }
            if ended {
                self.target = Target::Nowhere;
            }
            if let Some(segment) = begins {
                self.begin_counted((qp, wire), segment)?;
                if self.wait.is_some() {
                    continue;
                }
            }
            match next {
                Next::Need(bytes) => {
                    if !input.join(bytes) {
                        return Ok(());
                    }
                }
                Next::Check(bytes) => {
                    let Some((sum, field)) = input.sum(bytes) else { return Ok(()) };
                    wire.with_stream(|stream| stream.verdict(sum, field)).map_err(|_| Broken)?;
                }
                Next::Segment(segment) => self.begin_counted((qp, wire), segment)?,
                Next::Payload(bytes) => {
                    let piece = input.piece();
                    let payload = piece.get(..usize::from(bytes)).unwrap_or(piece);
                    if !self.place((qp, wire), payload, progress)? {
                        return Ok(());
                    }
                    self.placed = bytes;
                    input.consume(usize::from(bytes));
                }
                Next::End(end) => self.end((qp, wire), end, progress)?,
                Next::Terminated(terminate) => {
                    wire.transfers().terminated(terminate);
                    return Err(Broken);
                }
                Next::Fault => return Err(Broken),
                // All bytes that are there are taken, now and later.
                Next::Over if consumed > 0 => {}
                Next::Over | Next::Hold => return Ok(()),
            }
        }
    }

    /// Looks whether the wait is over. Returns false if it is not: the bytes lie.
    fn end_wait(&mut self, (qp, wire): Ends<'_, K>) -> Result<bool, Broken> {
        match self.wait.take() {
            None => Ok(true),
            Some(Wait::Receive(segment)) => self.take_receive((qp, wire), segment),
            Some(Wait::Invalidation(owner, message)) if owner.is_awaited_by(qp) => {
                self.wait = Some(Wait::Invalidation(owner, message));
                Ok(false)
            }
            Some(Wait::Invalidation(_, message)) => {
                qp.responder.delivered(qp, STATUS_SUCCESS, message);
                Ok(true)
            }
            // The place of the payload is as it was.
            Some(Wait::Sink) => Ok(true),
        }
    }

    /// Takes the receive for a message, whose first segment this is.
    fn take_receive(&mut self, (qp, wire): Ends<'_, K>, segment: Segment) -> Result<bool, Broken> {
        let mut rest = Sgl::new();
        qp.responder.expect_delivery();
        if let Some(receive) = qp.responder.next_receive(qp, &mut rest) {
            let (context, list) = (receive.context, receive.list(&rest));
            let room = length(list.iter().copied());
            let is_valid = place::own(qp, &list, 0, &[]).is_ok();
            self.receiving = Some(Receiving { context, list, room });
            if !is_valid {
                return Err(self.fail((qp, wire), STATUS_ACCESS_VIOLATION, LocalFault::SourceInvalid));
            }
            self.begin((qp, wire), segment)?;
            return Ok(true);
        }
        self.wait = Some(Wait::Receive(segment));
        match self.rnr_timeout.check(self.messages) {
            Rnr::TimedOut => {
                wire.with_stream(|stream| stream.give_up(LocalFault::NoReceive));
                return Err(Broken);
            }
            Rnr::WaitsFor(time) => qp.set_timer(time),
            Rnr::Waits => {}
        }
        Ok(false)
    }

    /// Counts a segment that begins, and finds the place of its payload.
    fn begin_counted(&mut self, (qp, wire): Ends<'_, K>, segment: Segment) -> Result<(), Broken> {
        match segment {
            Segment::Write { length, last, .. }
            | Segment::Send { length, last, .. }
            | Segment::ReadResponse { length, last, .. } => count(qp, wire, length, last),
            Segment::ReadRequest(_) | Segment::Empty => {}
        }
        self.begin((qp, wire), segment)
    }

    /// Finds the place of a segment's payload.
    fn begin(&mut self, (qp, wire): Ends<'_, K>, segment: Segment) -> Result<(), Broken> {
        self.target = match segment {
            Segment::Write { length: 0, .. } | Segment::ReadRequest(_) | Segment::Empty => Target::Nowhere,
            Segment::Write { stag, offset, length, .. } => {
                Target::Named { stag, offset, left: length.into() }
            }
            Segment::Send { offset, length, .. } => {
                let offset = usize_from(offset);
                let Some(receiving) = &self.receiving else {
                    self.messages = self.messages.wrapping_add(1);
                    self.wait = Some(Wait::Receive(segment));
                    return Ok(());
                };
                if offset.saturating_add(usize::from(length)) > receiving.room {
                    return Err(self.fail((qp, wire), STATUS_BUFFER_OVERFLOW, LocalFault::ReceiveTooShort));
                }
                Target::Receive(offset)
            }
            Segment::ReadResponse { offset, .. } => Target::Sink(usize_from(offset)),
        };
        Ok(())
    }

    /// The message that comes can't be received: its receive ends with `status`, and the connection breaks.
    fn fail(&mut self, (qp, wire): Ends<'_, K>, status: NTSTATUS, fault: LocalFault) -> Broken {
        wire.with_stream(|stream| stream.give_up(fault));
        if let Some(Receiving { context, .. }) = self.receiving.take() {
            qp.responder.delivered(qp, status, Message::none(context));
        }
        Broken
    }

    /// Places payload. Returns false if it has to wait.
    fn place(
        &mut self,
        (qp, wire): Ends<'_, K>,
        payload: &[u8],
        progress: &mut bool,
    ) -> Result<bool, Broken> {
        match &mut self.target {
            Target::Nowhere => {}
            Target::Named { stag, offset, left } => {
                if let Err(error) = place::named(qp, (*stag, *offset, *left), payload) {
                    wire.with_stream(|stream| stream.refuse_write(error.into()));
                    return Err(Broken);
                }
                *offset = offset.saturating_add(u64_from(payload.len()));
                *left = left.saturating_sub(u32::try_from(payload.len()).unwrap_or(u32::MAX));
            }
            Target::Receive(at) => {
                let from = *at;
                *at = from.saturating_add(payload.len());
                let Some(Receiving { list, .. }) = &self.receiving else { return Ok(true) };
                if place::own(qp, list, from, payload).is_err() {
                    return Err(self.fail((qp, wire), STATUS_ACCESS_VIOLATION, LocalFault::SourceInvalid));
                }
            }
            Target::Sink(at) => {
                let sinks = &wire.transfers().sinks;
                if !sinks.try_place() {
                    self.wait = Some(Wait::Sink);
                    return Ok(false);
                }
                let placed = sinks.oldest().map_or(Ok(()), |sink| {
                    let mut list = Sgl::new();
                    qp.initiator.reread(sink.position, sink.entries, &mut list);
                    place::own(qp, &list, *at, payload)
                });
                *at = at.saturating_add(payload.len());
                *progress |= sinks.placed();
                if placed.is_err() {
                    sinks.refuse();
                    wire.with_stream(|stream| stream.give_up(LocalFault::SourceInvalid));
                    return Err(Broken);
                }
            }
        }
        Ok(true)
    }

    fn end(&mut self, (qp, wire): Ends<'_, K>, end: SegmentEnd, progress: &mut bool) -> Result<(), Broken> {
        self.target = Target::Nowhere;
        match end {
            SegmentEnd::Quiet => {}
            SegmentEnd::Received { kind, length } => self.deliver((qp, wire), kind, length)?,
            SegmentEnd::ReadRequested => *progress = true,
            SegmentEnd::ReadDone => {
                wire.transfers().sinks.done();
                *progress = true;
            }
        }
        Ok(())
    }

    /// A message is there whole.
    fn deliver(&mut self, (qp, wire): Ends<'_, K>, kind: SendKind, bytes: u32) -> Result<(), Broken> {
        let Some(Receiving { context, .. }) = &self.receiving else { return Ok(()) };
        let message = Message { context: *context, bytes, solicited: kind.solicited, invalidated: None };
        let Some(token) = kind.invalidate.map(|stag| Token(stag.0)) else {
            self.receiving = None;
            qp.responder.delivered(qp, STATUS_SUCCESS, message);
            return Ok(());
        };
        let message = Message { invalidated: Some(token), ..message };
        let found = qp.pd().adapter().table().invalidatable(token, qp.domain(), true);
        let outcome = found.ok().and_then(|(owner, which)| {
            let resumption = Resumption::of(qp.try_acquire(Kind::Request).ok()?);
            Some((owner.invalidate(Some(which), resumption), owner))
        });
        match outcome {
            Some((Invalidated::Now, _)) => {
                self.receiving = None;
                qp.responder.delivered(qp, STATUS_SUCCESS, message);
            }
            Some((Invalidated::Later, owner)) => {
                self.receiving = None;
                self.wait = Some(Wait::Invalidation(owner, message));
            }
            // The receiver must abort the connection (the page of NdkSendAndInvalidate).
            Some((Invalidated::NotValid, _)) | None => {
                self.receiving = None;
                wire.with_stream(|stream| stream.give_up(LocalFault::NotInvalidatable));
                let message = Message { invalidated: None, ..message };
                qp.responder.delivered(qp, STATUS_ACCESS_VIOLATION, message);
                return Err(Broken);
            }
        }
        Ok(())
    }
}

/// Counts bytes that have come, and with the last ones their message.
fn count<K: Kernel>(qp: &Object<K, Qp<K>>, wire: &Wire<K>, bytes: u16, last: bool) {
    let (counters, stripe) = (qp.pd().adapter().rnic().counters(), super::stripe(wire));
    if last {
        counters.received(stripe, bytes.into());
    } else {
        counters.received_in_part(stripe, bytes.into());
    }
}
