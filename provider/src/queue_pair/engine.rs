//! Progress: takes requests off the initiator queue, one by one, and does them against the peer.
//!
//! Whoever changed something runs it: a post, a receive at the other end, a flush. It runs in that
//! caller, at its level, and calls no consumer: results go into completion queues, whose notifications
//! are deferred.

use sys::ndk::NDK_OPERATION_TYPE;
use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_SUCCESS,
};

use super::work::{Flags, Initiated, Operation, Receive};
use super::{DEAD, FLUSH, Qp, Receives};
use crate::completion::Completed;
use crate::connection::Session;
use crate::kernel::Kernel;
use crate::memory::{Gathered, Refusal, Rights, Sge, copy};
use crate::object::Object;
use crate::sync::Ordering;

/// What became of one attempt at a request.
enum Attempt {
    /// It is done.
    Done,
    /// It failed here; the connection breaks.
    Failed(NTSTATUS),
    /// It is done, but the other end could not take it; the connection breaks.
    Broken,
    /// The peer has no receive for it yet.
    Waits,
    /// No transfer is possible now.
    NoConnection,
}

impl From<Refusal> for Attempt {
    fn from(_: Refusal) -> Self {
        Self::Failed(STATUS_ACCESS_VIOLATION)
    }
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// See the module's head. The caller holds the queue pair, directly or by a transfer.
    pub(super) fn progress(&self) {
        self.engine.run(|waiting| self.advance(waiting));
    }

    fn advance(&self, waiting: &mut Option<Initiated>) {
        loop {
            if self.cancel.fetch_and(!FLUSH, Ordering::SeqCst) & (FLUSH | DEAD) != 0 {
                self.cancel_all(waiting);
            }
            let Some(work) = waiting.take().or_else(|| self.initiator.take()) else { return };
            match self.attempt(&work) {
                Attempt::Done => self.finish(&work, STATUS_SUCCESS),
                Attempt::Failed(status) => {
                    self.finish(&work, status);
                    self.break_connection();
                }
                Attempt::Broken => {
                    self.finish(&work, STATUS_SUCCESS);
                    self.break_connection();
                }
                Attempt::Waits | Attempt::NoConnection => {
                    *waiting = Some(work);
                    // A kill that came meanwhile has left a note with the combiner.
                    return;
                }
            }
        }
    }

    fn attempt(&self, work: &Initiated) -> Attempt {
        let Some(transfers) = self.session.value().and_then(Session::transfer) else {
            return Attempt::NoConnection;
        };
        let peer = transfers.peer_of(self);
        let done = match work.operation {
            Operation::Send => self.send(work, peer),
            Operation::Write { address, token } => self.write(work, peer, address, token),
            Operation::Read { address, token } => self.read(work, peer, address, token),
        };
        done.unwrap_or_else(Attempt::from)
    }

    fn send(&self, work: &Initiated, peer: &Self) -> Result<Attempt, Refusal> {
        let source = self.local(work, Rights::empty())?;
        let Some(receive) = peer.take_receive() else { return Ok(Attempt::Waits) };
        let solicited = work.flags.contains(Flags::SOLICIT);
        let table = peer.pd.adapter().table();
        let sink = Gathered::local(table, peer.domain(), Rights::LOCAL_WRITE, receive.sink.entries());
        let Ok(sink) = sink else {
            peer.received(&receive, STATUS_ACCESS_VIOLATION, 0, solicited);
            return Ok(Attempt::Broken);
        };
        if source.length() > sink.length() {
            peer.received(&receive, STATUS_BUFFER_OVERFLOW, 0, solicited);
            return Ok(Attempt::Broken);
        }
        copy(&source, &sink, source.length());
        self.count(peer, source.length());
        let bytes = u32::try_from(source.length()).unwrap_or(u32::MAX);
        drop(sink);
        peer.received(&receive, STATUS_SUCCESS, bytes, solicited);
        Ok(Attempt::Done)
    }

