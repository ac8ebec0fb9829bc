//! Chunks that cross as SMB Direct moves them: the client registers its memory by a work request and tells where
//! it is; the server reads it, and the message that says so invalidates the registration.
//!
//! A chunk that fails on its way ends its registration by closing the region, before the mapping below it is
//! released and before the request that brought the memory completes.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sys::ndk::{
    NDK_ADAPTER, NDK_ADAPTER_INFO, NDK_MR, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_RDMA_READ_SINK,
    NDK_OP_FLAG_ALLOW_REMOTE_READ, NDK_OP_FLAG_DEFER, NDK_SGE,
};
use sys::status::{NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::PAGE_SIZE;

use super::Chunk;
use super::control_message::Control;
use super::end::{End, check};
use super::lists::Lists;
use super::shared::{DEPTH, Shared};
use crate::buffer::Buffer;
use crate::kernel;
use crate::ndk::{CqDepth, Extent, Handle, Mapping, QpDepths, Remote, mapping_length};
use crate::number::u64_from;
use crate::pair::QpSet;
use crate::test_context::TestContext;
use crate::work::{Poll, Work};

/// The longest chunk, in bytes, that one fast registration covers wherever in a page it begins.
pub(super) fn longest(info: &NDK_ADAPTER_INFO) -> u32 {
    let page = u32::try_from(PAGE_SIZE).unwrap_or(u32::MAX);
    info.FRMRPageCount.saturating_sub(1).saturating_mul(page)
}

/// The side that has the chunks.
pub(super) struct Client<'l> {
    pub(super) end: End<'l>,
    adapter: Handle<'l, NDK_ADAPTER>,
    region: Handle<'l, NDK_MR>,
    /// The place for mappings, one at a time.
    place: &'l Buffer,
    registering: &'l Work,
    registrations: AtomicU64,
    invalidations: AtomicU64,
}

impl<'l> Client<'l> {
    /// A client on the near adapter, which `info` is about.
    pub(super) fn open(test: &TestContext<'l>, info: &NDK_ADAPTER_INFO) -> Result<Self, NTSTATUS> {
        let end = End::open(test, QpSet::on(test.near, QpDepths::SMALL)?, Poll::Extended)?;
        let region = end.pd.create_fast_mr()?;
        region.initialise(info.FRMRPageCount, true)?.wait()?;
        Ok(Self {
            end,
            adapter: test.near,
            region,
            place: test.buffer(mapping_length(info.FRMRPageCount))?,
            registering: test.work("fast register a chunk")?,
            registrations: AtomicU64::new(0),
            invalidations: AtomicU64::new(0),
        })
    }

    /// Fast registrations so far, and those that the server's messages have invalidated.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.registrations.load(Ordering::Relaxed), self.invalidations.load(Ordering::Relaxed))
    }

    /// Has the server read a chunk; returns when the chunk's memory is out of the peer's reach.
    pub(super) fn write(&self, chunk: &Chunk) -> Result<(), NTSTATUS> {
        let end = &self.end;
        end.expect_control()?;
        let mut advertised = self.advertise(chunk)?;
        let token = self.region.remote_token();
        end.post_control(Control { address: u64_from(chunk.address()), token, ..Control::about(chunk) })?;
        end.wait(self.registering)?;
        end.control_sent()?;
        let answer = end.take_control()?;
        // CQ-5: the extended poll names the token.
        let named = end.inbox.work.invalidated();
        self.region.call_log().require("the answer invalidates the chunk's token", named == Some(token));
        if named != Some(token) || !answer.is_about(chunk) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        advertised.valid = false;
        self.invalidations.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Maps a chunk's memory and posts its registration, which begins with the message that is posted next
    /// (WR-6).
    fn advertise(&self, chunk: &Chunk) -> Result<Advertised<'_, 'l>, NTSTATUS> {
        let lists = Lists::of(chunk)?;
        let mapping = self.adapter.map(lists.head(), chunk.length, self.place)?;
        lists.let_go(self.region.call_log());
        let extent = Extent { address: chunk.address(), length: chunk.length };
        let flags = NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_DEFER;
        self.registering.reset();
        let context = self.registering.context();
        check(self.end.qp.fast_register(context, self.region, &mapping, extent, flags))?;
        self.registrations.fetch_add(1, Ordering::Relaxed);
        Ok(Advertised { client: self, valid: true, _mapping: mapping })
    }
}

