//! Interrupt moderation.

use sys::ndk::{NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED, NDK_CQ_NOTIFY_ANY};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER_MIX, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};

use super::connected_pair::{ConnectedPair, QUIET, close_and_wait, wait_event};
use crate::test_context::TestContext;

/// Neither an interval nor a count.
const UNLIMITED: u32 = u32::MAX;

/// An interval, in microseconds, over every clock tick: shorter ones may be rounded down to none.
const SHORT: u32 = 50_000;

/// One that is over long after a close that waited for it would have been found.
const LONG: u32 = 60_000_000;

/// CQ-7: a notification is held back until a count is reached or an interval is over, whichever is limited;
/// never by a close.
pub(super) fn moderated(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let cq = pair.far.cq;
    if test.far.info()?.AdapterFlags & NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED == 0 {
        call_log.expect("moderate what can't be", cq.moderate(SHORT, 8), STATUS_NOT_SUPPORTED);
        return Ok(());
    }
    let send = || {
        let [_] = pair.far_receives::<1>()?;
        let work = test.work("send")?;
        let posted = pair.near.qp.send(work.context(), &[pair.near_memory.sge(8)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
        call_log.expect("send", pair.near.cq.wait_for(work), STATUS_SUCCESS);
        Ok::<_, NTSTATUS>(())
    };
    let contradictory = cq.moderate(UNLIMITED, UNLIMITED);
    call_log.expect("no limit at all", contradictory, STATUS_INVALID_PARAMETER_MIX);

    call_log.expect("moderate by a count", cq.moderate(UNLIMITED, 3), STATUS_SUCCESS);
    cq.arm(NDK_CQ_NOTIFY_ANY);
    send()?;
    send()?;
    call_log.require("no notification before the count", !cq.object().event_within(QUIET));
    send()?;
    wait_event(test, cq.object(), "the count is reached");
    while cq.harvest() != 0 {}

    call_log.expect("moderate by an interval", cq.moderate(SHORT, UNLIMITED), STATUS_SUCCESS);
    cq.arm(NDK_CQ_NOTIFY_ANY);
    send()?;
    wait_event(test, cq.object(), "the interval is over");
    while cq.harvest() != 0 {}

    call_log.expect("moderate by a minute", cq.moderate(LONG, UNLIMITED), STATUS_SUCCESS);
    cq.arm(NDK_CQ_NOTIFY_ANY);
    send()?;
    call_log.require("no notification for a minute", !cq.object().event_within(QUIET));
    call_log.expect("moderate no longer", cq.moderate(0, UNLIMITED), STATUS_SUCCESS);
    wait_event(test, cq.object(), "what was held back is let go");
    while cq.harvest() != 0 {}

    call_log.expect("moderate by a minute again", cq.moderate(LONG, UNLIMITED), STATUS_SUCCESS);
    cq.arm(NDK_CQ_NOTIFY_ANY);
    send()?;
    let (far, connector) = (pair.far, pair.far_connector);
    close_and_wait(&[far.cq.object(), far.qp.object(), connector.object()]);
    call_log.require("one notification for each arm but the last", cq.object().events() == 3);
    Ok(())
}

/// CL-3: a CQ is closed at the very moment when a notification that was held back is due. (So it is where an
/// interval is kept by a clock of 64 ticks in a second; elsewhere it is about that moment.)
pub(super) fn closed_when_due(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const TICK: u32 = 15_625;
    const MILLISECONDS: u32 = 10;
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let (far, connector) = (pair.far, pair.far_connector);
    let [_] = pair.far_receives::<1>()?;
    let work = test.work("send")?;
    // Refused or not: a queue that is not moderated is closed while it notifies.
    let _ = far.cq.moderate(TICK + MILLISECONDS * 1000, UNLIMITED);
    far.cq.arm(NDK_CQ_NOTIFY_ANY);
    let posted = pair.near.qp.send(work.context(), &[pair.near_memory.sge(8)], 0);
    call_log.expect("post a send", posted, STATUS_SUCCESS);
    let _ = far.cq.object().event_within(MILLISECONDS);
    close_and_wait(&[connector.object(), far.qp.object(), far.cq.object()]);
    call_log.require("no more than one notification", far.cq.object().events() <= 1);
    Ok(())
}
