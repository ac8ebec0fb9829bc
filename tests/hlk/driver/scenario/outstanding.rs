//! Closes with requests outstanding: the close ends them, the consumer need not.

use protocol::Difference;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use super::connected_pair::{ConnectedPair, close_and_wait, expect_results, wait_event};
use crate::ndk::{Handle, Inside, QpDepths};
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// CL-4, WR-2: each posted receive is cancelled, with one result.
pub(super) fn receives(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let works = pair.far_receives::<4>()?;
    close_and_wait(&[pair.far_connector.object(), pair.far.qp.object()]);
    expect_results(test, pair.far, "a receive of a closed QP", &works, &[STATUS_CANCELLED]);
    Ok(())
}

/// CL-4, WR-2: each send that no receive awaits ends, with one result.
pub(super) fn sends(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let call_log = test.call_log();
    let works = [test.work("send")?, test.work("send")?, test.work("send")?];
    for work in works {
        let posted = pair.near.qp.send(work.context(), &[pair.near_memory.sge(16)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
    }
    close_and_wait(&[pair.near_connector.object(), pair.near.qp.object()]);
    // On iWARP a send is a success once its bytes are on their way.
    let statuses = [STATUS_CANCELLED, STATUS_IO_TIMEOUT, STATUS_CONNECTION_ABORTED, STATUS_SUCCESS];
    expect_results(test, pair.near, "a send of a closed QP", &works, &statuses);
    Ok(())
}

/// CL-4: a connector is closed while its connect waits for an answer.
pub(super) fn connect(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer = call_log.take_connect_event(listener.object(), connecting)?;
    close_and_wait(&[connector.object()]);
    connecting.expect_one_of(&[STATUS_CANCELLED, STATUS_CONNECTION_ABORTED]);
    let accepted = Handle::new(call_log, offer).accept(far.qp, READS, b"far", Inside::Nothing)?;
    accepted.expect_one_of(&[STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT]);
    close_and_wait(&[offer]);
    Ok(())
}

/// CL-4: a connector is closed while its accept waits for the peer to complete.
pub(super) fn accept(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer = call_log.take_connect_event(listener.object(), connecting)?;
    let accepted = Handle::new(call_log, offer).accept(far.qp, READS, b"far", Inside::Nothing)?;
    connecting.wait()?;
    close_and_wait(&[offer]);
    accepted.expect_one_of(&[STATUS_CANCELLED, STATUS_CONNECTION_ABORTED]);
    let completed = connector.complete_connect(Inside::Nothing)?;
    if test.differs(Difference::EndOnItsWay) && completed.status() == STATUS_SUCCESS {
        wait_event(test, connector.object(), "the end of a connection whose peer had gone");
        return Ok(());
    }
    completed.expect_one_of(&[STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID, STATUS_IO_TIMEOUT]);
    Ok(())
}
