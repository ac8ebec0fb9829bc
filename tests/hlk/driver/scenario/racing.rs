//! Closes while another thread works on the same objects, or on their successors and antecedents.
//!
//! The scheduler decides which of the two comes first, so both outcomes are right; either must satisfy the
//! call log's audit: every request and every close completes once, in order.

use sys::ndk::{NDK_CQ_NOTIFY_ANY, NDK_QP};
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_DISCONNECTED,
    STATUS_CONNECTION_INVALID, STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use super::connected_pair::{ConnectedPair, Memory, close_and_wait, expect_results};
use crate::call_log::Object;
use crate::kernel;
use crate::ndk::{Handle, Inside, QpDepths};
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;
use crate::work::Work;

/// The statuses of a request whose connection goes away meanwhile.
const ENDED: [NTSTATUS; 7] = [
    STATUS_SUCCESS,
    STATUS_CANCELLED,
    STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_DISCONNECTED,
    STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED,
    STATUS_IO_TIMEOUT,
];

/// The number of requests that are posted before the race.
const POSTED: usize = 4;

/// Work requests, by their records.
fn works<'l>(test: &TestContext<'l>, step: &'static str) -> Result<[&'l Work; POSTED], NTSTATUS> {
    let first = test.work(step)?;
    let mut works = [first; POSTED];
    for slot in works.iter_mut().skip(1) {
        *slot = test.work(step)?;
    }
    Ok(works)
}

/// Posts sends one after the other; says how many were taken.
fn send_all(qp: Handle<'_, NDK_QP>, memory: Memory<'_>, works: &[&Work]) -> usize {
    let posted = works.iter().map(|work| qp.send(work.context(), &[memory.sge(16)], 0));
    posted.filter(|status| *status == STATUS_SUCCESS).count()
}

fn close_all(objects: &[&Object]) {
    objects.iter().for_each(|object| object.close());
}

/// CL-5, CL-6: antecedents and their successors are closed by two threads at once.
pub(super) fn antecedents(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    pair.far_receives::<2>()?;
    let antecedents = [
        pair.near.cq.object(),
        pair.far.cq.object(),
        pair.near.pd.object(),
        pair.far.pd.object(),
        pair.listener.object(),
    ];
    let successors = [
        pair.near_connector.object(),
        pair.far.qp.object(),
        pair.far_connector.object(),
        pair.near.qp.object(),
        pair.near.mr.object(),
        pair.far.mr.object(),
    ];
    kernel::beside(|| close_all(&antecedents), || close_all(&successors))?;
    close_and_wait(&successors);
    close_and_wait(&antecedents);
    Ok(())
}

/// CL-4, WR-2: both ends of a connection with work on them are closed at once.
pub(super) fn ends(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let receives = pair.far_receives::<2>()?;
    let sends = works(test, "send")?;
    let sent = send_all(pair.near.qp, pair.near_memory, &sends);
    test.call_log().require("sends are posted", sent == POSTED);
    let near = [pair.near_connector.object(), pair.near.qp.object()];
    let far = [pair.far.qp.object(), pair.far_connector.object()];
    kernel::beside(|| close_all(&near), || close_all(&far))?;
    close_and_wait(&near);
    close_and_wait(&far);
    expect_results(test, pair.near, "a send of a closed connection", &sends, &ENDED);
    expect_results(test, pair.far, "a receive of a closed connection", &receives, &ENDED);
    Ok(())
}

/// CL-9, WR-2: a connector is closed while its QP is being posted to; what was taken ends once.
pub(super) fn posts(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    pair.far_receives::<POSTED>()?;
    let sends = works(test, "send")?;
    let connector = pair.near_connector.object();
    let (qp, memory) = (pair.near.qp, pair.near_memory);
    let sent = kernel::beside(|| connector.close(), || send_all(qp, memory, &sends))?;
    close_and_wait(&[connector, qp.object()]);
    let taken = sends.get(..sent).unwrap_or_default();
    expect_results(test, pair.near, "a send of a closing connection", taken, &ENDED);
    Ok(())
}

/// CL-4, WR-2: one side is closed while the other sends to it.
pub(super) fn traffic(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let receives = pair.far_receives::<2>()?;
    let sends = works(test, "send")?;
    let far = [pair.far.qp.object(), pair.far.cq.object(), pair.far_connector.object()];
    let (qp, memory) = (pair.near.qp, pair.near_memory);
    let sent = kernel::beside(|| close_all(&far), || send_all(qp, memory, &sends))?;
    close_and_wait(&[pair.far_connector.object(), pair.far.qp.object()]);
    close_and_wait(&[pair.near_connector.object(), qp.object()]);
    let taken = sends.get(..sent).unwrap_or_default();
    expect_results(test, pair.near, "a send to a closing side", taken, &ENDED);
    // Its CQ is closed: the results of these are gone with it.
    test.call_log()
        .require("no result comes after a CQ's close", receives.iter().all(|work| !work.is_done()));
    close_and_wait(&[pair.far.cq.object()]);
    Ok(())
}

/// CL-7: a listener is closed while a peer connects: the connect is refused, or its connector here is closed.
pub(super) fn listener(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let connecting =
        kernel::beside(|| listener.object().close(), || pair::start_connect(test, near.qp, b"near"))?;
    let (_, connecting) = connecting?;
    if let Ok(offer) = call_log.take_connect_event(listener.object(), connecting) {
        close_and_wait(&[offer]);
    }
    connecting.expect_one_of(&[STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED]);
    call_log.require("the listener's close completes", listener.object().wait_closed());
    Ok(())
}

/// CL-4, CM-1: a connector is closed while the peer accepts it.
pub(super) fn accept(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer = Handle::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let accepting = kernel::beside(
        || connector.object().close(),
        || offer.accept(far.qp, READS, b"far", Inside::Nothing),
    )?;
    close_and_wait(&[connector.object()]);
    connecting.expect_one_of(&ENDED);
    accepting?.expect_one_of(&ENDED);
    close_and_wait(&[offer.object(), listener.object()]);
    Ok(())
}

/// CM-1, CM-2: one side disconnects while the other is closed.
pub(super) fn disconnect(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let receives = pair.far_receives::<2>()?;
    let far = pair.far_connector.object();
    let near = pair.near_connector;
    let disconnecting = kernel::beside(|| far.close(), || near.disconnect(Inside::Close))?;
    disconnecting?.expect_one_of(&ENDED);
    close_and_wait(&[near.object(), far]);
    pair.far.qp.flush();
    expect_results(test, pair.far, "a receive of a closed connection", &receives, &ENDED);
    Ok(())
}

/// CL-3: a CQ and what uses it are closed while sends that it is armed for arrive.
pub(super) fn notification(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    pair.far_receives::<POSTED>()?;
    pair.far.cq.arm(NDK_CQ_NOTIFY_ANY);
    pair.near.cq.arm(NDK_CQ_NOTIFY_ANY);
    let sends = works(test, "send")?;
    let far = [pair.far.cq.object(), pair.far_connector.object(), pair.far.qp.object()];
    let (qp, memory) = (pair.near.qp, pair.near_memory);
    let sent = kernel::beside(|| close_all(&far), || send_all(qp, memory, &sends))?;
    close_and_wait(&far);
    close_and_wait(&[pair.near_connector.object(), qp.object()]);
    let taken = sends.get(..sent).unwrap_or_default();
    expect_results(test, pair.near, "a send to a closing side", taken, &ENDED);
    Ok(())
}
