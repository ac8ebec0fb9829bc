//! The end of a connection, by either side, and what the engine's state asks for.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use iwarp::{Deadline, State as Engine, Timer};
use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT};

use super::phase::{Cause, Phase};
use super::startup::Said;
use super::state::{BY_CONSUMER, BY_PEER};
use super::timer::Due;
use super::{BATCH, Batch, Wire};
use crate::connection::call::{Disconnected, Side, StateError};
use crate::connection::connector::Connector;
use crate::consumer::Request;
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, RequestCall, Status};
use crate::kernel::network::{Batch as _, Runs, Taken};
use crate::rundown::Shard;
use crate::sync::Ordering;

/// The rest of bytes that have arrived.
struct Rest<'a> {
    runs: &'a dyn Runs,
    from: usize,
}

impl Runs for Rest<'_> {
    fn length(&self) -> usize {
        self.runs.length().saturating_sub(self.from)
    }

    fn at(&self, offset: usize) -> &[u8] {
        self.runs.at(self.from.saturating_add(offset))
    }
}

impl<K: Kernel> Wire<K> {
    /// Bytes have arrived. The network calls it, one call at a time.
    pub(super) fn arrived(this: &Shared<Self>, runs: &dyn Runs) -> Taken {
        let mut bytes = 0;
        loop {
            match this.with_stream(|stream| stream.state()) {
                Engine::RequestSent | Engine::RequestAwaited => match this.take_frame(runs, &mut bytes) {
                    Said::Nothing => break,
                    Said::Request(data, depths) => Self::requested(this, data, depths),
                    Said::Reply(data, agreed) => this.answered(data, agreed),
                    Said::Fault => Self::settle(this),
                },
                // They wait for the consumer.
                Engine::ReplyRead => break,
                Engine::Offered => {
                    let rest = runs.at(bytes);
                    if rest.is_empty() {
                        break;
                    }
                    this.with_stream(|stream| {
                        // The consumer may have answered by now: then they are the transfers' to read.
                        if stream.state() == Engine::Offered {
                            stream.step(rest);
                        }
                    });
                    Self::settle(this);
                }
                Engine::ReplySent | Engine::Operating | Engine::FinSent => {
                    let rest = Rest { runs, from: bytes };
                    bytes = match this.joined(Shard::Target) {
                        Some(joined) => {
                            let taken = this.transfers.arrived(joined.qp(), this, &rest);
                            bytes.saturating_add(taken.bytes)
                        }
                        None => runs.length(),
                    };
                    Self::settle(this);
                    break;
                }
                Engine::Rejecting
                | Engine::FinReceived
                | Engine::Terminating
                | Engine::Closing
                | Engine::Over => {
                    bytes = runs.length();
                    break;
                }
            }
        }
        Self::arm(this);
        Taken { bytes }
    }

    /// A batch is back.
    pub(super) fn sent(this: &Shared<Self>, batch: Batch<K>, status: NTSTATUS) {
        this.with_tcp.fetch_sub(1, Ordering::AcqRel);
        this.transfers.sent(this, batch, status);
        Self::settle(this);
    }

    /// The peer has ended its stream (CM-3).
    pub(super) fn finished(this: &Shared<Self>) {
        let orderly = this.with_stream(|stream| {
            let before = stream.state();
            stream.peer_finished().is_ok() && before != Engine::Over
        });
        if orderly {
            this.step(|state, next| *next = state.peer_finished());
        }
        Self::settle(this);
    }

    /// Does what the state of the engine asks for. Up to DISPATCH_LEVEL, no lock held.
    pub(super) fn settle(this: &Shared<Self>) {
        match this.with_stream(|stream| stream.state()) {
            Engine::RequestSent | Engine::ReplyRead | Engine::RequestAwaited | Engine::Offered => {}
            Engine::ReplySent => {}
            Engine::Operating => {
                Self::first_fpdu(this);
                this.finish_behind();
            }
            // The peer is waited for (TM-6).
            Engine::FinSent => this.finish_stream(),
            // Answered at once (CM-3). It may have come while the consumer completed its connect.
            Engine::FinReceived => {
                this.step(|state, next| *next = state.peer_finished());
                this.finish_behind();
            }
            Engine::Rejecting => {
                let frame = this.cut(|stream| stream.rejection());
                this.step(|state, _| state.turned_away());
                Self::turn_away(this, frame.as_ref());
            }
            Engine::Terminating => {
                this.break_with(BY_PEER);
                this.send_terminate();
            }
            Engine::Closing => {
                this.break_with(BY_PEER);
                this.finish_behind();
            }
            Engine::Over => this.over(),
        }
        Self::arm(this);
    }

