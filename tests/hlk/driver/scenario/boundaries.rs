//! Requests, queues and memory as large as an adapter says, and one more. (What is created at a limit and over
//! it: `limits`; transfer length and read limits: `queueing`; SRQs: `queueing`; private data: `connecting`;
//! pages of a fast registration: `registering`.)

use protocol::Difference;
use sys::ndk::{
    NDK_ADAPTER_INFO, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ,
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_OP_FLAG_ALLOW_REMOTE_WRITE, NDK_OP_FLAG_INLINE, NDK_SGE,
};
use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};

use super::access::Rdma;
use super::connected_pair::{ConnectedPair, MEMORY, Memory, close_and_wait};
use crate::ndk::{Extent, Inside, QpDepths, Remote, Then};
use crate::number::{u64_from, usize_from};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

const ACCESS: u32 =
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_ALLOW_REMOTE_READ | NDK_MR_FLAG_ALLOW_REMOTE_WRITE;

/// Room for more entries than any adapter here takes.
const ENTRIES: usize = 32;

/// Two connected sides whose QPs take the largest requests, with memory.
struct Ends<'l> {
    near: QpSet<'l>,
    far: QpSet<'l>,
    source: Memory<'l>,
    sink: Memory<'l>,
}

/// NDIS-8: scatter/gather entries of each kind of request, and inline data.
pub(super) fn requests(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let (info, peer) = (test.near.info()?, test.far.info()?);
    let depths = |info: &NDK_ADAPTER_INFO| QpDepths {
        receive_sges: info.MaxReceiveRequestSge,
        initiator_sges: info.MaxInitiatorRequestSge,
        inline: info.MaxInlineDataSize,
        ..QpDepths::SMALL
    };
    let (near, far) = (QpSet::on(test.near, depths(&info))?, QpSet::on(test.far, depths(&peer))?);
    pair::connect_to(test, pair::listen(test)?, (near.qp, b"near"), (far.qp, b"far"))?;
    let (source, sink) = (Memory::of(test, near, ACCESS)?, Memory::of(test, far, ACCESS)?);
    let ends = Ends { near, far, source, sink };
    messages(test, &ends, (info.MaxInitiatorRequestSge, peer.MaxReceiveRequestSge))?;
    reads(test, &ends, info.MaxReadRequestSge)?;
    inline(test, &ends, info.MaxInlineDataSize)
}

/// So many entries of a byte each, for `post`.
#[inline(never)]
fn with_entries(memory: Memory<'_>, count: u32, post: impl FnOnce(&[NDK_SGE]) -> NTSTATUS) -> NTSTATUS {
    let entries = [memory.sge(1); ENTRIES];
    post(entries.get(..usize_from(count)).unwrap_or_default())
}

fn messages(test: &TestContext<'_>, ends: &Ends<'_>, (most, peers): (u32, u32)) -> Result<(), NTSTATUS> {
    let (call_log, work, send) = (test.call_log(), test.work("receive")?, test.work("send")?);
    let receives = |count| with_entries(ends.sink, count, |list| ends.far.qp.receive(work.context(), list));
    let sends = |count| with_entries(ends.source, count, |list| ends.near.qp.send(send.context(), list, 0));
    let refused = receives(peers.saturating_add(1));
    call_log.expect("receive into too many entries", refused, STATUS_INVALID_PARAMETER);
    call_log.expect("post a receive of many entries", receives(peers), STATUS_SUCCESS);
    call_log.expect("send of too many entries", sends(most.saturating_add(1)), STATUS_INVALID_PARAMETER);
    let count = most.min(peers);
    call_log.expect("post a send of many entries", sends(count), STATUS_SUCCESS);
    call_log.expect("send of many entries", ends.near.cq.wait_for(send), STATUS_SUCCESS);
    call_log.expect("receive into many entries", ends.far.cq.wait_for(work), STATUS_SUCCESS);
    call_log.require("a byte of each entry", work.bytes() == count);
    Ok(())
}

fn reads(test: &TestContext<'_>, ends: &Ends<'_>, most: u32) -> Result<(), NTSTATUS> {
    let (call_log, read) = (test.call_log(), test.work("read")?);
    let reads = |count| {
        with_entries(ends.source, count, |list| {
            ends.near.qp.read(read.context(), list, ends.sink.remote(0), 0)
        })
    };
    call_log.expect("read into too many entries", reads(most.saturating_add(1)), STATUS_INVALID_PARAMETER);
    call_log.expect("post a read of many entries", reads(most), STATUS_SUCCESS);
    call_log.expect("read into many entries", ends.near.cq.wait_for(read), STATUS_SUCCESS);
    Ok(())
}

fn inline(test: &TestContext<'_>, ends: &Ends<'_>, most: u32) -> Result<(), NTSTATUS> {
    let (call_log, work, send) = (test.call_log(), test.work("receive")?, test.work("inline send")?);
    let posted = ends.far.qp.receive(work.context(), &[ends.sink.sge(MEMORY)]);
    call_log.expect("post a receive", posted, STATUS_SUCCESS);
    ends.source.buffer.fill(0xc3, MEMORY);
    let sends =
        |length: u32| ends.near.qp.send(send.context(), &[ends.source.sge(length)], NDK_OP_FLAG_INLINE);
    let longer = sends(most.saturating_add(1));
    call_log.expect("a byte of inline data too many", longer, STATUS_INVALID_PARAMETER);
    call_log.expect("post the most inline data", sends(most), STATUS_SUCCESS);
    call_log.expect("the most inline data", ends.near.cq.wait_for(send), STATUS_SUCCESS);
    call_log.expect("receive inline data", ends.far.cq.wait_for(work), STATUS_SUCCESS);
    call_log.require("the most inline data arrives", ends.sink.buffer.holds(0xc3, most));
    Ok(())
}

