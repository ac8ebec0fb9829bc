//! Queues in detail: deferred chains, resized CQs, SRQs that change, and what is associated only once.

use sys::ndk::{
    NDK_CONNECTOR, NDK_CQ_NOTIFY_ANY, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_WRITE,
    NDK_OP_FLAG_DEFER,
};
use sys::status::{
    NTSTATUS, STATUS_ADDRESS_ALREADY_ASSOCIATED, STATUS_CONNECTION_ACTIVE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};

use super::connected_pair::{ConnectedPair, Memory, QUIET, close_and_wait, post_receives, wait_event};
use crate::ndk::{Address, CqDepth, Handle, Inside, QpDepths, ReadLimits, Remote, Then, sge};
use crate::number::u64_from;
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// WR-6: a chain of deferred posts is started by its last one, also if that one is refused.
pub(super) fn deferred(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let (qp, cq) = (pair.near.qp, pair.near.cq);
    let (sges, to) = ([pair.near_memory.sge(16)], pair.far_memory.remote(0));
    for chain in [0, 1, 4] {
        let mut last = test.work("the end of a chain")?;
        for _ in 0..chain {
            let work = test.work("a deferred write")?;
            call_log.expect("defer", qp.write(work.context(), &sges, to, NDK_OP_FLAG_DEFER), STATUS_SUCCESS);
            last = work;
        }
        let end = test.work("the end of a chain")?;
        call_log.expect("end a chain", qp.write(end.context(), &sges, to, 0), STATUS_SUCCESS);
        call_log.expect("the end of a chain", cq.wait_for(end), STATUS_SUCCESS);
        call_log.require("a chain is done in its order", chain == 0 || last.is_done());
    }
    let deferred = [test.work("deferred before a refusal")?, test.work("deferred before a refusal")?];
    for work in deferred {
        call_log.expect("defer", qp.write(work.context(), &sges, to, NDK_OP_FLAG_DEFER), STATUS_SUCCESS);
    }
    let refused = test.work("refused")?;
    let [sge] = sges;
    let status = qp.write(refused.context(), &[sge, sge], to, NDK_OP_FLAG_DEFER);
    call_log.expect("too many SGEs in the middle of a chain", status, STATUS_INVALID_PARAMETER);
    for work in deferred {
        call_log.expect("deferred before a refusal", cq.wait_for(work), STATUS_SUCCESS);
    }
    call_log.require("no result for what was refused", !refused.is_done());
    Ok(())
}

