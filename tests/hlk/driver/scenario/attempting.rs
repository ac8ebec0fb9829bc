//! Connections that are asked for once more, or too often, and what of that leaves a trace.

use sys::ndk::NDK_CONNECTOR;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED, STATUS_PENDING, STATUS_SHARING_VIOLATION, STATUS_SUCCESS,
};

use protocol::{Difference, Level};

use super::connected_pair::{
    ConnectedPair, MEMORY, Memory, close_and_wait, expect_results, post_receives, wait_event,
};
use crate::kernel;
use crate::ndk::{Address, Handle, Inside, QpDepths};
use crate::pair::{self, Connection, QpSet, READS};
use crate::test_context::TestContext;

/// The statuses of a request that a connection does not admit.
const REFUSED: [NTSTATUS; 2] = [STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID];

/// CM-3, OBJ-2: a second accept, with another QP, fails and changes nothing: the first QP is the connector's, and is
/// what a disconnect flushes.
pub(super) fn accept_again(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let works = pair.far_receives::<1>()?;
    let spare = QpSet::on(test.far, QpDepths::SMALL)?;
    let spare_works = post_receives::<1>(test, spare, Memory::of(test, spare, 1)?)?;
    pair.far_connector.accept(spare.qp, READS, b"", Inside::Nothing)?.expect_one_of(&REFUSED);
    pair.far_connector.disconnect(Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    expect_results(test, pair.far, "a receive of the first QP", &works, &[STATUS_CANCELLED]);
    call_log.require("the second QP is left alone", spare.cq.harvest() == 0);
    spare.qp.object().close();
    call_log.require("the second QP waits for no connector", spare.qp.object().wait_closed());
    expect_results(test, spare, "a receive of the second QP", &spare_works, &[STATUS_CANCELLED]);
    pair.far.qp.object().close();
    call_log.require("the first QP waits for its connector", !pair.far.qp.object().is_closed());
    Ok(())
}

/// RQ-2, CM-1: two threads disconnect one connector: each call that pends is completed once, one at least succeeds.
pub(super) fn disconnect_twice(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    pair.far_receives::<2>()?;
    let one = pair.near_connector;
    let works = [test.work("send")?, test.work("send")?];
    for work in works {
        let posted = pair.near.qp.send(work.context(), &[pair.near_memory.sge(MEMORY)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
    }
    let mut other = None;
    let own = kernel::beside(
        || other = Some(one.disconnect(Inside::Nothing).map(|started| started.status())),
        || one.disconnect(Inside::Nothing).map(|started| started.status()),
    )??;
    let other = other.unwrap_or(Err(STATUS_PENDING))?;
    for status in [own, other] {
        call_log.expect_one_of("disconnect", status, &[STATUS_SUCCESS, STATUS_CONNECTION_INVALID]);
    }
    call_log.require("one of two disconnects succeeds", own == STATUS_SUCCESS || other == STATUS_SUCCESS);
    Ok(())
}

/// CM-4, CL-12: a connector connects again as soon as its peer has left: the new connection has its address, whatever
/// is still on its way of the one before.
pub(super) fn connect_again(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let (first, second) = (QpSet::on(test.far, QpDepths::SMALL)?, QpSet::on(test.far, QpDepths::SMALL)?);
    let (connector, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let accepting = offer.accept(first.qp, READS, b"far", Inside::Nothing)?;
    connecting.wait()?;
    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let leaving = offer.object();
    let again = kernel::beside(
        || leaving.close(),
        || {
            if connector.complete_connect(Inside::Nothing)?.status() == STATUS_SUCCESS {
                return Ok(None);
            }
            connector.connect(near.qp, &from, &to, READS, b"again", Inside::Nothing).map(Some)
        },
    )??;
    accepting.expect_one_of(&[STATUS_SUCCESS, STATUS_CANCELLED]);
    // Where the connect was completed before the peer left, there is nothing to try again.
    let Some(again) = again else { return Ok(()) };
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), again)?);
    let (status, local) = connector.local_address();
    call_log.expect("the address of the second attempt", status, STATUS_SUCCESS);
    let taken = test.near.create_listener()?.listen(&Address::of(&local), Inside::Nothing)?.status();
    call_log.expect("listen on the address of the second attempt", taken, STATUS_SHARING_VIOLATION);
    let accepting = offer.accept(second.qp, READS, b"far", Inside::Nothing)?;
    again.wait()?;
    connector.complete_connect(Inside::Nothing)?.wait()?;
    accepting.wait()
}

/// CM-1, WR-7: NdkDisconnect of a connection that never came about fails, and the QP can be connected.
pub(super) fn disconnect_unconnected(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    post_receives::<1>(test, near, Memory::of(test, near, 1)?)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"")?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    call_log.expect("reject", offer.reject(b""), STATUS_SUCCESS);
    call_log.expect("connect, and be rejected", connecting.status(), STATUS_CONNECTION_REFUSED);
    for end in [connector, offer] {
        let status = end.disconnect(Inside::Nothing)?.status();
        call_log.expect("disconnect what is not connected", status, STATUS_CONNECTION_INVALID);
    }
    call_log.require("the QP is left alone", near.cq.harvest() == 0);
    close_and_wait(&[connector.object(), offer.object()]);
    pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far")).map(drop)
}

