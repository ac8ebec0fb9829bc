//! Shared endpoints (CL-12, CM-4).

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;

use super::consumer::{Pair, Seen, call, close, completed, sockaddr};

fn endpoint(pair: &Pair, address: &str) -> (NTSTATUS, *mut NDK_SHARED_ENDPOINT) {
    let (address, length) = sockaddr(address.parse().unwrap());
    let mut endpoint = null_mut();
    let at = address.as_ptr().cast::<SOCKADDR>();
    let status =
        call!(pair.near.adapter, NdkCreateSharedEndpoint, at, length, None, null_mut(), &mut endpoint);
    (status, endpoint)
}

fn connect(
    pair: &Pair,
    (connector, qp): (*mut NDK_CONNECTOR, *mut NDK_QP),
    from: *mut NDK_SHARED_ENDPOINT,
) -> NTSTATUS {
    let (remote, length) = sockaddr(pair.far.address);
    let context = pair.log.context("connect");
    let at = remote.as_ptr().cast::<SOCKADDR>();
    call!(
        connector,
        NdkConnectWithSharedEndpoint,
        qp,
        from,
        at,
        length,
        0,
        0,
        null(),
        0,
        Some(completed),
        context
    )
}

#[test]
fn shared_endpoint_takes_its_port_until_its_last_connector_is_closed() {
    let mut pair = Pair::new();
    pair.listen();
    let (status, shared) = endpoint(&pair, "10.0.0.1:5000");
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(endpoint(&pair, "10.0.0.1:5000").0, STATUS_SHARING_VIOLATION);
    assert_eq!(endpoint(&pair, "10.0.0.2:5000").0, STATUS_INVALID_ADDRESS);
    pair.near.connector = pair.near.create_connector();
    assert_eq!(connect(&pair, (pair.near.connector, pair.near.qp), shared), STATUS_PENDING);
    pair.take_connect_request();
    // The antecedent first: it waits for the connector, and the port with it.
    assert_eq!(close!(pair.log, shared, NdkCloseSharedEndpoint, "shared"), STATUS_PENDING);
    assert_eq!(endpoint(&pair, "10.0.0.1:5000").0, STATUS_SHARING_VIOLATION);
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_PENDING);
    assert_eq!(
        pair.log.pump(),
        [Seen::RequestCompleted("connect", STATUS_CANCELLED), Seen::Closed("near"), Seen::Closed("shared")]
    );
    let (status, again) = endpoint(&pair, "10.0.0.1:5000");
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(close!(pair.log, again, NdkCloseSharedEndpoint, "again"), STATUS_SUCCESS);
    pair.near.connector = null_mut();
    pair.tear_down();
}

#[test]
fn one_destination_is_connected_once_over_a_shared_endpoint() {
    let mut pair = Pair::new();
    pair.listen();
    let (_, shared) = endpoint(&pair, "10.0.0.1:0");
    pair.near.connector = pair.near.create_connector();
    assert_eq!(connect(&pair, (pair.near.connector, pair.near.qp), shared), STATUS_PENDING);
    let second = pair.near.create_connector();
    let qp = pair.near.create_qp();
    assert_eq!(connect(&pair, (second, qp), shared), STATUS_ADDRESS_ALREADY_EXISTS);
    pair.take_connect_request();
    assert_eq!(call!(pair.far.connector, NdkReject, null(), 0), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    // The refused connection no longer takes the destination up.
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "far"), STATUS_SUCCESS);
    assert_eq!(connect(&pair, (second, qp), shared), STATUS_PENDING);
    pair.take_connect_request();
    close!(pair.log, second, NdkCloseConnector, "second");
    pair.log.pump();
    assert_eq!(close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "first"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, shared, NdkCloseSharedEndpoint, "shared"), STATUS_SUCCESS);
    pair.near.connector = null_mut();
    pair.tear_down();
}

fn port_of(endpoint: *mut NDK_SHARED_ENDPOINT) -> u16 {
    let (mut buffer, mut length) = ([0_u8; 64], 64);
    let at = buffer.as_mut_ptr().cast::<SOCKADDR>();
    assert_eq!(call!(endpoint, NdkGetLocalAddress, at, &mut length), STATUS_SUCCESS);
    u16::from_be_bytes([buffer[2], buffer[3]])
}

#[test]
fn dynamic_port_after_all_were_given_once_is_in_the_range_and_free() {
    const RANGE: std::ops::RangeInclusive<u16> = 49152..=65535;
    let pair = Pair::new();
    let (status, held) = endpoint(&pair, "10.0.0.1:0");
    assert_eq!(status, STATUS_SUCCESS);
    let mut given = std::collections::HashSet::from([port_of(held)]);
    for _ in 0..RANGE.len() + 2 {
        let (status, next) = endpoint(&pair, "10.0.0.1:0");
        assert_eq!(status, STATUS_SUCCESS);
        let port = port_of(next);
        assert!(RANGE.contains(&port) && port != port_of(held), "{port}");
        given.insert(port);
        assert_eq!(close!(pair.log, next, NdkCloseSharedEndpoint, "next"), STATUS_SUCCESS);
    }
    assert_eq!(given.len(), RANGE.len(), "the walk began anew");
    assert_eq!(close!(pair.log, held, NdkCloseSharedEndpoint, "held"), STATUS_SUCCESS);
    pair.tear_down();
}