/// NDIS-8: as many requests as the deepest queues hold, and one more on each.
pub(super) fn queues(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let info = test.near.info()?;
    let deep = QpDepths {
        receive: info.MaxReceiveQueueDepth,
        initiator: info.MaxInitiatorQueueDepth,
        ..QpDepths::SMALL
    };
    let (near, far) = (QpSet::on(test.near, deep)?, QpSet::on(test.far, QpDepths::SMALL)?);
    let connection = pair::connect_to(test, pair::listen(test)?, (near.qp, b"near"), (far.qp, b"far"))?;
    let memory = Memory::of(test, near, ACCESS)?;
    let receive = || {
        let work = test.work("receive")?;
        Ok::<_, NTSTATUS>(near.qp.receive(work.context(), &[memory.sge(1)]))
    };
    let far_memory = Memory::of(test, far, ACCESS)?;
    // There is no receive for the sends. Over TCP one is enough: it succeeds, and reads behind it have no answer.
    let starved = test.differs(Difference::SendUnreceived);
    let initiate = || {
        let work = test.work("initiate")?;
        Ok::<_, NTSTATUS>(if starved {
            near.qp.read(work.context(), &[memory.sge(1)], far_memory.remote(0), 0)
        } else {
            near.qp.send(work.context(), &[memory.sge(1)], 0)
        })
    };
    for _ in 0..deep.receive {
        call_log.expect("a receive into a deep queue", receive()?, STATUS_SUCCESS);
    }
    call_log.expect("a receive too many", receive()?, STATUS_INSUFFICIENT_RESOURCES);
    if starved {
        let send = test.work("send without a receive")?;
        let posted = near.qp.send(send.context(), &[memory.sge(1)], 0);
        call_log.expect("post a send without a receive", posted, STATUS_SUCCESS);
        call_log.expect("a send without a receive", near.cq.wait_for(send), STATUS_SUCCESS);
    }
    for _ in 0..deep.initiator {
        call_log.expect("a request into a deep queue", initiate()?, STATUS_SUCCESS);
    }
    call_log.expect("a request too many", initiate()?, STATUS_INSUFFICIENT_RESOURCES);
    close_and_wait(&[connection.near.object(), near.qp.object()]);
    let mut results = 0_usize;
    loop {
        let taken = near.cq.harvest();
        results = results.saturating_add(taken);
        if taken == 0 {
            break;
        }
    }
    let posted = usize_from(deep.receive.saturating_add(deep.initiator));
    call_log.require("a result for each", results == posted);
    Ok(())
}

/// NDIS-8, WR-8: the largest region and window, over the same memory again and again.
pub(super) fn memory(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const PART: u32 = 4 << 20;
    let call_log = test.call_log();
    let info = test.far.info()?;
    let pair = ConnectedPair::connected(test)?;
    let (far, bytes) = (pair.far, |size: usize| u32::try_from(size).map_err(|_| STATUS_INVALID_PARAMETER));
    let most = bytes(info.MaxRegistrationSize)?;
    let buffer = test.repeated(PART, most.div_ceil(PART).saturating_add(1))?;
    let mr = far.pd.create_mr()?;
    let over = mr.register(buffer.mdl(), most.saturating_add(1), ACCESS, Inside::Nothing)?;
    call_log.expect("register a byte too many", over.status(), STATUS_INVALID_PARAMETER);
    mr.register(buffer.mdl(), most, ACCESS, Inside::Nothing)?.wait()?;

    let write = |from: u32, token: u32| {
        let remote = Remote { address: u64_from(buffer.address(from)), token };
        Rdma::Write.run(&pair, &[pair.near_memory.sge(4)], remote)
    };
    pair.near_memory.buffer.put(b"last");
    let last = most.saturating_sub(4);
    call_log.expect("write to the end of a region", write(last, mr.remote_token())?, STATUS_SUCCESS);
    pair.settle()?;
    let mut arrived = [0; 4];
    buffer.take_at(last % PART, &mut arrived);
    call_log.require("the bytes at the end of a region", &arrived == b"last");

    let widest = bytes(info.MaxWindowSize)?;
    let mw = far.pd.start_mw(Then::Keep)?.wait()?;
    let bind = |length: u32| {
        let extent = Extent { address: buffer.address(0), length };
        let work = test.work("bind")?;
        let posted = far.qp.bind(work.context(), mr, mw, extent, NDK_OP_FLAG_ALLOW_REMOTE_WRITE);
        Ok::<_, NTSTATUS>(if posted == STATUS_SUCCESS { far.cq.wait_for(work) } else { posted })
    };
    let wider = bind(widest.saturating_add(1))?;
    call_log.expect("bind a byte too many", wider, STATUS_ACCESS_VIOLATION);
    call_log.expect("bind the widest window", bind(widest)?, STATUS_SUCCESS);
    let last = widest.saturating_sub(4);
    call_log.expect("write to the end of a window", write(last, mw.remote_token())?, STATUS_SUCCESS);
    Ok(())
}