    fn write(&self, work: &Initiated, peer: &Self, address: usize, token: u32) -> Result<Attempt, Refusal> {
        let source = self.local(work, Rights::empty())?;
        let sink = Self::remote(work, peer, Rights::REMOTE_WRITE, address, token)?;
        copy(&source, &sink, source.length());
        self.count(peer, source.length());
        Ok(Attempt::Done)
    }

    fn read(&self, work: &Initiated, peer: &Self, address: usize, token: u32) -> Result<Attempt, Refusal> {
        let sink = self.local(work, Rights::LOCAL_WRITE)?;
        let source = Self::remote(work, peer, Rights::REMOTE_READ, address, token)?;
        copy(&source, &sink, sink.length());
        peer.count(self, sink.length());
        Ok(Attempt::Done)
    }

    fn local(&self, work: &Initiated, needed: Rights) -> Result<Gathered<'_, K>, Refusal> {
        Gathered::local(self.pd.adapter().table(), self.domain(), needed, work.local.entries())
    }

    /// What this side names of the peer's memory, as the peer's own table admits it.
    fn remote<'p>(
        work: &Initiated,
        peer: &'p Self,
        needed: Rights,
        address: usize,
        token: u32,
    ) -> Result<Gathered<'p, K>, Refusal> {
        let length = u32::try_from(work.local.length()).map_err(|_| Refusal::Bounds)?;
        let named = Sge { address, length, token };
        Gathered::remote(peer.pd.adapter().table(), peer.domain(), needed, named)
    }

    fn count(&self, peer: &Self, bytes: usize) {
        self.pd.adapter().port().counters().sent(bytes as u64);
        peer.pd.adapter().port().counters().received(bytes as u64);
    }

    fn finish(&self, work: &Initiated, status: NTSTATUS) {
        self.initiator.completed();
        if status == STATUS_SUCCESS && work.flags.contains(Flags::SILENT) {
            return;
        }
        let (operation, bytes) = match work.operation {
            Operation::Send => (NDK_OPERATION_TYPE::NdkOperationTypeSend, work.local.length()),
            Operation::Write { .. } => (NDK_OPERATION_TYPE::NdkOperationTypeWrite, work.local.length()),
            Operation::Read { .. } => (NDK_OPERATION_TYPE::NdkOperationTypeRead, work.local.length()),
        };
        let bytes = if status == STATUS_SUCCESS { u32::try_from(bytes).unwrap_or(u32::MAX) } else { 0 };
        let result =
            Completed { status, bytes, qp_context: self.context, request_context: work.context, operation };
        if self.initiator_cq.push(result, false).is_err() {
            self.overflow();
        }
    }

    fn received(&self, work: &Receive, status: NTSTATUS, bytes: u32, solicited: bool) {
        if let Receives::Own(queue) = &self.receive {
            queue.completed();
        }
        let result = Completed {
            status,
            bytes,
            qp_context: self.context,
            request_context: work.context,
            operation: NDK_OPERATION_TYPE::NdkOperationTypeReceive,
        };
        if self.receive_cq.push(result, solicited).is_err() {
            self.overflow();
        }
    }

    /// Cancels all that is queued: each accepted request has its one result.
    fn cancel_all(&self, waiting: &mut Option<Initiated>) {
        while let Some(work) = waiting.take().or_else(|| self.initiator.take()) {
            self.finish(&work, STATUS_CANCELLED);
        }
        // The receives of a shared queue are not this queue pair's to cancel.
        let Receives::Own(queue) = &self.receive else { return };
        while let Some(receive) = queue.take() {
            self.received(&receive, STATUS_CANCELLED, 0, false);
        }
    }

    /// A result was lost: the queue pair is of no more use (CQ-6).
    fn overflow(&self) {
        self.pd.adapter().port().counters().cq_error();
        self.break_connection();
    }

    /// Ends the connection; when the transfers that still run have drained, both ends are flushed.
    fn break_connection(&self) {
        if let Some(session) = self.session.value() {
            self.pd.adapter().port().counters().connection_error();
            session.fail();
        }
    }
}
