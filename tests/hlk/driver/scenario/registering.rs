//! A peer's access to memory, changed by work requests: windows, fast registration, invalidation.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use sys::ndk::{
    NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED, NDK_CQ_NOTIFY_ANY, NDK_MR,
    NDK_OP_FLAG_ALLOW_LOCAL_WRITE, NDK_OP_FLAG_ALLOW_REMOTE_READ, NDK_OP_FLAG_ALLOW_REMOTE_WRITE,
    NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE, NDK_OP_FLAG_READ_FENCE, NDK_OPERATION_TYPE,
};
use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_DEVICE_BUSY, STATUS_IMPLEMENTATION_LIMIT, STATUS_SUCCESS,
};

use super::access::{Rdma, expect_refused_write};
use super::connected_pair::{ConnectedPair, MEMORY, wait_event};
use crate::buffer::Buffer;
use crate::kernel::{self, PartialMdl};
use crate::ndk::{Extent, Handle, Inside, Mapping, Remote, Then, mapping_length, sge};
use crate::number::{u64_from, usize_from};
use crate::pair::QpSet;
use crate::test_context::TestContext;

/// So short, and buffers so aligned, that it lies within one page.
const LENGTH: u32 = 16;
/// By what address registered memory is known; congruent to any page.
const BASE: usize = 0x7000_0000;

const REMOTE: u32 = NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_ALLOW_REMOTE_WRITE;

/// Posts a request on a side's QP and says how it ended.
pub(super) fn run(
    test: &TestContext<'_>,
    qp_set: QpSet<'_>,
    step: &'static str,
    post: impl FnOnce(*mut core::ffi::c_void) -> NTSTATUS,
) -> Result<NTSTATUS, NTSTATUS> {
    let work = test.work(step)?;
    let posted = post(work.context());
    Ok(if posted == STATUS_SUCCESS { qp_set.cq.wait_for(work) } else { posted })
}

/// OBJ-2, WR-4: a window admits its part of a region until it is bound anew or invalidated, and the region is
/// busy as long.
pub(super) fn windows(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let (far, memory) = (pair.far, pair.far_memory);
    let mw = far.pd.start_mw(Then::Keep)?.wait()?;
    let bind = |offset: u32, flags: u32| {
        let extent = Extent { address: memory.buffer.address(offset), length: 64 };
        run(test, far, "bind", |context| far.qp.bind(context, far.mr, mw, extent, flags))
    };
    let through = |offset: u32, token: u32| Remote { token, ..memory.remote(offset) };
    let sges = [pair.near_memory.sge(LENGTH)];

    call_log.expect("bind", bind(64, REMOTE)?, STATUS_SUCCESS);
    let first = mw.remote_token();
    call_log.expect(
        "write into a window",
        Rdma::Write.run(&pair, &sges, through(112, first))?,
        STATUS_SUCCESS,
    );
    pair.settle()?;
    let busy = far.mr.deregister(Inside::Nothing)?.status();
    call_log.expect("deregister a region with a window", busy, STATUS_DEVICE_BUSY);
    call_log.expect("bind anew", bind(512, NDK_OP_FLAG_ALLOW_REMOTE_READ)?, STATUS_SUCCESS);
    let second = mw.remote_token();
    call_log.require("a window bound anew has another token", first != second);
    call_log.expect(
        "read from a window",
        Rdma::Read.run(&pair, &sges, through(512, second))?,
        STATUS_SUCCESS,
    );
    let invalidated = run(test, far, "invalidate", |context| far.qp.invalidate(context, mw, 0))?;
    call_log.expect("invalidate a window", invalidated, STATUS_SUCCESS);
    far.mr.deregister(Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    let stale = Rdma::Read.run(&pair, &sges, through(512, second))?;
    call_log.expect("read from a window that is invalid", stale, STATUS_ACCESS_VIOLATION);
    Ok(())
}

/// Memory that is registered by work requests.
struct Fast<'l> {
    qp_set: QpSet<'l>,
    mr: Handle<'l, NDK_MR>,
    buffer: &'l Buffer,
    mapping: Mapping<'l>,
    /// The address and token by which a peer reaches the memory.
    address: usize,
}

