//! Two threads that race on the provider's atomics: the action of one depends on the other's progress.
//!
//! The scheduler decides which of the two comes first, as in `racing`; but here one outcome must hold in any
//! order.

use sys::ndk::NDK_CQ_NOTIFY_ERRORS;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_DISCONNECTED,
    STATUS_CONNECTION_INVALID, STATUS_SUCCESS,
};

use super::connected_pair::{ConnectedPair, close_and_wait, expect_results, wait_event};
use crate::kernel;
use crate::ndk::{Handle, Inside, QpDepths};
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;
use crate::work::Work;

/// Final statuses of a request whose connection is ended meanwhile.
const ENDED: [NTSTATUS; 5] = [
    STATUS_SUCCESS,
    STATUS_CANCELLED,
    STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_DISCONNECTED,
    STATUS_CONNECTION_INVALID,
];

/// Initiator requests that a QP of [`QpDepths::SMALL`] holds.
const FULL: usize = 8;

/// Polls in search of a result that may not come while they last.
const POLLS: usize = 50;

/// CL-4, CM-2: a QP is closed while its connect is completed. If both sides' requests succeed, the connection was
/// there, and the peer is told of its end.
pub(super) fn close_and_complete(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer = Handle::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let accepting = offer.accept(far.qp, READS, b"far", Inside::Nothing)?;
    connecting.wait()?;
    let completing =
        kernel::beside(|| near.qp.object().close(), || connector.complete_connect(Inside::Nothing))?;
    let completed = completing?.status();
    call_log.expect_one_of("complete connect of a QP that is closed", completed, &ENDED);
    if completed != STATUS_SUCCESS {
        // Until then the accept waits for another attempt to complete the connect.
        close_and_wait(&[connector.object(), near.qp.object()]);
    }
    let accepted = accepting.status();
    call_log.expect_one_of("accept of a QP that is closed", accepted, &ENDED);
    if completed == STATUS_SUCCESS && accepted == STATUS_SUCCESS {
        wait_event(test, offer.object(), "disconnect event after the close of the peer's QP");
    }
    close_and_wait(&[connector.object(), near.qp.object(), offer.object(), listener.object()]);
    Ok(())
}

/// CL-9, WR-2: where there is the result of a request, there is room for another one.
pub(super) fn result_and_post(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let (qp, cq, memory) = (pair.near.qp, pair.near.cq, pair.near_memory);
    let first = test.work("send")?;
    let mut sends: [&Work; FULL] = [first; FULL];
    for slot in sends.iter_mut().skip(1) {
        *slot = test.work("send")?;
    }
    for send in sends {
        call_log.expect("fill the queue", qp.send(send.context(), &[memory.sge(16)], 0), STATUS_SUCCESS);
    }
    let mut more: [&Work; FULL] = [first; FULL];
    for slot in &mut more {
        *slot = test.work("send as soon as there is a result")?;
    }
    let mut more = more.into_iter();
    let receive = test.work("receive")?;
    let mut receives: [&Work; FULL] = [receive; FULL];
    for slot in receives.iter_mut().skip(1) {
        *slot = test.work("receive")?;
    }
    let (far, far_memory) = (pair.far.qp, pair.far_memory);
    // Each receive lets a send go on, in this thread; one preemption between the send's result and the end of the
    // request is enough for the other thread to meet it.
    kernel::beside(
        move || {
            for _ in 0..POLLS {
                for send in more.by_ref().take(cq.harvest()) {
                    let status = qp.send(send.context(), &[memory.sge(16)], 0);
                    call_log.expect("post where there is a result", status, STATUS_SUCCESS);
                }
            }
        },
        || {
            for receive in receives {
                let status = far.receive(receive.context(), &[far_memory.sge(16)]);
                call_log.expect("receive for a send", status, STATUS_SUCCESS);
            }
        },
    )?;
    close_and_wait(&[pair.near_connector.object(), qp.object()]);
    expect_results(test, pair.near, "a send of a full queue", &sends, &ENDED);
    Ok(())
}

/// CL-3, CQ-3: a CQ is armed for errors while its first one comes: there is one notification.
pub(super) fn error_and_arm(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let receives = pair.far_receives::<1>()?;
    let (qp, cq) = (pair.far.qp, pair.far.cq);
    kernel::beside(|| cq.arm(NDK_CQ_NOTIFY_ERRORS), || qp.flush())?;
    wait_event(test, cq.object(), "notification of an error that came while the CQ was armed");
    test.call_log().require("one notification for an arm", cq.object().events() == 1);
    expect_results(test, pair.far, "a receive that was flushed", &receives, &[STATUS_CANCELLED]);
    Ok(())
}
