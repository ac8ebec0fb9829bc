//! Connect requests that no consumer has been shown, at a listener that pauses and at an RNIC that goes
//! (CM-5, CL-7).

use std::ptr::null;

use sys::status::*;

use super::consumer::{Pair, Seen, call, virtual_address};
use crate::rnic::Rnic;

#[test]
fn paused_listener_refuses_pending_connect_requests() {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    call!(pair.listener, NdkControlConnectEvents, 1);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    call!(pair.listener, NdkControlConnectEvents, 0);
    assert_eq!(pair.log.pump(), [], "nor when it goes on");
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    pair.tear_down();
}

#[test]
fn listener_paused_and_resumed_refuses_earlier_connect_requests_only() {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    call!(pair.listener, NdkControlConnectEvents, 1);
    call!(pair.listener, NdkControlConnectEvents, 0);
    let (first, qp) = (pair.near.connector, pair.near.qp);
    pair.near.qp = pair.near.create_qp();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    let mut seen = pair.log.pump();
    seen.sort_by_key(|seen| matches!(seen, Seen::Requested(..)));
    let [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED), Seen::Requested(_, connector)] =
        seen[..]
    else {
        panic!("{seen:?}")
    };
    pair.far.connector = virtual_address(connector).cast();
    super::consumer::close!(pair.log, first, NdkCloseConnector, "first");
    assert_eq!(super::consumer::close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn connect_to_a_disabled_rnic_is_refused() {
    let mut pair = Pair::new();
    pair.listen();
    pair.far.rnic.set_enabled(false);
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    pair.far.rnic.set_enabled(true);
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(call!(pair.far.connector, NdkReject, null(), 0), STATUS_SUCCESS);
    pair.log.pump();
    pair.near.rnic.set_enabled(false);
    assert_eq!(pair.connect_again(b""), STATUS_INVALID_ADDRESS, "nor does it connect");
    pair.tear_down();
}

#[test]
fn connect_to_a_removed_rnic_does_not_reach_its_listener() {
    let mut pair = Pair::new();
    pair.listen();
    let another = Rnic::new(&pair.fabric).unwrap();
    drop(std::mem::replace(&mut pair.far.rnic, another));
    assert_eq!(pair.connect(b""), STATUS_HOST_UNREACHABLE);
    // Another RNIC has the address now, and no listener.
    pair.far.rnic.set_addresses(&[pair.far.address.ip()]).unwrap();
    pair.far.rnic.set_enabled(true);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_REFUSED);
    pair.tear_down();
}

#[test]
fn disabled_rnic_refuses_pending_connect_requests() {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    pair.far.rnic.set_enabled(false);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    pair.tear_down();
}

#[test]
fn connect_to_an_address_that_moved_to_another_rnic_is_refused() {
    let mut pair = Pair::new();
    pair.listen();
    let address = [pair.far.address.ip()];
    pair.far.rnic.set_addresses(&[]).unwrap();
    assert_eq!(pair.connect(b""), STATUS_HOST_UNREACHABLE);
    let another = Rnic::new(&pair.fabric).unwrap();
    another.set_addresses(&address).unwrap();
    another.set_enabled(true);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_REFUSED, "the listener is at the RNIC that had it");
    another.set_addresses(&[]).unwrap();
    pair.far.rnic.set_addresses(&address).unwrap();
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    pair.tear_down();
}