    /// Ends this side's stream if it is to end, behind what the engine of the QP has in hand: that engine does it, at the
    /// end of a run.
    fn finish_behind(&self) {
        if self.is_established() {
            return;
        }
        match self.joined(Shard::Initiator) {
            Some(joined) if joined.qp().is_joined() => joined.qp().progress(),
            Some(_) | None => self.finish_if_done(true),
        }
    }

    /// Ends this side's stream if it is to end. All that was cut is with TCP; `is_idle`: nothing is left to be cut. Up to
    /// DISPATCH_LEVEL, no lock held.
    pub(crate) fn finish_if_done(&self, is_idle: bool) {
        match self.with_stream(|stream| stream.state()) {
            Engine::Operating if is_idle => {}
            Engine::FinReceived => {}
            Engine::Closing => return self.finish_stream(),
            _ => return,
        }
        let is_ending = self.state.0.lock().is_ending();
        if is_ending && self.with_stream(|stream| stream.finish()).is_ok() {
            self.finish_stream();
            if self.with_stream(|stream| stream.state()) == Engine::Over {
                self.over();
            }
        }
    }

    /// The stream is over: TCP's connection is closed, in order if both streams have ended, when nothing is on its way:
    /// the last word of this side is delivered (RFC 5040 section 6.2.1).
    fn over(&self) {
        let (finishing, finished) =
            (self.finishing.load(Ordering::Acquire), self.finished.load(Ordering::Acquire));
        if self.speaking.load(Ordering::Acquire) || finishing && !finished {
            // The thread that sends the last word, or ends the stream, looks at it again.
            return;
        }
        if !finished || !self.state.0.lock().is_ending() {
            self.break_with(BY_PEER);
        }
        if finished && self.with_tcp.load(Ordering::Acquire) != 0 {
            // It is looked at again when they are back.
            return;
        }
        self.abort();
    }

    /// Ends the connection if the stream is over: that was left to the caller.
    pub(super) fn look_again(&self) {
        if self.with_stream(|stream| stream.state()) == Engine::Over {
            self.over();
        }
    }

    /// Cuts TCP off.
    pub(super) fn cut_off(&self) {
        self.with_stream(|stream| stream.abort());
        self.abort();
    }

    /// The connection breaks: no transfer begins any more, and the QP is flushed.
    fn break_with(&self, cause: Cause) {
        if self.operating.swap(false, Ordering::AcqRel) {
            let (local, remote) = (self.local(), Some(self.peer_address()));
            event::write::<K>(|| Event::ConnectionTerminated { local, remote });
        }
        self.step(|state, next| *next = state.break_off(cause));
    }

    /// Sends the Terminate that the engine owes: with the transfers, or without where there are none yet.
    fn send_terminate(&self) {
        if let Some(joined) = self.joined(Shard::Initiator)
            && joined.qp().is_joined()
        {
            joined.qp().progress();
            return;
        }
        let Some(mut batch) = self.take_batch() else { return };
        let Some(cut) = self.cut(|stream| stream.next_cut(BATCH)) else {
            self.put_batch(batch);
            return;
        };
        let trailer = cut.trailer(cut.digest());
        let length = cut.header.len().saturating_add(trailer.len());
        if let Some((header, rest)) = batch.room().split_at_mut_checked(cut.header.len())
            && let Some(rest) = rest.get_mut(..trailer.len())
        {
            header.copy_from_slice(&cut.header);
            rest.copy_from_slice(&trailer);
            batch.set_length(length);
        }
        self.send(batch);
    }

    /// A transfer broke the connection: what it says to the peer is the engine's, whose stream has a fault.
    pub(crate) fn fail(&self) {
        self.break_with(BY_PEER);
        match self.with_stream(|stream| stream.state()) {
            // The Terminate follows, or has been received.
            Engine::Terminating | Engine::Closing => self.arm_again(),
            _ => self.cut_off(),
        }
    }

    /// The QP has died.
    pub(crate) fn qp_died(&self) {
        self.step(|state, next| *next = state.fail(BY_CONSUMER));
    }

    /// As [`Link::local_close`](crate::connection::link::Link::local_close): no close waits for the peer (TD-1).
    pub(in crate::connection) fn local_close(&self) {
        self.step(|state, next| *next = state.local_close());
    }

