//! Work requests: how many, in what shape, and who is told of their results.

use protocol::Difference;
use sys::ndk::{
    NDK_CQ_NOTIFY_ANY, NDK_CQ_NOTIFY_ERRORS, NDK_CQ_NOTIFY_SOLICITED, NDK_MR_FLAG_ALLOW_LOCAL_WRITE,
    NDK_OP_FLAG_INLINE, NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT, NDK_OP_FLAG_SILENT_SUCCESS,
};
use sys::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_CONNECTION_INVALID, STATUS_IO_TIMEOUT,
    STATUS_SUCCESS,
};

use super::connected_pair::{
    ConnectedPair, MEMORY, Memory, QUIET, expect_results, post_receives, wait_event,
};
use crate::ndk::{QpDepths, sge};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

/// WR-2, WR-7: flush cancels what is posted, before and during a connection.
pub(super) fn flush(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let qp_set = QpSet::on(test.near, QpDepths::SMALL)?;
    let memory = Memory::of(test, qp_set, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    let works = post_receives::<3>(test, qp_set, memory)?;
    qp_set.qp.flush();
    expect_results(test, qp_set, "a receive flushed unconnected", &works, &[STATUS_CANCELLED]);

    let pair = ConnectedPair::connected(test)?;
    let works = pair.far_receives::<3>()?;
    pair.far.qp.flush();
    expect_results(test, pair.far, "a receive flushed connected", &works, &[STATUS_CANCELLED]);
    Ok(())
}

/// WR-2: what does not fit into a queue fails at once, without a result; the rest is not harmed.
pub(super) fn over_posting(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let works = pair.far_receives::<8>()?;
    let extra = test.work("a receive too many")?;
    let posted = pair.far.qp.receive(extra.context(), &[pair.far_memory.sge(MEMORY)]);
    call_log.require("a receive too many fails", posted != STATUS_SUCCESS);
    pair.far.qp.flush();
    expect_results(test, pair.far, "a receive that fitted", &works, &[STATUS_CANCELLED]);
    call_log.require("no result for the receive too many", !extra.is_done());
    Ok(())
}

/// WR-7: only receives may be posted before there is a connection.
pub(super) fn unconnected(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let qp_set = QpSet::on(test.near, QpDepths::SMALL)?;
    let memory = Memory::of(test, qp_set, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    let work = test.work("unconnected")?;
    let sges = [memory.sge(16)];
    let to = memory.remote(0);
    let sent = qp_set.qp.send(work.context(), &sges, 0);
    call_log.expect("send unconnected", sent, STATUS_CONNECTION_INVALID);
    let written = qp_set.qp.write(work.context(), &sges, to, 0);
    call_log.expect("write unconnected", written, STATUS_CONNECTION_INVALID);
    let read = qp_set.qp.read(work.context(), &sges, to, 0);
    call_log.expect("read unconnected", read, STATUS_CONNECTION_INVALID);
    call_log.require("no result for what was not accepted", qp_set.cq.harvest() == 0);
    post_receives::<1>(test, qp_set, memory).map(drop)
}

/// CQ-2, CQ-3, CQ-4: one notification per satisfied arm, at once if it is late, and none otherwise.
pub(super) fn arming(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let call_log = test.call_log();
    let cq = pair.far.cq;
    let send = |flags: u32| {
        let [receive] = pair.far_receives::<1>()?;
        let work = test.work("send")?;
        let posted = pair.near.qp.send(work.context(), &[pair.near_memory.sge(8)], flags);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
        call_log.expect("send", pair.near.cq.wait_for(work), STATUS_SUCCESS);
        Ok::<_, NTSTATUS>(receive)
    };

    cq.arm(NDK_CQ_NOTIFY_ANY);
    call_log.require("no notification without a result", !cq.object().event_within(QUIET));
    send(0)?;
    call_log.require("a notification for an arm", cq.object().wait_for_event("notification"));
    send(0)?;
    call_log.require("no notification unarmed", !cq.object().event_within(QUIET));
    cq.arm(NDK_CQ_NOTIFY_ANY);
    call_log.require("a late arm fires", cq.object().wait_for_event("late notification"));
    call_log.require("one notification for each arm", cq.object().events() == 2);
    while cq.harvest() != 0 {}

    cq.arm(NDK_CQ_NOTIFY_ERRORS);
    cq.arm(NDK_CQ_NOTIFY_SOLICITED);
    send(0)?;
    call_log.require("no notification unsolicited", !cq.object().event_within(QUIET));
    send(NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT)?;
    call_log.require("a notification solicited", cq.object().wait_for_event("solicited notification"));
    call_log.require("merged arms notify once", cq.object().events() == 3);
    while cq.harvest() != 0 {}
    Ok(())
}

/// WR-2, WR-7: a send that finds no posted receive (RNR) waits for one until its timeout, which breaks the connection.
pub(super) fn receiver_not_ready(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let sges = [pair.near_memory.sge(8)];
    let send = |step| {
        let work = test.work(step)?;
        call_log.expect(step, pair.near.qp.send(work.context(), &sges, 0), STATUS_SUCCESS);
        Ok::<_, NTSTATUS>(work)
    };
    let early = send("send before the receive")?;
    pair.near.cq.arm(NDK_CQ_NOTIFY_ANY);
    let is_sent = test.differs(Difference::SendUnreceived);
    if !is_sent {
        call_log.require("no result while it waits", !pair.near.cq.object().event_within(QUIET));
    }
    let [receive] = pair.far_receives::<1>()?;
    call_log.expect("a send that waited", pair.near.cq.wait_for(early), STATUS_SUCCESS);
    call_log.expect("the receive for it", pair.far.cq.wait_for(receive), STATUS_SUCCESS);

    let not_ready = send("send without a receive")?;
    let behind = send("send behind it")?;
    let (starved, cancelled) =
        if is_sent { (STATUS_SUCCESS, STATUS_SUCCESS) } else { (STATUS_IO_TIMEOUT, STATUS_CANCELLED) };
    call_log.expect("a send without a receive", pair.near.cq.wait_for(not_ready), starved);
    call_log.expect("a send behind it", pair.near.cq.wait_for(behind), cancelled);
    wait_event(test, pair.far_connector.object(), "the end of the connection");
    if is_sent {
        wait_event(test, pair.near_connector.object(), "the end of the connection, as its peer tells it");
    }
    let late = test.work("send too late")?;
    let refused = pair.near.qp.send(late.context(), &sges, 0);
    call_log.expect("a send after it", refused, STATUS_CONNECTION_INVALID);
    Ok(())
}

/// WR-2, WR-3, WR-5: sends of no and one byte, inline, silent, and too long for the receive.
pub(super) fn send_shapes(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    pair.exchange(b"")?;
    pair.exchange(b"1")?;
    inline(&pair)?;

    let [receive] = pair.far_receives::<1>()?;
    let silent = test.work("send silently")?;
    let sges = [pair.near_memory.sge(8)];
    let posted = pair.near.qp.send(silent.context(), &sges, NDK_OP_FLAG_SILENT_SUCCESS);
    call_log.expect("post a silent send", posted, STATUS_SUCCESS);
    call_log.expect("receive a silent send", pair.far.cq.wait_for(receive), STATUS_SUCCESS);
    pair.exchange(b"after it")?;
    call_log.require("a silent success has no result", !silent.is_done());

    let short = test.work("receive too little")?;
    let posted = pair.far.qp.receive(short.context(), &[pair.far_memory.sge(4)]);
    call_log.expect("post a short receive", posted, STATUS_SUCCESS);
    let long = test.work("send too much")?;
    let posted = pair.near.qp.send(long.context(), &sges, 0);
    call_log.expect("post a long send", posted, STATUS_SUCCESS);
    let received = pair.far.cq.wait_for(short);
    call_log.expect("a receive that is too short", received, STATUS_BUFFER_OVERFLOW);
    // The sender learns of it or not; it gets a result either way.
    let _ = pair.near.cq.wait_for(long);
    call_log.require("a result for the long send", long.results() == 1);
    Ok(())
}

/// WR-5: inline data needs no token and may change when the post has returned; more than the QP was made
/// for is refused.
fn inline(pair: &ConnectedPair<'_>) -> Result<(), NTSTATUS> {
    let (test, call_log) = (&pair.test, pair.test.call_log());
    let work = test.work("send inline")?;
    let mut data = [0x5a_u8];
    let address = data.as_mut_ptr().addr();
    let sges = [sge(address, 1, 0)];
    let posted = pair.near.qp.send(work.context(), &sges, NDK_OP_FLAG_INLINE);
    call_log.require("more inline data than the QP takes is refused", posted != STATUS_SUCCESS);
    if test.near.info()?.MaxInlineDataSize == 0 {
        return Ok(());
    }
    let near = QpSet::on(test.near, QpDepths { inline: 1, ..QpDepths::SMALL })?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    pair::connect_to(test, pair.listener, (near.qp, b"near"), (far.qp, b"far"))?;
    let memory = Memory::of(test, far, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    let [receive] = post_receives::<1>(test, far, memory)?;
    let posted = near.qp.send(work.context(), &sges, NDK_OP_FLAG_INLINE);
    data = [0];
    call_log.expect("post an inline send", posted, STATUS_SUCCESS);
    call_log.expect("send inline", near.cq.wait_for(work), STATUS_SUCCESS);
    call_log.expect("receive inline data", far.cq.wait_for(receive), STATUS_SUCCESS);
    let mut arrived = [0];
    memory.buffer.take(&mut arrived);
    call_log.require("the inline data of the post", arrived == [0x5a] && data == [0]);
    Ok(())
}
