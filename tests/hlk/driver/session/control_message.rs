//! Control messages, and the memory in which they come and go.

use sys::ndk::{NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_PD, NDK_QP, NDK_SGE, NDK_SRQ};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Chunk;
use super::end::check;
use crate::buffer::Buffer;
use crate::ndk::{Handle, Inside, sge};
use crate::number::usize_from;
use crate::test_context::TestContext;
use crate::work::Work;

/// A control message.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Control {
    /// The [`Operation`](protocol::Operation) that it belongs to.
    pub(super) operation: u32,
    /// Bytes in the chunk.
    pub(super) length: u32,
    /// The address of the sender's chunk, if the receiver is to read or write it.
    pub(super) address: u64,
    /// The token for that.
    pub(super) token: u32,
    pub(super) reserved: u32,
}

impl Control {
    /// A message about a chunk, which says nothing of its memory.
    pub(super) const fn about(chunk: &Chunk) -> Self {
        Self { operation: chunk.operation.code(), length: chunk.length, address: 0, token: 0, reserved: 0 }
    }

    /// Returns whether both sides mean the same chunk.
    pub(super) const fn is_about(&self, chunk: &Chunk) -> bool {
        self.operation == chunk.operation.code() && self.length == chunk.length
    }
}

const CONTROL: u32 = 24;
const _: () = assert!(size_of::<Control>() == 24);

/// Room for one control message, registered, and the work request that moves it.
pub(super) struct ControlMessage<'l> {
    buffer: &'l Buffer,
    token: u32,
    pub(super) work: &'l Work,
}

impl<'l> ControlMessage<'l> {
    pub(super) fn new(
        test: &TestContext<'l>,
        pd: Handle<'l, NDK_PD>,
        step: &'static str,
    ) -> Result<Self, NTSTATUS> {
        let buffer = test.buffer(CONTROL)?;
        let region = pd.create_mr()?;
        region.register(buffer.mdl(), CONTROL, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, Inside::Nothing)?.wait()?;
        Ok(Self { buffer, token: region.local_token(), work: test.work(step)? })
    }

    pub(super) fn sge(&self) -> NDK_SGE {
        sge(self.buffer.address(0), CONTROL, self.token)
    }

    /// Posts a receive for a message.
    pub(super) fn receive(&self, qp: Handle<'_, NDK_QP>) -> Result<(), NTSTATUS> {
        self.work.reset();
        check(qp.receive(self.work.context(), &[self.sge()]))
    }

    /// The same, to a receive queue that is shared.
    pub(super) fn receive_shared(&self, srq: Handle<'_, NDK_SRQ>) -> Result<(), NTSTATUS> {
        self.work.reset();
        check(srq.receive(self.work.context(), &[self.sge()]))
    }

    /// Writes a message, which `post` sends. The last one must have been delivered.
    pub(super) fn send(
        &self,
        control: Control,
        post: impl FnOnce(&Self) -> NTSTATUS,
    ) -> Result<(), NTSTATUS> {
        self.buffer.put(control.as_bytes());
        self.work.reset();
        check(post(self))
    }

    /// The message that has come.
    pub(super) fn read(&self) -> Result<Control, NTSTATUS> {
        check(self.work.status())?;
        let mut bytes = [0; usize_from(CONTROL)];
        self.buffer.take(&mut bytes);
        if self.work.bytes() == CONTROL {
            Ok(zerocopy::transmute!(bytes))
        } else {
            Err(STATUS_INVALID_PARAMETER)
        }
    }
}
