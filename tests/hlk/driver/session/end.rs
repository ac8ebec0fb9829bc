//! One side of a session: its queues, its region for chunks, and its control messages.

use sys::ndk::{NDK_ADAPTER, NDK_CQ, NDK_MR, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_PD, NDK_QP, NDK_SGE};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Chunk;
use crate::buffer::Buffer;
use crate::kernel;
use crate::ndk::{Handle, Inside, QpDepths, sge};
use crate::pair::Party;
use crate::stage::Stage;
use crate::work::Work;

/// A control message.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Control {
    /// The [`Operation`](protocol::Operation) that it belongs to.
    pub(super) operation: u32,
    /// Bytes in the chunk.
    pub(super) length: u32,
    /// Where the sender's chunk is, if the receiver is to read or write it.
    pub(super) address: u64,
    /// The token for that.
    pub(super) token: u32,
    pub(super) reserved: u32,
}

const CONTROL: u32 = 24;
const _: () = assert!(size_of::<Control>() == 24);

/// One side.
pub(super) struct End<'l> {
    pub(super) cq: Handle<'l, NDK_CQ>,
    pub(super) pd: Handle<'l, NDK_PD>,
    pub(super) qp: Handle<'l, NDK_QP>,
    /// The region for the chunk that is being moved.
    region: Handle<'l, NDK_MR>,
    inbox: Letter<'l>,
    outbox: Letter<'l>,
    pub(super) data: &'l Work,
}

/// Room for one control message, registered.
struct Letter<'l> {
    buffer: &'l Buffer,
    token: u32,
    work: &'l Work,
}

impl<'l> Letter<'l> {
    fn new(stage: &Stage<'l>, pd: Handle<'l, NDK_PD>, step: &'static str) -> Result<Self, NTSTATUS> {
        let buffer = stage.buffer(CONTROL)?;
        let region = pd.create_mr()?;
        region.register(buffer.mdl(), CONTROL, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, Inside::Nothing)?.wait()?;
        Ok(Self { buffer, token: region.local_token(), work: stage.work(step)? })
    }

    fn sge(&self) -> NDK_SGE {
        sge(self.buffer.address(0), CONTROL, self.token)
    }
}

impl<'l> End<'l> {
    pub(super) fn open(stage: &Stage<'l>, adapter: Handle<'l, NDK_ADAPTER>) -> Result<Self, NTSTATUS> {
        let Party { cq, pd, qp, mr } = Party::on(adapter, QpDepths::SMALL)?;
        let inbox = Letter::new(stage, pd, "receive a control message")?;
        let outbox = Letter::new(stage, pd, "send a control message")?;
        Ok(Self { cq, pd, qp, region: mr, inbox, outbox, data: stage.work("move a chunk")? })
    }

    /// Posts a receive for a control message.
    pub(super) fn expect_control(&self) -> Result<(), NTSTATUS> {
        self.inbox.work.reset();
        check(self.qp.receive(self.inbox.work.context(), &[self.inbox.sge()]))
    }

    /// Waits for the control message whose receive is posted.
    pub(super) fn take_control(&self) -> Result<Control, NTSTATUS> {
        self.cq.wait_success(self.inbox.work)?;
        let mut bytes = [0; CONTROL as usize];
        self.inbox.buffer.take(&mut bytes);
        if self.inbox.work.bytes() == CONTROL {
            Ok(zerocopy::transmute!(bytes))
        } else {
            Err(STATUS_INVALID_PARAMETER)
        }
    }

    /// Posts a control message. The last one must have been delivered.
    pub(super) fn post_control(&self, control: Control) -> Result<(), NTSTATUS> {
        self.outbox.buffer.put(control.as_bytes());
        self.outbox.work.reset();
        check(self.qp.send(self.outbox.work.context(), &[self.outbox.sge()], 0))
    }

    /// Waits until the posted control message is delivered.
    pub(super) fn control_sent(&self) -> Result<(), NTSTATUS> {
        self.cq.wait_success(self.outbox.work)
    }

    /// Registers the chunk's memory: `NDK_MR_FLAG_…`.
    pub(super) fn register(&self, chunk: &Chunk, flags: u32) -> Result<Registered<'_, 'l>, NTSTATUS> {
        self.region.register(chunk.mdl, chunk.length, flags, Inside::Nothing)?.wait()?;
        Ok(Registered { end: self, address: mdl_address(chunk), length: chunk.length })
    }
}

fn mdl_address(chunk: &Chunk) -> usize {
    // SAFETY: a chunk's MDL is that of the request that is being served.
    unsafe { kernel::mdl_address(chunk.mdl) }
}

pub(super) fn check(status: NTSTATUS) -> Result<(), NTSTATUS> {
    if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
}

/// A chunk's memory while it is registered: the request that brought it may not complete before it is
/// deregistered, which dropping does.
pub(super) struct Registered<'e, 'l> {
    end: &'e End<'l>,
    pub(super) address: usize,
    length: u32,
}

impl Registered<'_, '_> {
    pub(super) fn sge(&self) -> NDK_SGE {
        sge(self.address, self.length, self.end.region.local_token())
    }

    pub(super) fn remote_token(&self) -> u32 {
        self.end.region.remote_token()
    }
}

impl Drop for Registered<'_, '_> {
    fn drop(&mut self) {
        // A deregistration that fails leaves a finding in the ledger.
        match self.end.region.deregister(Inside::Nothing) {
            Ok(ticket) => ticket.expect_one_of(&[STATUS_SUCCESS]),
            Err(status) => self.end.region.ledger().expect("deregister the chunk", status, STATUS_SUCCESS),
        }
    }
}
