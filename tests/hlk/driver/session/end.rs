//! One side of a connection: its queues, its region for chunks, and its control messages.

#![expect(unsafe_code, reason = "a connector's record is kept as an address")]

use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use sys::ndk::{NDK_CONNECTOR, NDK_CQ, NDK_MR, NDK_PD, NDK_QP, NDK_SGE};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use super::Chunk;
use super::control_message::{Control, ControlMessage};
use super::lists::Lists;
use crate::call_log::Object;
use crate::ndk::{Handle, Inside, sge};
use crate::pair::QpSet;
use crate::test_context::TestContext;
use crate::work::{Poll, Work};

/// One side. `I` is where its control messages arrive.
pub(super) struct End<'l, I = ControlMessage<'l>> {
    pub(super) cq: Handle<'l, NDK_CQ>,
    pub(super) pd: Handle<'l, NDK_PD>,
    pub(super) qp: Handle<'l, NDK_QP>,
    /// The region for the chunk that is being moved.
    region: Handle<'l, NDK_MR>,
    pub(super) inbox: I,
    pub(super) outbox: ControlMessage<'l>,
    pub(super) data: &'l Work,
    pub(super) poll: Poll,
    /// The record of the connector whose disconnect event ends all waits; null for none.
    watched: AtomicPtr<Object>,
}

impl<'l> End<'l> {
    /// Posts a receive for a control message.
    pub(super) fn expect_control(&self) -> Result<(), NTSTATUS> {
        self.inbox.receive(self.qp)
    }

    /// Waits for the control message whose receive is posted.
    pub(super) fn take_control(&self) -> Result<Control, NTSTATUS> {
        self.wait(self.inbox.work)?;
        self.inbox.read()
    }

    /// A side with one receive at a time.
    pub(super) fn open(test: &TestContext<'l>, qp_set: QpSet<'l>, poll: Poll) -> Result<Self, NTSTATUS> {
        let inbox = ControlMessage::new(test, qp_set.pd, "receive a control message")?;
        Self::with_inbox(test, qp_set, inbox, poll)
    }
}

impl<'l, I> End<'l, I> {
    /// A side whose control messages arrive in `inbox`.
    pub(super) fn with_inbox(
        test: &TestContext<'l>,
        QpSet { cq, pd, qp, mr }: QpSet<'l>,
        inbox: I,
        poll: Poll,
    ) -> Result<Self, NTSTATUS> {
        let outbox = ControlMessage::new(test, pd, "send a control message")?;
        let data = test.work("move a chunk")?;
        let watched = AtomicPtr::new(null_mut());
        Ok(Self { cq, pd, qp, region: mr, inbox, outbox, data, poll, watched })
    }

    /// From now on the disconnect event of this connector ends all waits: a disconnect of the peer flushes nothing
    /// (WR-7), and nothing comes any more.
    pub(super) fn watch(&self, connector: Handle<'l, NDK_CONNECTOR>) {
        connector.object().wakes(self.cq.object());
        self.watched.store(ptr::from_ref(connector.object()).cast_mut(), Ordering::Release);
    }

    /// Returns whether the peer of the watched connection has gone.
    pub(super) fn peer_has_gone(&self) -> bool {
        // SAFETY: null, or a record of the call log that the handles here borrow from.
        let watched = unsafe { self.watched.load(Ordering::Acquire).as_ref() };
        watched.is_some_and(|connector| connector.events() > 0)
    }

    /// Posts a control message. The last one must have been delivered.
    pub(super) fn post_control(&self, control: Control) -> Result<(), NTSTATUS> {
        self.outbox.send(control, |message| self.qp.send(message.work.context(), &[message.sge()], 0))
    }

    /// Waits until the posted control message is delivered.
    pub(super) fn control_sent(&self) -> Result<(), NTSTATUS> {
        self.wait(self.outbox.work)
    }

    /// Waits until a work request has succeeded.
    pub(super) fn wait(&self, work: &Work) -> Result<(), NTSTATUS> {
        check(self.result(work))
    }

    /// Waits for the result of a work request.
    pub(super) fn result(&self, work: &Work) -> NTSTATUS {
        self.cq.wait_unless(self.poll, work, || self.peer_has_gone())
    }

    /// Registers the chunk's memory: `NDK_MR_FLAG_…`. The lists are freed, or describe something else, as soon as
    /// the request has completed; the pages stay locked.
    pub(super) fn register(&self, chunk: &Chunk, flags: u32) -> Result<Registered<'l>, NTSTATUS> {
        let lists = Lists::of(chunk)?;
        self.region.register(lists.head(), chunk.length, flags, Inside::Nothing)?.wait()?;
        lists.let_go(self.region.call_log());
        Ok(Registered { region: self.region, address: chunk.address(), length: chunk.length })
    }
}

pub(super) fn check(status: NTSTATUS) -> Result<(), NTSTATUS> {
    if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
}

/// A chunk's memory while it is registered: the request that brought it may not complete before it is
/// deregistered, which dropping does.
pub(super) struct Registered<'l> {
    region: Handle<'l, NDK_MR>,
    pub(super) address: usize,
    length: u32,
}

impl Registered<'_> {
    pub(super) fn sge(&self) -> NDK_SGE {
        sge(self.address, self.length, self.region.local_token())
    }

    pub(super) fn remote_token(&self) -> u32 {
        self.region.remote_token()
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        // A deregistration that fails leaves a finding in the call log.
        match self.region.deregister(Inside::Nothing) {
            Ok(started) => started.expect_one_of(&[STATUS_SUCCESS]),
            Err(status) => self.region.call_log().expect("deregister the chunk", status, STATUS_SUCCESS),
        }
    }
}
