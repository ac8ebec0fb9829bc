//! The memories of a manual end.

use protocol::{PEER_INVALIDATES, PEER_READS, PEER_WRITES, StepReport, StepRequest};
use sys::ndk::{
    NDK_MR, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ, NDK_MR_FLAG_ALLOW_REMOTE_WRITE,
    NDK_MR_FLAG_RDMA_READ_SINK, NDK_OP_FLAG_ALLOW_REMOTE_READ, NDK_OP_FLAG_ALLOW_REMOTE_WRITE, NDK_SGE,
};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::buffer::Buffer;
use crate::heap::List;
use crate::ndk::{Extent, Handle, Inside, Mapping, mapping_length, sge};
use crate::number::{u64_from, usize_from};
use crate::pair::QpSet;
use crate::test_context::TestContext;
use crate::work::Poll;

/// Memories by their numbers.
pub(super) struct Memories<'l> {
    /// The newest first.
    memories: List<Memory<'l>>,
    count: u32,
}

/// Memory, registered.
struct Memory<'l> {
    number: u32,
    buffer: &'l Buffer,
    region: Handle<'l, NDK_MR>,
    /// Of a fast registration, which must not be valid any more when this is dropped.
    mapping: Option<Mapping<'l>>,
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        if self.mapping.is_some() {
            let region = self.region.object();
            region.close();
            // A close that does not complete is a finding of the call log.
            let _ = region.wait_closed();
        }
    }
}

impl<'l> Memories<'l> {
    pub(super) const fn none() -> Self {
        Self { memories: List::new(), count: 0 }
    }

    /// Makes another memory and registers it; the report names it.
    ///
    /// # Errors
    /// The status of what failed.
    pub(super) fn add(
        &mut self,
        test: &TestContext<'l>,
        queues: &QpSet<'l>,
        request: &StepRequest,
        report: &mut StepReport,
    ) -> Result<(), NTSTATUS> {
        let buffer = test.buffer(request.length)?;
        let (region, mapping) = if request.flags & PEER_INVALIDATES == 0 {
            (register(queues, buffer, request.flags)?, None)
        } else {
            let (region, mapping) = fast_register(test, queues, buffer, request.flags)?;
            (region, Some(mapping))
        };
        let memory = Memory { number: self.count, buffer, region, mapping };
        (report.memory, report.token) = (memory.number, region.remote_token());
        report.address = u64_from(buffer.address(0));
        self.memories.push(memory)?;
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    fn memory(&self, number: u32, offset: u32, length: usize) -> Result<&Memory<'l>, NTSTATUS> {
        let found = self.memories.iter().find(|memory| memory.number == number);
        let end = usize_from(offset).saturating_add(length);
        let holds = |memory: &&Memory<'l>| end <= usize_from(memory.buffer.length());
        found.filter(holds).ok_or(STATUS_INVALID_PARAMETER)
    }

    /// The buffer in which so many bytes lie.
    ///
    /// # Errors
    /// `STATUS_INVALID_PARAMETER` if they lie in none.
    pub(super) fn at(&self, number: u32, offset: u32, length: usize) -> Result<&'l Buffer, NTSTATUS> {
        self.memory(number, offset, length).map(|memory| memory.buffer)
    }

    /// The part that a step names, as an SGE.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub(super) fn part(&self, request: &StepRequest) -> Result<NDK_SGE, NTSTATUS> {
        let StepRequest { memory, offset, length, .. } = *request;
        let memory = self.memory(memory, offset, usize_from(length))?;
        Ok(sge(memory.buffer.address(offset), length, memory.region.local_token()))
    }
}

fn register<'l>(queues: &QpSet<'l>, buffer: &Buffer, flags: u32) -> Result<Handle<'l, NDK_MR>, NTSTATUS> {
    let own = if flags == 0 { NDK_MR_FLAG_RDMA_READ_SINK } else { 0 };
    let read = if flags & PEER_READS == 0 { 0 } else { NDK_MR_FLAG_ALLOW_REMOTE_READ };
    let write = if flags & PEER_WRITES == 0 { 0 } else { NDK_MR_FLAG_ALLOW_REMOTE_WRITE };
    let region = queues.pd.create_mr()?;
    let rights = NDK_MR_FLAG_ALLOW_LOCAL_WRITE | own | read | write;
    region.register(buffer.mdl(), buffer.length(), rights, Inside::Nothing)?.wait()?;
    Ok(region)
}

fn fast_register<'l>(
    test: &TestContext<'l>,
    queues: &QpSet<'l>,
    buffer: &Buffer,
    flags: u32,
) -> Result<(Handle<'l, NDK_MR>, Mapping<'l>), NTSTATUS> {
    let pages = test.near.info()?.FRMRPageCount;
    let region = queues.pd.create_fast_mr()?;
    region.initialise(pages, true)?.wait()?;
    let mapping = test.near.map(buffer.mdl(), buffer.length(), test.buffer(mapping_length(pages))?)?;
    let read = if flags & PEER_READS == 0 { 0 } else { NDK_OP_FLAG_ALLOW_REMOTE_READ };
    let write = if flags & PEER_WRITES == 0 { 0 } else { NDK_OP_FLAG_ALLOW_REMOTE_WRITE };
    let work = test.work("fast register")?;
    let extent = Extent { address: buffer.address(0), length: buffer.length() };
    let posted = queues.qp.fast_register(work.context(), region, &mapping, extent, read | write);
    let status = if posted == STATUS_SUCCESS { queues.cq.wait_by(Poll::Extended, work) } else { posted };
    if status == STATUS_SUCCESS { Ok((region, mapping)) } else { Err(status) }
}