impl<'l> Fast<'l> {
    fn new(
        test: &TestContext<'l>,
        adapter: Handle<'l, sys::ndk::NDK_ADAPTER>,
        qp_set: QpSet<'l>,
    ) -> Result<Self, NTSTATUS> {
        let mr = qp_set.pd.create_fast_mr()?;
        mr.initialise(16, true)?.wait()?;
        let buffer = test.buffer(MEMORY)?;
        let mapping = adapter.map(buffer.mdl(), MEMORY, test.buffer(mapping_length(2))?)?;
        let address = BASE | usize_from(mapping.offset());
        Ok(Self { qp_set, mr, buffer, mapping, address })
    }

    fn register(&self, test: &TestContext<'_>, flags: u32) -> Result<NTSTATUS, NTSTATUS> {
        let extent = Extent { address: self.address, length: LENGTH };
        let post = |context| self.qp_set.qp.fast_register(context, self.mr, &self.mapping, extent, flags);
        run(test, self.qp_set, "fast register", post)
    }

    fn invalidate(&self, test: &TestContext<'_>) -> Result<NTSTATUS, NTSTATUS> {
        run(test, self.qp_set, "invalidate", |context| self.qp_set.qp.invalidate(context, self.mr, 0))
    }

    fn remote(&self) -> Remote {
        Remote { address: u64_from(self.address), token: self.mr.remote_token() }
    }
}

/// WR-8: a fast registration over logical addresses admits a peer until it is invalidated; only up to the limit.
pub(super) fn fast(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let most = test.far.info()?.FRMRPageCount;
    call_log.require("at least 16 pages", most >= 16);
    let limits = pair.far.pd.create_fast_mr()?;
    call_log.expect("as many pages as there may be", limits.initialise(most, true)?.status(), STATUS_SUCCESS);
    let over = limits.initialise(most.saturating_add(1), true)?.status();
    call_log.expect("a page too many", over, STATUS_IMPLEMENTATION_LIMIT);

    let fast = Fast::new(test, test.far, pair.far)?;
    pair.near_memory.buffer.put(b"fast registered!");
    let sges = [pair.near_memory.sge(LENGTH)];
    for _ in 0..2 {
        call_log.expect("fast register", fast.register(test, REMOTE)?, STATUS_SUCCESS);
        call_log.expect("write", Rdma::Write.run(&pair, &sges, fast.remote())?, STATUS_SUCCESS);
        pair.settle()?;
        let mut arrived = [0; usize_from(LENGTH)];
        fast.buffer.take(&mut arrived);
        call_log.require("the bytes behind a fast registration", &arrived == b"fast registered!");
        call_log.expect("invalidate", fast.invalidate(test)?, STATUS_SUCCESS);
    }
    expect_refused_write(&pair, "write to what was invalidated", &sges, fast.remote())
}

/// WR-8: the token that is read once serves every registration, and admits nothing between two of them.
pub(super) fn kept_token(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let fast = Fast::new(test, test.far, pair.far)?;
    let remote = fast.remote();
    let sges = [pair.near_memory.sge(LENGTH)];
    for turn in 0..6_u8 {
        call_log.expect("fast register", fast.register(test, REMOTE)?, STATUS_SUCCESS);
        pair.near_memory.buffer.fill(turn, LENGTH);
        call_log.expect("write by the first token", Rdma::Write.run(&pair, &sges, remote)?, STATUS_SUCCESS);
        pair.settle()?;
        call_log.require("the bytes of this turn", fast.buffer.holds(turn, LENGTH));
        if turn % 2 == 0 {
            call_log.expect("invalidate", fast.invalidate(test)?, STATUS_SUCCESS);
        } else {
            let [receive] = pair.far_receives::<1>()?;
            let post = |context| pair.near.qp.send_and_invalidate(context, &sges, 0, remote.token);
            call_log.expect("send and invalidate", run(test, pair.near, "send", post)?, STATUS_SUCCESS);
            call_log.expect("receive", pair.far.cq.wait_for(receive), STATUS_SUCCESS);
        }
        call_log.require("the token stays", fast.mr.remote_token() == remote.token);
    }
    expect_refused_write(&pair, "write by a token that is not valid", &sges, remote)
}

