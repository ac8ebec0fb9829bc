//! Connections that do not come about.

use protocol::Endpoint;
use sys::ndk::NDK_CONNECTOR;
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_REFUSED, STATUS_HOST_UNREACHABLE, STATUS_INVALID_ADDRESS, STATUS_IO_TIMEOUT,
    STATUS_NETWORK_UNREACHABLE, STATUS_SUCCESS,
};

use super::connected_pair::{close_and_wait, expect_refused};
use crate::ndk::{Address, Handle, Inside, QpDepths};
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// A port that is no listener's.
const NAMED: u16 = 4791;

/// CM-4, CL-12: a rejected connect is refused and gives its port back, and the rejecting side's private data comes
/// with it.
pub(super) fn reject(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let mut named = *test;
    named.near_end = test.near_end.with_port(NAMED);
    let (connector, connecting) = pair::start_connect(&named, near.qp, b"near")?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    pair::expect_data(offer, b"near", "private data of the connector");
    call_log.expect("reject", offer.reject(b"not today"), STATUS_SUCCESS);
    call_log.expect("connect, and be rejected", connecting.status(), STATUS_CONNECTION_REFUSED);
    pair::expect_data(connector, b"not today", "private data of the rejection");
    // The port of a refused connect is free while its connector is open (CL-12).
    let there = test.near.create_listener()?;
    let listening = there.listen(&Address::of(&named.near_end), Inside::Nothing)?.status();
    call_log.expect("listen on the port of a refused connect", listening, STATUS_SUCCESS);
    close_and_wait(&[connector.object(), offer.object(), there.object()]);
    // One rejection is not the end of the listener.
    let (_, connecting) = pair::start_connect(test, near.qp, b"again")?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    call_log.expect("reject without data", offer.reject(b""), STATUS_SUCCESS);
    call_log.expect("connect again, and be rejected", connecting.status(), STATUS_CONNECTION_REFUSED);
    Ok(())
}

/// CM-4: statuses of addresses that can't be listened on or connected to.
pub(super) fn bad_address(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let foreign = foreign(&test.near_end);

    let listener = test.far.create_listener()?;
    let listening = listener.listen(&Address::of(&foreign), Inside::Nothing)?;
    call_log.expect("listen on a foreign address", listening.status(), STATUS_INVALID_ADDRESS);

    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let connect = |from: &Address, to: &Address| {
        let connector = test.near.create_connector()?;
        let status = connector.connect(near.qp, from, to, READS, b"", Inside::Nothing)?.status();
        close_and_wait(&[connector.object()]);
        Ok::<_, NTSTATUS>(status)
    };
    let status = connect(&Address::of(&foreign), &to)?;
    call_log.expect("connect from a foreign address", status, STATUS_INVALID_ADDRESS);
    let unreachable =
        [STATUS_HOST_UNREACHABLE, STATUS_NETWORK_UNREACHABLE, STATUS_IO_TIMEOUT, STATUS_CONNECTION_REFUSED];
    let status = connect(&from, &Address::of(&foreign.with_port(445)))?;
    call_log.expect_one_of("connect to an address that is not there", status, &unreachable);
    let status = connect(&from, &to)?;
    call_log.expect("connect to an address without a listener", status, STATUS_CONNECTION_REFUSED);

    // Port 0 asks for one of the dynamic range.
    let any = test.far.create_listener()?;
    any.listen(&Address::of(&test.far_end.with_port(0)), Inside::Nothing)?.wait()?;
    let (status, chosen) = any.local_address();
    call_log.expect("ask for the chosen port", status, STATUS_SUCCESS);
    call_log.require("the port is of the dynamic range", chosen.port() >= 49152);
    Ok(())
}

/// An address of the same family that no adapter has: of a network reserved for documentation
/// (RFC 5737, RFC 3849).
fn foreign(end: &Endpoint) -> Endpoint {
    const IPV4: core::net::Ipv4Addr = core::net::Ipv4Addr::new(192, 0, 2, 77);
    const IPV6: core::net::Ipv6Addr = core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77);
    let address = if end.address_length == 16 { IPV4.into() } else { IPV6.into() };
    Endpoint::new(end.if_index, address, 0)
}

/// CM-5: while its connect events are paused, a listener refuses connects like an address without a listener.
pub(super) fn paused_listener(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    listener.control_connect_events(true);
    expect_refused(test, "connect to a paused listener")?;
    call_log.require("no connect event while paused", listener.object().events() == 0);
    listener.control_connect_events(false);
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far")).map(drop)
}