    /// As [`Link::disconnect`](crate::connection::link::Link::disconnect): what was accepted is sent, then this side's
    /// stream ends, and the request completes when TCP's connection is closed (TD-4).
    pub(in crate::connection) fn disconnect(
        this: &Shared<Self>,
        request: Request<K, Connector<K>>,
    ) -> Result<Disconnected, StateError> {
        let mut request = Some(request);
        // Posts are refused from here on, and what is posted by now is sent.
        let outcome = this.step(|state, next| {
            let (disconnected, transition) = state.disconnect(&mut request)?;
            *next = transition;
            Ok(disconnected)
        });
        if let Some(request) = request {
            request.answered_inline();
        }
        if outcome.is_ok() {
            Self::settle(this);
        }
        outcome
    }

    /// TCP's connection is closed: the last call of the network. Nothing of it runs any more.
    pub(super) fn closed(this: &Shared<Self>) {
        this.life.closed();
        this.with_stream(|stream| stream.abort());
        Self::disarm(this);
        let port = this.port.lock().take();
        if let Some(port) = port {
            port.forget(this);
        }
        this.break_with_if_whole();
        if this.joined.is_open(crate::rundown::Shard::Initiator) {
            if let Some(joined) = this.joined.close() {
                use crate::rundown::Drain as _;
                joined.drained();
            }
        } else {
            this.drained();
        }
    }

    /// A connection that ended in order stays as it is; any other one has broken.
    fn break_with_if_whole(&self) {
        let is_over =
            matches!(self.state.0.lock().phase, Phase::Ending { .. } | Phase::Failed(_) | Phase::Rejected);
        if !is_over {
            self.break_with(BY_PEER);
        }
    }

    /// No transfer runs any more, and TCP's connection is closed.
    pub(super) fn drained(&self) {
        self.step(|state, next| *next = state.drained());
    }

    /// Makes the callbacks that are due: completions first, then the disconnect event. At the end of the connection it
    /// releases the connector. Runs in the connector's DPC.
    pub(in crate::connection) fn deliver(&self) {
        while let Some(((request, status), disconnects)) = self.step(|state, _| state.end.due.take_due()) {
            event::write::<K>(|| self.completed(request.handle(), disconnects, status));
            request.complete(status);
        }
        if let Some(event) = self.step(|state, _| state.end.take_event()) {
            let (local, remote) = (self.local(), Some(self.peer_address()));
            event::write::<K>(|| Event::PeerDisconnected { local, remote });
            event.call();
        }
        drop(self.step(|state, _| state.release_connector()));
    }

    /// The event of a request that is complete.
    fn completed(&self, object: Handle, disconnects: bool, status: NTSTATUS) -> Event {
        let request = match self.side {
            _ if disconnects => RequestCall::Disconnect,
            Side::Active => RequestCall::Connect,
            Side::Passive => RequestCall::Accept,
        };
        let (local, remote): (Option<SocketAddr>, _) = (self.local(), Some(self.peer_address()));
        Event::RequestCompleted { object, request, local, remote, status: Status(status) }
    }

    /// The time that the peer is given now.
    pub(super) fn due(&self) -> Option<Due> {
        let (state, deadline) = self.with_stream(|stream| (stream.state(), stream.deadline()));
        match (state, deadline) {
            // While bytes of the peer lie here, it is not the one that is waited for (TM-4).
            (_, Some(Deadline { timer: Timer::RestOfFpdu, .. })) if self.transfers.is_stalled() => None,
            (_, Some(deadline)) => Some(Due::Engine(deadline)),
            (Engine::Terminating | Engine::Rejecting, None) => Some(Due::Linger),
            (Engine::Over, None) if self.with_tcp.load(Ordering::Acquire) != 0 => Some(Due::Linger),
            _ => None,
        }
    }

    /// The peer's time is up.
    pub(super) fn expired(this: &Shared<Self>, due: Due) {
        match due {
            Due::Linger if this.due() == Some(Due::Linger) => this.cut_off(),
            Due::Linger => {}
            Due::Engine(deadline) => {
                let fault = this.with_stream(|stream| stream.expired(deadline));
                if fault.is_some() && matches!(deadline.timer, Timer::Reply | Timer::FirstFpdu) {
                    this.break_with(Cause { connect: STATUS_IO_TIMEOUT, accept: STATUS_IO_TIMEOUT });
                }
                if let (Timer::Nudge, Some(joined)) = (deadline.timer, this.joined(Shard::Initiator)) {
                    joined.qp().progress();
                }
            }
        }
        Self::settle(this);
    }
}