/// NDIS-8: a mebibyte needs one fast registration, wherever in its page it begins.
pub(super) fn mebibyte(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const MEBIBYTE: u32 = 1 << 20;
    const PAGES: u32 = 257;
    const FIRST: u32 = 1000;
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let far = pair.far;
    call_log.require("pages for an unaligned mebibyte", test.far.info()?.FRMRPageCount >= PAGES);
    let mr = far.pd.create_fast_mr()?;
    mr.initialise(PAGES, true)?.wait()?;
    let buffer = test.locked(FIRST.saturating_add(MEBIBYTE))?;
    // SAFETY: the buffer has the bytes.
    let part = unsafe { PartialMdl::new(buffer.locked_mdl(), FIRST, MEBIBYTE) }?;
    let mapping = test.far.map(part.as_ptr(), MEBIBYTE, test.buffer(mapping_length(PAGES))?)?;
    drop(part);
    let extent = Extent { address: BASE | usize_from(mapping.offset()), length: MEBIBYTE };
    let post = |context| far.qp.fast_register(context, mr, &mapping, extent, REMOTE);
    call_log.expect("fast register", run(test, far, "fast register", post)?, STATUS_SUCCESS);
    let last = MEBIBYTE.saturating_sub(LENGTH);
    for place in [0, last] {
        let bytes = kernel::ticks().to_le_bytes();
        pair.near_memory.buffer.put(&bytes);
        let address = u64_from(extent.address).saturating_add(u64::from(place));
        let remote = Remote { address, token: mr.remote_token() };
        let status = Rdma::Write.run(&pair, &[pair.near_memory.sge(8)], remote)?;
        call_log.expect("write to either end", status, STATUS_SUCCESS);
        pair.settle()?;
        let mut arrived = [0; 8];
        buffer.take_at(FIRST.saturating_add(place), &mut arrived);
        call_log.require("the bytes at either end", arrived == bytes);
    }
    let invalidated = run(test, far, "invalidate", |context| far.qp.invalidate(context, mr, 0))?;
    call_log.expect("invalidate", invalidated, STATUS_SUCCESS);
    Ok(())
}

/// CQ-5: a send invalidates the receiver's token. The extended poll says which; after the plain one it is
/// invalid, too.
pub(super) fn send_and_invalidate(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let fast = Fast::new(test, test.far, pair.far)?;
    let send = |token: u32| {
        let sges = [pair.near_memory.sge(8)];
        let post = |context| pair.near.qp.send_and_invalidate(context, &sges, 0, token);
        run(test, pair.near, "send and invalidate", post)
    };

    call_log.expect("fast register", fast.register(test, REMOTE)?, STATUS_SUCCESS);
    let token = fast.mr.remote_token();
    let [receive] = pair.far_receives::<1>()?;
    pair.far.cq.arm(NDK_CQ_NOTIFY_ANY);
    call_log.expect("send and invalidate", send(token)?, STATUS_SUCCESS);
    wait_event(test, pair.far.cq.object(), "receive, and be invalidated");
    let result = pair.far.cq.poll_extended();
    call_log.require("the receive has a result", result.is_some());
    if let Some(result) = result {
        call_log.require("the result's context", result.RequestContext == receive.context());
        let kind = NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate;
        call_log
            .require("a receive that invalidated", result.Status == STATUS_SUCCESS && result.Type == kind);
        call_log.require("the token", result.TypeSpecificCompletionOutput == usize_from(token));
    }

    call_log.expect("fast register again", fast.register(test, REMOTE)?, STATUS_SUCCESS);
    let [receive] = pair.far_receives::<1>()?;
    call_log.expect("send and invalidate", send(fast.mr.remote_token())?, STATUS_SUCCESS);
    call_log.expect("receive by the plain poll", pair.far.cq.wait_for(receive), STATUS_SUCCESS);
    call_log.expect("invalidate once more", fast.invalidate(test)?, STATUS_ACCESS_VIOLATION);
    Ok(())
}