/// A chunk's memory while it is registered, or about to be.
struct Advertised<'c, 'l> {
    client: &'c Client<'l>,
    valid: bool,
    /// Dropped, and so released, after `drop` has ended the registration.
    _mapping: Mapping<'l>,
}

impl Drop for Advertised<'_, '_> {
    fn drop(&mut self) {
        if self.valid {
            let region = self.client.region.object();
            region.close();
            // A close that does not complete is a finding of the call log.
            let _ = region.wait_closed();
        }
    }
}

/// The side that the chunks go to.
pub(super) struct Server<'l> {
    pub(super) end: End<'l, Shared<'l>>,
    /// The address of the last chunk, and the token for it, which is invalid now; zero before the first.
    last_address: AtomicU64,
    last_token: AtomicU32,
}

impl<'l> Server<'l> {
    /// A server on the far adapter.
    pub(super) fn open(test: &TestContext<'l>) -> Result<Self, NTSTATUS> {
        let depths = QpDepths::SMALL;
        let cq = test.far.create_cq(CqDepth(depths.initiator.saturating_add(DEPTH)))?;
        let pd = test.far.create_pd()?;
        let inbox = Shared::open(test, pd)?;
        let qp_set = QpSet { cq, pd, qp: pd.create_qp_with_srq(cq, inbox.srq, depths)?, mr: pd.create_mr()? };
        Ok(Self {
            end: End::with_inbox(test, qp_set, inbox, Poll::Extended)?,
            last_address: AtomicU64::new(0),
            last_token: AtomicU32::new(0),
        })
    }

    /// Takes a chunk that the client offers; `read` hears when the Read of it was posted, once it is complete.
    pub(super) fn serve(&self, chunk: &Chunk, read: impl FnOnce(u64)) -> Result<(), NTSTATUS> {
        let end = &self.end;
        let offered = end.inbox.take(end.cq, end.poll, || end.peer_has_gone())?;
        if !offered.is_about(chunk) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let memory = end.register(chunk, NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_RDMA_READ_SINK)?;
        let from = Remote { address: offered.address, token: offered.token };
        let began = kernel::ticks();
        check(self.read(memory.sge(), from))?;
        read(began);
        end.outbox.send(Control::about(chunk), |message| {
            let sges = [message.sge()];
            end.qp.send_and_invalidate(message.work.context(), &sges, 0, from.token)
        })?;
        end.control_sent()?;
        self.last_address.store(from.address, Ordering::Relaxed);
        self.last_token.store(from.token, Ordering::Relaxed);
        Ok(())
    }

    /// WR-7: reads what the last answer invalidated, if there was one, which must be refused. It ends the
    /// connection.
    pub(super) fn expect_refusal(&self) {
        let address = self.last_address.load(Ordering::Relaxed);
        if address != 0 {
            let from = Remote { address, token: self.last_token.load(Ordering::Relaxed) };
            let status = self.read(NDK_SGE { Length: 1, ..self.end.outbox.sge() }, from);
            let call_log = self.end.cq.call_log();
            call_log.expect("read by a token that was invalidated", status, STATUS_ACCESS_VIOLATION);
        }
    }

    fn read(&self, sink: NDK_SGE, from: Remote) -> NTSTATUS {
        let end = &self.end;
        end.data.reset();
        match end.qp.read(end.data.context(), &[sink], from, 0) {
            STATUS_SUCCESS => end.result(end.data),
            refused => refused,
        }
    }
}
