//! Private data and disconnecting.

use alloc::vec::Vec;

use sys::ndk::NDK_CONNECTOR;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_PENDING,
    STATUS_SUCCESS,
};

use super::connected_pair::{ConnectedPair, close_and_wait, expect_results, wait_event};
use crate::ndk::{Address, Handle, Inside, QpDepths, ReadLimits};
use crate::number::usize_from;
use crate::pair::{self, Connection, QpSet, READS};
use crate::test_context::TestContext;

/// CM-7, CM-6: without private data the read limits are there all the same.
pub(super) fn no_private_data(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let listener = pair::listen(test)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"")?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let mut limits = ReadLimits { inbound: u32::MAX, outbound: u32::MAX };
    let (status, _) = offer.connection_data(&mut [], &mut limits);
    call_log.expect("ask for the limits alone", status, STATUS_SUCCESS);
    call_log.require("the inbound limit is what the peer asks for", limits.inbound <= READS.outbound);
    call_log.require("the outbound limit is what the peer allows", limits.outbound <= READS.inbound);
    let accepting = offer.accept(far.qp, READS, b"", Inside::Nothing)?;
    connecting.wait()?;
    connector.complete_connect(Inside::Nothing)?.wait()?;
    accepting.wait()?;
    same_addresses(connector, offer);
    Ok(())
}

/// Each side's own address is the other side's peer address.
fn same_addresses(one: Handle<'_, NDK_CONNECTOR>, other: Handle<'_, NDK_CONNECTOR>) {
    for (own, peers) in [(one, other), (other, one)] {
        let ((status, local), (peer_status, peer)) = (own.local_address(), peers.peer_address());
        own.call_log().expect("local address", status, STATUS_SUCCESS);
        own.call_log().expect("peer address", peer_status, STATUS_SUCCESS);
        own.call_log().require("the peer sees the local address", local == peer && local.port() != 0);
    }
}

/// CM-7: the most private data is carried, one byte more is refused, and a buffer that is too small gets
/// what fits.
pub(super) fn private_data_limits(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let (most_near, most_far) = (test.near.info()?.MaxCallerData, test.far.info()?.MaxCalleeData);
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let listener = pair::listen(test)?;

    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let refused = test.near.create_connector()?;
    let too_much = pattern(most_near.saturating_add(1))?;
    let started = refused.connect(near.qp, &from, &to, READS, &too_much, Inside::Nothing)?;
    let status = started.status();
    call_log
        .require("too much private data is refused", status != STATUS_SUCCESS && status != STATUS_PENDING);
    close_and_wait(&[refused.object()]);

    let most = pattern(most_near)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, &most)?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let mut limits = READS;
    let mut small = [0_u8; 4];
    let (status, needed) = offer.connection_data(&mut small, &mut limits);
    call_log.expect("too small a buffer", status, STATUS_BUFFER_TOO_SMALL);
    call_log.require("too small a buffer gets what fits", most.starts_with(&small));
    call_log.require("too small a buffer is told what it takes", needed >= most_near);
    let mut all = pattern(needed)?;
    let (status, _) = offer.connection_data(&mut all, &mut limits);
    call_log.expect("a buffer of the right size", status, STATUS_SUCCESS);
    call_log.require("the most private data arrives", all.starts_with(&most));

    let answer = pattern(most_far)?;
    let accepting = offer.accept(far.qp, READS, &answer, Inside::Nothing)?;
    connecting.wait()?;
    let mut all = pattern(most_far.max(needed))?;
    let (status, _) = connector.connection_data(&mut all, &mut limits);
    call_log.expect("the acceptor's private data", status, STATUS_SUCCESS);
    call_log.require("the acceptor's private data arrives", all.starts_with(&answer));
    connector.complete_connect(Inside::Nothing)?.wait()?;
    accepting.wait()
}

/// Bytes that can be told from each other.
fn pattern(length: u32) -> Result<Vec<u8>, NTSTATUS> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize_from(length)).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
    bytes.extend((1..=u8::MAX).cycle().take(usize_from(length)));
    Ok(bytes)
}

/// CM-1: both sides disconnect without waiting for each other.
pub(super) fn disconnect_both(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let Connection { near: one, far: other } = pair::connect(test, near.qp, far.qp, b"near", b"far")?;
    let started = [one.disconnect(Inside::Nothing)?, other.disconnect(Inside::Nothing)?];
    for started in started {
        started.expect_one_of(&[STATUS_SUCCESS]);
    }
    Ok(())
}

/// CM-1, CM-2, WR-7: the peer's disconnect is an event and no flush; ours completes it for both.
pub(super) fn disconnect_event(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let call_log = test.call_log();
    let works = pair.far_receives::<2>()?;
    let disconnecting = pair.near_connector.disconnect(Inside::Nothing)?;
    wait_event(test, pair.far_connector.object(), "disconnect event");
    call_log.require("the peer's disconnect flushes nothing", pair.far.cq.harvest() == 0);
    pair.far_connector.disconnect(Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    disconnecting.expect_one_of(&[STATUS_SUCCESS]);
    expect_results(test, pair.far, "a receive after the disconnect", &works, &[STATUS_CANCELLED]);
    call_log.require("one disconnect event", pair.far_connector.object().events() == 1);
    Ok(())
}
