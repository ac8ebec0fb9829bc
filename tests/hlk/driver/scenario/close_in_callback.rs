//! Objects that are closed from inside their own callbacks.

use sys::ndk::{NDK_CQ_NOTIFY_ANY, NDK_MR_FLAG_ALLOW_LOCAL_READ};
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use super::connected_pair::{
    ConnectedPair, MEMORY, close_and_wait, expect_refused, post_receives, wait_event,
};
use crate::call_log::Reaction;
use crate::interface::Interface;
use crate::ndk::{Address, CqDepth, Creation, Handle, Inside, QpDepths, Then};
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// CL-8, RQ-3: every kind of object, closed in its create completion (or at once, if the create did not
/// pend).
pub(super) fn create(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let adapter = test.near;
    let cq = adapter.create_cq(CqDepth(16))?;
    let pd = adapter.create_pd()?;
    finish(adapter.start_cq(CqDepth(16), Then::CloseInside)?)?;
    finish(adapter.start_pd(Then::CloseInside)?)?;
    finish(adapter.start_connector(Then::CloseInside)?)?;
    finish(adapter.start_listener(Then::CloseInside)?)?;
    finish(pd.start_mr(Then::CloseInside)?)?;
    finish(pd.start_qp(cq, QpDepths::SMALL, Then::CloseInside)?)
}

fn finish<T: Interface>(creation: Creation<'_, T>) -> Result<(), NTSTATUS> {
    creation.started().wait()?;
    close_and_wait(&[creation.object()]);
    Ok(())
}

/// CL-3, CL-8: a listener closed in its listen completion, an MR in its registration's.
pub(super) fn request(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let listener = test.far.create_listener()?;
    listener.listen(&Address::of(&test.far_end), Inside::Close)?.wait()?;
    let qp_set = QpSet::on(test.near, QpDepths::SMALL)?;
    let buffer = test.buffer(MEMORY)?;
    let registered = qp_set.mr.register(buffer.mdl(), MEMORY, NDK_MR_FLAG_ALLOW_LOCAL_READ, Inside::Close)?;
    registered.wait()?;
    close_and_wait(&[listener.object(), qp_set.mr.object()]);
    let mr = qp_set.pd.create_mr()?;
    mr.register(buffer.mdl(), MEMORY, NDK_MR_FLAG_ALLOW_LOCAL_READ, Inside::Nothing)?.wait()?;
    mr.deregister(Inside::Close)?.wait()?;
    close_and_wait(&[mr.object()]);
    // The address is free again, as the listener is gone.
    pair::listen(test).map(drop)
}

/// CL-8: a connector closed in the completion of a connect that was refused, and of one that was not.
pub(super) fn connect(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let refused = test.near.create_connector()?;
    let started = refused.connect(near.qp, &from, &to, READS, b"", Inside::Close)?;
    call_log.expect("connect to an address without a listener", started.status(), STATUS_CONNECTION_REFUSED);
    close_and_wait(&[refused.object()]);

    let listener = pair::listen(test)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let connector = test.near.create_connector()?;
    let connecting = connector.connect(near.qp, &from, &to, READS, b"near", Inside::Close)?;
    let offer = call_log.take_connect_event(listener.object(), connecting)?;
    let accepted = Handle::new(call_log, offer).accept(far.qp, READS, b"far", Inside::Nothing)?;
    connecting.expect_one_of(&[STATUS_SUCCESS]);
    close_and_wait(&[connector.object()]);
    accepted.expect_one_of(&[STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT]);
    Ok(())
}

/// CL-7, CL-8: a connector that is closed in its connect event refuses the connect request.
pub(super) fn connect_event(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let listener = pair::listen(test)?;
    listener.object().react(Reaction::Close);
    expect_refused(test, "connect, and the offer is closed")?;
    expect_refused(test, "connect again, and the offer is closed")?;
    test.call_log().require("a connect event for each", listener.object().events() == 2);
    Ok(())
}

/// CL-8, CM-2: connectors closed in the disconnect completion and in the disconnect event.
pub(super) fn disconnect(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    pair.far_connector.object().react(Reaction::Close);
    let disconnected = pair.near_connector.disconnect(Inside::Close)?;
    disconnected.expect_one_of(&[STATUS_SUCCESS, STATUS_CONNECTION_ABORTED, STATUS_IO_TIMEOUT]);
    wait_event(test, pair.far_connector.object(), "disconnect event");
    close_and_wait(&[pair.near_connector.object(), pair.far_connector.object()]);
    Ok(())
}

/// CL-3: a CQ closed in its own notification; its QP holds it until that is closed.
pub(super) fn notification(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let call_log = test.call_log();
    post_receives::<1>(test, pair.far, pair.far_memory)?;
    pair.far.cq.object().react(Reaction::Close);
    pair.far.cq.arm(NDK_CQ_NOTIFY_ANY);
    let send = test.work("send")?;
    let posted = pair.near.qp.send(send.context(), &[pair.near_memory.sge(8)], 0);
    call_log.expect("post a send", posted, STATUS_SUCCESS);
    wait_event(test, pair.far.cq.object(), "notification");
    call_log.require("the CQ's close pends while its QP lives", !pair.far.cq.object().is_closed());
    call_log.expect("send", pair.near.cq.wait_for(send), STATUS_SUCCESS);
    close_and_wait(&[pair.far_connector.object(), pair.far.qp.object(), pair.far.cq.object()]);
    Ok(())
}