/// CQ-7: a CQ may be resized with results in it, and loses none; over the limit it is left as it is.
pub(super) fn resized(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let most = test.far.info()?.MaxCqDepth;
    let receives = pair.far_receives::<3>()?;
    for depth in [64, 128, 32] {
        let send = test.work("send")?;
        let posted = pair.near.qp.send(send.context(), &[pair.near_memory.sge(8)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
        call_log.expect("send", pair.near.cq.wait_for(send), STATUS_SUCCESS);
        pair.far.cq.resize(CqDepth(depth))?.expect_one_of(&[STATUS_SUCCESS]);
    }
    let over = pair.far.cq.resize(CqDepth(most.saturating_add(1)))?.status();
    call_log.expect("resize over the limit", over, STATUS_INVALID_PARAMETER);
    for receive in receives {
        call_log.expect("receive into a CQ that is resized", pair.far.cq.wait_for(receive), STATUS_SUCCESS);
    }
    pair.exchange(b"after it")
}

/// CQ-6: more results than a CQ holds make it fail, which it says when it is armed.
pub(super) fn overflown(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let (cq, pd) = (test.far.create_cq(CqDepth(2))?, test.far.create_pd()?);
    let qp_set = QpSet { cq, pd, qp: pd.create_qp(cq, QpDepths::SMALL)?, mr: pd.create_mr()? };
    let memory = Memory::of(test, qp_set, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    post_receives::<8>(test, qp_set, memory)?;
    qp_set.qp.flush();
    call_log.require("no notification unarmed", !cq.object().event_within(QUIET));
    cq.arm(NDK_CQ_NOTIFY_ANY);
    wait_event(test, cq.object(), "a CQ that overflowed");
    call_log.require("the CQ says that it failed", cq.object().has_failed());
    Ok(())
}

/// WR-9: an SRQ's depth and threshold, changed one by one, and their limits.
pub(super) fn modified_srq(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let most = test.far.info()?.MaxSrqDepth;
    let qp_set = QpSet::on(test.far, QpDepths::SMALL)?;
    let memory = Memory::of(test, qp_set, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    let deepest = qp_set.pd.start_srq(most, 0, Then::Keep)?.wait()?;
    let over = most.saturating_add(1);
    let too_deep = qp_set.pd.start_srq(over, 0, Then::Keep)?;
    call_log.expect("an SRQ that is too deep", too_deep.started().status(), STATUS_INVALID_PARAMETER);
    call_log.expect("make an SRQ too deep", deepest.modify(over, 0)?.status(), STATUS_INVALID_PARAMETER);

    let srq = qp_set.pd.start_srq(2, 0, Then::Keep)?.wait()?;
    let post = || {
        let work = test.work("receive")?;
        Ok::<_, NTSTATUS>(srq.receive(work.context(), &[memory.sge(16)]))
    };
    srq.modify(0, 0)?.wait()?;
    call_log.expect("the first receive", post()?, STATUS_SUCCESS);
    call_log.expect("the second receive", post()?, STATUS_SUCCESS);
    call_log.require("no room for a third one", post()? != STATUS_SUCCESS);
    srq.modify(3, 0)?.wait()?;
    call_log.expect("the third receive of a deeper queue", post()?, STATUS_SUCCESS);
    call_log.require("no notification without a threshold", !srq.object().event_within(QUIET));
    srq.modify(0, 8)?.wait()?;
    wait_event(test, srq.object(), "a threshold that is above what is left");
    call_log.require("one notification for a threshold", srq.object().events() == 1);
    Ok(())
}

/// CM-3, CM-4: a QP and a connector connect once, and a listener listens once.
pub(super) fn once(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let spare = QpSet::on(test.near, QpDepths::SMALL)?;
    let again = pair.near_connector.connect(spare.qp, &from, &to, READS, b"", Inside::Nothing)?;
    call_log.expect("connect a connector twice", again.status(), STATUS_CONNECTION_ACTIVE);
    let (second, connecting) = pair::start_connect(test, pair.near.qp, b"")?;
    call_log.expect("connect a QP twice", connecting.status(), STATUS_CONNECTION_ACTIVE);
    close_and_wait(&[second.object()]);
    let elsewhere = Address::of(&test.far_end.with_port(test.far_end.port().wrapping_add(1)));
    let listening = pair.listener.listen(&elsewhere, Inside::Nothing)?;
    call_log.expect("listen twice", listening.status(), STATUS_ADDRESS_ALREADY_ASSOCIATED);
    pair.exchange(b"all the same")
}

/// CQ-7, CM-6: a transfer and read limits as large as the adapter says, and one more.
pub(super) fn largest(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let info = test.near.info()?;
    let pair = ConnectedPair::connected(test)?;
    let most = info.MaxTransferLength.min(test.far.info()?.MaxTransferLength);
    let (source, sink) = (test.buffer(most.saturating_add(1))?, test.buffer(most)?);
    let (source_mr, sink_mr) = (pair.near.pd.create_mr()?, pair.far.pd.create_mr()?);
    source_mr.register(source.mdl(), most.saturating_add(1), 0, Inside::Nothing)?.wait()?;
    let access = NDK_MR_FLAG_ALLOW_REMOTE_WRITE;
    sink_mr.register(sink.mdl(), most, access, Inside::Nothing)?.wait()?;
    let to = Remote { address: u64_from(sink.address(0)), token: sink_mr.remote_token() };
    source.put_at(most.saturating_sub(4), b"last");
    let part = |length| sge(source.address(0), length, source_mr.local_token());
    let work = test.work("the longest write")?;
    call_log.expect(
        "post the longest write",
        pair.near.qp.write(work.context(), &[part(most)], to, 0),
        STATUS_SUCCESS,
    );
    call_log.expect("the longest write", pair.near.cq.wait_for(work), STATUS_SUCCESS);
    pair.settle()?;
    let mut arrived = [0; 4];
    sink.take_at(most.saturating_sub(4), &mut arrived);
    call_log.require("its last bytes", &arrived == b"last");
    let longer = test.work("a write that is too long")?;
    let refused = pair.near.qp.write(longer.context(), &[part(most.saturating_add(1))], to, 0);
    call_log.expect("post a byte too many", refused, STATUS_INVALID_PARAMETER);

    let limits = ReadLimits { inbound: u32::MAX, outbound: u32::MAX };
    let (near, far) = (QpSet::on(test.near, QpDepths::SMALL)?, QpSet::on(test.far, QpDepths::SMALL)?);
    let connector = test.near.create_connector()?;
    let (from, at) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let connecting = connector.connect(near.qp, &from, &at, limits, b"", Inside::Nothing)?;
    let offer = call_log.take_connect_event(pair.listener.object(), connecting)?;
    let offer = Handle::<NDK_CONNECTOR>::new(call_log, offer);
    let mut seen = limits;
    let (status, _) = offer.connection_data(&mut [], &mut seen);
    call_log.expect("the limits of an offer", status, STATUS_SUCCESS);
    call_log.require("inbound reads up to the maximum", seen.inbound <= info.MaxOutboundReadLimit);
    call_log.require("outbound reads up to the maximum", seen.outbound <= info.MaxInboundReadLimit);
    let accepting = offer.accept(far.qp, READS, b"", Inside::Nothing)?;
    connecting.wait()?;
    let (status, _) = connector.connection_data(&mut [], &mut seen);
    call_log.expect("the limits of a connection", status, STATUS_SUCCESS);
    call_log.require("the peer's inbound limit", seen.outbound == READS.inbound);
    call_log.require("the peer's outbound limit", seen.inbound == READS.outbound);
    connector.complete_connect(Inside::Nothing)?.wait()?;
    accepting.wait()?;
    Ok(())
}
