//! Resources that several connections share: a receive queue, an address; and memory without a region.

use protocol::Difference;
use sys::ndk::{NDK_CONNECTOR, NDK_CQ_NOTIFY_ANY, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_OP_FLAG_SILENT_SUCCESS};
use sys::status::{
    NTSTATUS, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CANCELLED, STATUS_SHARING_VIOLATION, STATUS_SUCCESS,
};

use super::access::expect_refused_write;
use super::connected_pair::{ConnectedPair, MEMORY, Memory, QUIET, close_and_wait, wait_event};
use crate::ndk::{Address, CqDepth, Handle, Inside, QpDepths, Remote, Then, mapping_length, sge};
use crate::number::usize_from;
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// WR-9, CL-5: two QPs take their receives from one queue, which says when few are left and outlives
/// neither QP.
pub(super) fn receives(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let cq = test.far.create_cq(CqDepth(32))?;
    let pd = test.far.create_pd()?;
    let srq = pd.start_srq(4, 2, Then::Keep)?.wait()?;
    let mr = pd.create_mr()?;
    let qp_set =
        || Ok::<_, NTSTATUS>(QpSet { cq, pd, qp: pd.create_qp_with_srq(cq, srq, QpDepths::SMALL)?, mr });
    let qp_sets = [qp_set()?, qp_set()?];
    let [one, _] = qp_sets;
    let memory = Memory::of(test, one, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    let works = [test.work("receive")?, test.work("receive")?, test.work("receive")?];
    for work in works {
        call_log.expect(
            "post a shared receive",
            srq.receive(work.context(), &[memory.sge(64)]),
            STATUS_SUCCESS,
        );
    }
    let [first, second, left] = works;
    for (qp_set, receive) in qp_sets.into_iter().zip([first, second]) {
        let near = QpSet::on(test.near, QpDepths::SMALL)?;
        pair::connect_to(test, listener, (near.qp, b"near"), (qp_set.qp, b"far"))?;
        let source = Memory::of(test, near, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
        let send = test.work("send")?;
        let posted = near.qp.send(send.context(), &[source.sge(16)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
        call_log.expect("receive from the shared queue", cq.wait_for(receive), STATUS_SUCCESS);
    }
    wait_event(test, srq.object(), "SRQ notification");
    call_log.require("a receive without a message is still posted", !left.is_done());
    srq.object().close();
    call_log.require("the SRQ's close pends while its QPs live", !srq.object().is_closed());
    Ok(())
}

/// WR-9: messages that find the shared queue empty take its receives in the order in which they began to wait, one
/// each; a QP that is closed while it waits takes none. Over TCP it is not the sends that wait, and they may come in any order.
pub(super) fn waiters(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    // Bytes of the messages.
    const FIRST: u8 = 1;
    const LAST: u8 = 3;
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let cq = test.far.create_cq(CqDepth(32))?;
    let pd = test.far.create_pd()?;
    let srq = pd.start_srq(4, 0, Then::Keep)?.wait()?;
    let mr = pd.create_mr()?;
    let is_sent = test.differs(Difference::SendUnreceived);
    let wait = |step, value| {
        let far = QpSet { cq, pd, qp: pd.create_qp_with_srq(cq, srq, QpDepths::SMALL)?, mr };
        let near = QpSet::on(test.near, QpDepths::SMALL)?;
        let connection = pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far"))?;
        let source = Memory::of(test, near, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
        source.buffer.fill(value, 16);
        let send = test.work(step)?;
        call_log.expect(step, near.qp.send(send.context(), &[source.sge(16)], 0), STATUS_SUCCESS);
        if is_sent {
            call_log.expect(step, near.cq.wait_for(send), STATUS_SUCCESS);
        }
        near.cq.arm(NDK_CQ_NOTIFY_ANY);
        call_log.require("a message waits for a receive", !near.cq.object().event_within(QUIET));
        Ok::<_, NTSTATUS>((near, far, send, connection.near))
    };
    let first = wait("send first", FIRST)?;
    let closed = wait("send to a QP that is closed", 2)?;
    let last = wait("send last", LAST)?;
    closed.1.qp.object().close();
    if is_sent {
        wait_event(test, closed.3.object(), "the end of a connection whose QP is closed");
    } else {
        call_log.expect("a send to a QP that is closed", closed.0.cq.wait_for(closed.2), STATUS_CANCELLED);
    }

    let memory = Memory::of(test, first.1, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    let receive = || {
        let work = test.work("receive for one that waits")?;
        let posted = srq.receive(work.context(), &[memory.sge(64)]);
        call_log.expect("post a shared receive", posted, STATUS_SUCCESS);
        Ok::<_, NTSTATUS>(work)
    };
    let one = receive()?;
    call_log.expect("the first that waits", first.0.cq.wait_for(first.2), STATUS_SUCCESS);
    call_log.expect("its receive", cq.wait_for(one), STATUS_SUCCESS);
    let is_first = memory.buffer.holds(FIRST, 16);
    call_log.require("the message that waits", is_first || is_sent && memory.buffer.holds(LAST, 16));
    call_log.require("one receive serves one", !last.0.cq.object().event_within(QUIET));
    let two = receive()?;
    call_log.expect("the last that waits", last.0.cq.wait_for(last.2), STATUS_SUCCESS);
    call_log.expect("its receive", cq.wait_for(two), STATUS_SUCCESS);
    let other = if is_first { LAST } else { FIRST };
    call_log.require("the other message that waits", memory.buffer.holds(other, 16));
    let left = receive()?;
    call_log.require("nothing waits any more", !left.is_done());
    Ok(())
}

/// CL-12, CL-5: connections from one address, which is taken until the last of them is closed.
pub(super) fn address(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const TAKEN: [NTSTATUS; 2] = [STATUS_SHARING_VIOLATION, STATUS_ADDRESS_ALREADY_EXISTS];
    const PORT: u16 = 6000;
    let call_log = test.call_log();
    let (own, to) = (Address::of(&test.near_end.with_port(PORT)), Address::of(&test.far_end));
    let endpoint = test.near.start_shared_endpoint(&own, Then::Keep)?.wait()?;
    let (status, shared) = endpoint.local_address();
    call_log.expect("the shared address", status, STATUS_SUCCESS);
    call_log.require("the shared port", shared.port() == PORT);
    let second = test.near.start_shared_endpoint(&own, Then::Keep)?;
    call_log.expect_one_of("share an address twice", second.started().status(), &TAKEN);

    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let connector = test.near.create_connector()?;
    let connecting = connector.connect_from(near.qp, endpoint, &to, READS, b"near")?;
    let accepted =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let accepting = accepted.accept(far.qp, READS, b"far", Inside::Nothing)?;
    connecting.wait()?;
    connector.complete_connect(Inside::Nothing)?.wait()?;
    accepting.wait()?;
    let (status, local) = connector.local_address();
    call_log.expect("local address", status, STATUS_SUCCESS);
    call_log.require("the connection comes from the shared port", local.port() == PORT);

    endpoint.object().close();
    call_log.require("the endpoint's close pends", !endpoint.object().is_closed());
    let third = test.near.start_shared_endpoint(&own, Then::Keep)?;
    call_log.expect_one_of("share an address in use", third.started().status(), &TAKEN);
    close_and_wait(&[connector.object(), endpoint.object()]);
    let fourth = test.near.start_shared_endpoint(&own, Then::Keep)?;
    call_log.expect("share an address that is free again", fourth.started().status(), STATUS_SUCCESS);
    Ok(())
}

/// WR-8: the privileged token reaches memory by logical addresses, on this side only.
pub(super) fn privileged_memory(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    // So short, and so aligned, that it lies within one page.
    const DATA: &[u8; usize_from(LENGTH)] = b"logical address!";
    const LENGTH: u32 = 16;
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let buffer = test.buffer(MEMORY)?;
    buffer.put(DATA);
    let mapping = test.near.map(buffer.mdl(), MEMORY, test.buffer(mapping_length(2))?)?;
    let token = pair.near.pd.privileged_token();
    let [receive] = pair.far_receives::<1>()?;
    let send = test.work("send privileged")?;
    let sges = [sge(mapping.address()?, LENGTH, token)];
    let posted = pair.near.qp.send(send.context(), &sges, NDK_OP_FLAG_SILENT_SUCCESS);
    call_log.expect("post a privileged send", posted, STATUS_SUCCESS);
    call_log.expect("receive it", pair.far.cq.wait_for(receive), STATUS_SUCCESS);
    let mut arrived = [0; usize_from(LENGTH)];
    pair.far_memory.buffer.take(&mut arrived);
    call_log.require("the bytes behind the logical address", &arrived == DATA);
    drop(mapping);

    let [receive] = pair.far_receives::<1>()?;
    let to = Remote { token: pair.far.pd.privileged_token(), ..pair.far_memory.remote(0) };
    expect_refused_write(&pair, "write by the privileged token", &[pair.near_memory.sge(16)], to)?;
    call_log.expect("the far side's receive", pair.far.cq.wait_for(receive), STATUS_CANCELLED);
    Ok(())
}
