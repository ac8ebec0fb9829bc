//! End of an established connection, from either side and in either order (CM-1, CM-2, WR-7).

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::Manual;

use super::consumer::{Pair, Seen, call, close, request};
use crate::connection::{Connection, Connector, Link, Side};
use crate::heap::Shared;
use crate::object::Object;

fn receive(qp: *mut NDK_QP, context: usize) {
    assert_eq!(call!(qp, NdkReceive, request(context), std::ptr::null(), 0), STATUS_SUCCESS);
}

/// The connection of a connector, in which a test can keep a transfer from ending.
fn connection(connector: *mut NDK_CONNECTOR) -> Shared<Connection<Manual>> {
    // SAFETY: the connector is open.
    let connector = unsafe { &*connector.cast::<Object<Manual, Connector<Manual>>>() };
    match connector.link() {
        Some(Link::Loopback(connection, _)) => connection,
        Some(Link::Wire(_)) | None => panic!("it is connected by loopback"),
    }
}

fn sorted(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.sort_by_key(|seen| matches!(seen, Seen::Disconnected(_)));
    seen
}

#[test]
fn disconnect_while_another_is_pending_is_invalid_and_leaves_the_first_its_completion() {
    let pair = Pair::connected();
    let connection = connection(pair.near.connector);
    let transfer = connection.transfer(Side::Active).expect("the connection is established");
    assert_eq!(pair.disconnect(pair.near.connector, "first"), STATUS_PENDING);
    assert_eq!(pair.disconnect(pair.near.connector, "second"), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.log.pump(), [Seen::Disconnected("far")]);
    // The other side's is another connector's, and has its own completion.
    assert_eq!(pair.disconnect(pair.far.connector, "far"), STATUS_PENDING);
    assert_eq!(pair.disconnect(pair.far.connector, "far again"), STATUS_CONNECTION_INVALID);
    drop(transfer);
    assert_eq!(
        pair.disconnect(pair.near.connector, "third"),
        STATUS_CONNECTION_INVALID,
        "it was not told yet"
    );
    let completed = |name| Seen::RequestCompleted(name, STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [completed("first"), completed("far")]);
    assert_eq!(pair.disconnect(pair.near.connector, "fourth"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), []);
    drop(connection);
    pair.tear_down();
}

#[test]
fn closing_a_connector_after_the_peers_disconnect_flushes_its_qp() {
    let mut pair = Pair::connected();
    receive(pair.far.qp, 9);
    assert_eq!(pair.disconnect(pair.near.connector, "disconnect"), STATUS_PENDING);
    let seen = sorted(pair.log.pump());
    assert_eq!(seen, [Seen::RequestCompleted("disconnect", STATUS_SUCCESS), Seen::Disconnected("far")]);
    assert_eq!(pair.far.results(), [], "the peer's disconnect flushes nothing here");
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "far"), STATUS_SUCCESS);
    pair.far.connector = null_mut();
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 9)], "once");
    pair.tear_down();
}

#[test]
fn closing_a_connector_while_the_peers_disconnect_drains_flushes_its_qp() {
    let mut pair = Pair::connected();
    receive(pair.far.qp, 9);
    let connection = connection(pair.near.connector);
    let transfer = connection.transfer(Side::Active).expect("the connection is established");
    assert_eq!(pair.disconnect(pair.near.connector, "disconnect"), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "far"), STATUS_PENDING);
    pair.far.connector = null_mut();
    assert_eq!(pair.far.results(), [], "a transfer still runs");
    drop(transfer);
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 9)], "once");
    let seen = pair.log.pump();
    assert!(seen.contains(&Seen::RequestCompleted("disconnect", STATUS_SUCCESS)), "{seen:?}");
    assert!(seen.contains(&Seen::Closed("far")) && seen.len() == 2, "{seen:?}");
    pair.tear_down();
}