/// CQ-5, WR-7: a send can't invalidate a token of another PD: its connection breaks, and the token's own connection
/// still writes by it.
pub(super) fn foreign_token(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let scene = ConnectedPair::connected(test)?;
    let owner = ConnectedPair::over(test, scene.listener, 0)?;
    let fast = Fast::new(test, test.far, owner.far)?;
    call_log.expect("fast register", fast.register(test, REMOTE)?, STATUS_SUCCESS);

    let [receive] = scene.far_receives::<1>()?;
    let sges = [scene.near_memory.sge(8)];
    let post = |context| scene.near.qp.send_and_invalidate(context, &sges, 0, fast.mr.remote_token());
    let sent = run(test, scene.near, "send and invalidate", post)?;
    call_log.expect("send the token of another PD", sent, STATUS_SUCCESS);
    let received = scene.far.cq.wait_for(receive);
    call_log.expect("receive the token of another PD", received, STATUS_ACCESS_VIOLATION);
    wait_event(test, scene.near_connector.object(), "the end of the connection");

    owner.near_memory.buffer.put(b"it is still valid");
    let sges = [owner.near_memory.sge(LENGTH)];
    call_log.expect("write by the token", Rdma::Write.run(&owner, &sges, fast.remote())?, STATUS_SUCCESS);
    call_log.expect("invalidate it by its own PD", fast.invalidate(test)?, STATUS_SUCCESS);
    Ok(())
}

/// WR-3: a read may invalidate its own sink, and what is fenced comes after it.
pub(super) fn read_and_invalidate(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let near = pair.near;
    let fast = Fast::new(test, test.near, near)?;
    call_log.expect("fast register", fast.register(test, NDK_OP_FLAG_ALLOW_LOCAL_WRITE)?, STATUS_SUCCESS);
    let sink = [sge(fast.address, LENGTH, fast.mr.local_token())];
    let from = pair.far_memory.remote(0);
    let read = |flags: u32| run(test, near, "read", |context| near.qp.read(context, &sink, from, flags));

    pair.far_memory.buffer.put(b"behind the fence");
    let fenced = [sge(fast.address, LENGTH, fast.mr.local_token())];
    let reading = test.work("read before a fence")?;
    let posted = near.qp.read(reading.context(), &sink, from, 0);
    call_log.expect("post a read", posted, STATUS_SUCCESS);
    let back = pair.far_memory.remote(1024);
    let post = |context| near.qp.write(context, &fenced, back, NDK_OP_FLAG_READ_FENCE);
    call_log.expect("write behind the fence", run(test, near, "write", post)?, STATUS_SUCCESS);
    call_log.require("the read is over before what it fences", reading.is_done());
    pair.settle()?;
    let mut arrived = [0; usize_from(LENGTH)];
    pair.far_memory.buffer.take_at(1024, &mut arrived);
    call_log.require("what was read is written", &arrived == b"behind the fence");

    if test.near.info()?.AdapterFlags & NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED != 0 {
        let invalidating = read(NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE)?;
        call_log.expect("read and invalidate", invalidating, STATUS_SUCCESS);
        call_log.expect("read into what was invalidated", read(0)?, STATUS_ACCESS_VIOLATION);
    }
    Ok(())
}