/// CL-4, WR-7: after the peer's disconnect, which flushes nothing here, closing the connector flushes its QP.
pub(super) fn close_after_disconnect(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let works = pair.far_receives::<2>()?;
    pair.near_connector.disconnect(Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    wait_event(test, pair.far_connector.object(), "disconnect event");
    call_log.require("the peer's disconnect flushes nothing", pair.far.cq.harvest() == 0);
    close_and_wait(&[pair.far_connector.object()]);
    expect_results(test, pair.far, "a receive after the connector's close", &works, &[STATUS_CANCELLED]);
    Ok(())
}

/// CM-5: a listener that pauses refuses the connect that has arrived and was not shown.
pub(super) fn pause_with_offers(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let connector = test.near.create_connector()?;
    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let level = call_log.level();
    // In one DPC, which no other one of this processor interrupts.
    let connecting = kernel::at(Level::Dispatch, || {
        call_log.call_from(Level::Passive);
        let connecting = connector.connect(near.qp, &from, &to, READS, b"", Inside::Nothing);
        listener.control_connect_events(true);
        call_log.call_from(level);
        connecting
    })?;
    // Over TCP it arrives on another processor, maybe before the pause, and is shown then.
    let mut shown = 0;
    if test.differs(Difference::ConnectOnItsWay)
        && let Ok(offer) = call_log.take_connect_event(listener.object(), connecting)
    {
        shown = 1;
        call_log.expect("reject", Handle::<NDK_CONNECTOR>::new(call_log, offer).reject(b""), STATUS_SUCCESS);
    }
    call_log.expect("connect, and the listener pauses", connecting.status(), STATUS_CONNECTION_REFUSED);
    call_log.require("no connect event behind the pause", listener.object().events() == shown);
    listener.control_connect_events(false);
    close_and_wait(&[connector.object()]);
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let connected = pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far"));
    call_log.require("one connect event", listener.object().events() == shown.saturating_add(1));
    connected.map(drop)
}

/// OBJ-2, CL-5, VER-2: connectors and the QPs that they connect and accept with are of different openings of an
/// adapter, and closing keeps their order.
pub(super) fn openings(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let (near_again, far_again) = (test.open_again(&test.near_end)?, test.open_again(&test.far_end)?);
    let near = QpSet::on(near_again, QpDepths::SMALL)?;
    let far = QpSet::on(far_again, QpDepths::SMALL)?;
    let listener = pair::listen(test)?;
    let Connection { near: one, far: other } =
        pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far"))?;
    let (source, sink) = (Memory::of(test, near, 0)?, Memory::of(test, far, 1)?);
    let [receive] = post_receives::<1>(test, far, sink)?;
    let send = test.work("send")?;
    let posted = near.qp.send(send.context(), &[source.sge(16)], 0);
    call_log.expect("post a send", posted, STATUS_SUCCESS);
    call_log.expect("send", near.cq.wait_for(send), STATUS_SUCCESS);
    call_log.expect("receive", far.cq.wait_for(receive), STATUS_SUCCESS);
    far.qp.object().close();
    call_log.require("the QP waits for the connector of the other opening", !far.qp.object().is_closed());
    close_and_wait(&[other.object(), far.qp.object(), listener.object()]);
    close_and_wait(&[one.object(), near.qp.object()]);
    Ok(())
}
