//! Making and ending connections (CM-1 to CM-7, CL-12).

use std::ptr::null_mut;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;

use super::consumer::{Pair, Seen, call, close, request, sockaddr};
use crate::number::usize_from;

fn data_of(connector: *mut NDK_CONNECTOR, room: usize) -> (NTSTATUS, u32, u32, Vec<u8>, u32) {
    let (mut inbound, mut outbound, mut length) = (0, 0, u32::try_from(room).unwrap());
    let mut buffer = vec![0_u8; room];
    let pointer = if room == 0 { null_mut() } else { buffer.as_mut_ptr().cast() };
    let status = call!(connector, NdkGetConnectionData, &mut inbound, &mut outbound, pointer, &mut length);
    (status, inbound, outbound, buffer, length)
}

#[test]
fn connection_carries_private_data_and_limits_both_ways() {
    let mut pair = Pair::new();
    pair.establish();
    // Near asked for 8 in and 16 out, far for 32 in and 4 out (CM-6).
    assert_eq!(data_of(pair.near.connector, 7), (STATUS_SUCCESS, 4, 16, b"welcome".to_vec(), 7));
    assert_eq!(data_of(pair.far.connector, 5), (STATUS_SUCCESS, 16, 4, b"hello".to_vec(), 5));
    pair.tear_down();
}

#[test]
fn connection_data_is_given_in_all_its_buffer_cases() {
    let pair = Pair::connected();
    let (status, inbound, outbound, _, length) = data_of(pair.near.connector, 0);
    assert_eq!((status, inbound, outbound, length), (STATUS_SUCCESS, 4, 16, 7));
    assert_eq!(data_of(pair.near.connector, 4), (STATUS_BUFFER_TOO_SMALL, 4, 16, b"welc".to_vec(), 7));
    let (status, _, _, buffer, length) = data_of(pair.near.connector, 9);
    assert_eq!((status, &buffer[..7], length), (STATUS_SUCCESS, &b"welcome"[..], 7));
    pair.tear_down();
}

#[test]
fn connection_data_without_a_buffer_for_its_length_writes_nothing() {
    let pair = Pair::connected();
    let (mut inbound, mut outbound, mut length) = (77, 78, 79);
    let connector = pair.near.connector;
    let status = call!(connector, NdkGetConnectionData, &mut inbound, &mut outbound, null_mut(), &mut length);
    assert_eq!((status, inbound, outbound, length), (STATUS_INVALID_PARAMETER, 77, 78, 79));
    pair.tear_down();
}

#[test]
fn addresses_are_those_of_both_ends_and_the_dynamic_port_is_in_its_range() {
    for (near, far) in [("10.0.0.1:0", "10.0.0.2:445"), ("[fd00::1]:0", "[fd00::2]:445")] {
        let mut pair = Pair::between(near, far);
        pair.establish();
        let read = |local: bool, connector: *mut NDK_CONNECTOR| {
            let (mut buffer, mut length) = ([0_u8; 64], 64);
            let pointer = buffer.as_mut_ptr().cast::<SOCKADDR>();
            let status = if local {
                call!(connector, NdkGetLocalAddress, pointer, &mut length)
            } else {
                call!(connector, NdkGetPeerAddress, pointer, &mut length)
            };
            assert_eq!(status, STATUS_SUCCESS);
            buffer[..usize_from(length)].to_vec()
        };
        let near_end = read(true, pair.near.connector);
        assert_eq!(near_end, read(false, pair.far.connector));
        assert_eq!(read(false, pair.near.connector), read(true, pair.far.connector));
        let port = u16::from_be_bytes([near_end[2], near_end[3]]);
        assert!(port >= 49152, "{port}");
        pair.tear_down();
    }
}

#[test]
fn connect_without_a_listener_is_refused_and_to_a_foreign_address_unreachable() {
    let mut pair = Pair::new();
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    let (local, local_length) = sockaddr(pair.near.address);
    let (nowhere, length) = sockaddr("10.0.0.9:445".parse().unwrap());
    let status = call!(
        pair.near.connector,
        NdkConnect,
        pair.near.qp,
        local.as_ptr().cast(),
        local_length,
        nowhere.as_ptr().cast(),
        length,
        0,
        0,
        std::ptr::null(),
        0,
        None,
        null_mut()
    );
    assert_eq!(status, STATUS_HOST_UNREACHABLE);
    pair.tear_down();
}

#[test]
fn refused_connect_can_be_tried_again() {
    let mut pair = Pair::new();
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    assert_eq!(pair.listen(), STATUS_SUCCESS);
    assert_eq!(pair.connect_again(b"more"), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(call!(pair.far.connector, NdkReject, b"no".as_ptr().cast(), 2), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    assert_eq!(data_of(pair.near.connector, 2).3, b"no");
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    let rejected = pair.far.connector;
    pair.take_connect_request();
    assert_eq!(close!(pair.log, rejected, NdkCloseConnector, "rejected"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn connect_is_not_tried_again_before_the_consumer_was_told_of_its_refusal() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(call!(pair.far.connector, NdkReject, std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_ACTIVE);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    pair.tear_down();
}

#[test]
fn connector_closes_after_a_refusal_and_a_second_try() {
    let mut pair = Pair::new();
    pair.listen();
    call!(pair.listener, NdkControlConnectEvents, 1);
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_REFUSED);
    pair.log.pump();
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_SUCCESS);
    pair.near.connector = null_mut();
    pair.tear_down();
}

#[test]
fn incoming_connector_closed_in_place_of_an_answer_refuses_the_connect() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "offered"), STATUS_PENDING);
    let mut seen = pair.log.pump();
    seen.sort_by_key(|seen| matches!(seen, Seen::Closed(_)));
    assert_eq!(seen, [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED), Seen::Closed("offered")]);
    pair.far.connector = null_mut();
    pair.tear_down();
}

#[test]
fn unanswered_connect_is_cancelled_by_its_connectors_close() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CANCELLED), Seen::Closed("near")]);
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    pair.near.connector = null_mut();
    pair.tear_down();
}

#[test]
fn accept_is_aborted_when_the_client_rejects_in_place_of_completing() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(call!(pair.near.connector, NdkReject, std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(
        pair.log.pump(),
        [
            Seen::RequestCompleted("connect", STATUS_SUCCESS),
            Seen::RequestCompleted("accept", STATUS_CONNECTION_ABORTED)
        ]
    );
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_INVALID);
    pair.tear_down();
}

#[test]
fn disconnect_completes_without_the_peers_consumer_and_flushes_only_this_side() {
    let pair = Pair::connected();
    for side in [&pair.near, &pair.far] {
        assert_eq!(call!(side.qp, NdkReceive, request(7), std::ptr::null(), 0), STATUS_SUCCESS);
    }
    let status = pair.disconnect(pair.near.connector, "disconnect");
    assert_eq!(status, STATUS_PENDING);
    let mut seen = pair.log.pump();
    seen.sort_by_key(|seen| matches!(seen, Seen::Disconnected(_)));
    assert_eq!(seen, [Seen::RequestCompleted("disconnect", STATUS_SUCCESS), Seen::Disconnected("far")]);
    assert_eq!(pair.near.results(), [(STATUS_CANCELLED, 0, 7)]);
    assert_eq!(pair.far.results(), []);
    // The other side's disconnect finds everything over (CM-2), and flushes in its turn.
    assert_eq!(pair.disconnect(pair.far.connector, "second"), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 7)]);
    assert_eq!(pair.log.pump(), []);
    pair.tear_down();
}

#[test]
fn closing_a_connected_connector_breaks_the_connection_on_both_sides() {
    let mut pair = Pair::connected();
    assert_eq!(call!(pair.far.qp, NdkReceive, request(9), std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_PENDING);
    let mut seen = pair.log.pump();
    seen.sort_by_key(|seen| matches!(seen, Seen::Closed(_)));
    assert_eq!(seen, [Seen::Disconnected("far"), Seen::Closed("near")]);
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 9)]);
    pair.near.connector = null_mut();
    pair.tear_down();
}

#[test]
fn queue_pair_and_a_connector_connect_once() {
    let pair = Pair::connected();
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_ACTIVE);
    let second = pair.near.create_connector();
    let first = pair.near.connector;
    let mut pair = pair;
    pair.near.connector = second;
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_ACTIVE);
    assert_eq!(close!(pair.log, second, NdkCloseConnector, "second"), STATUS_SUCCESS);
    pair.near.connector = first;
    pair.tear_down();
}

#[test]
fn connect_to_a_paused_listener_is_refused() {
    let mut pair = Pair::new();
    pair.listen();
    call!(pair.listener, NdkControlConnectEvents, 1);
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    call!(pair.listener, NdkControlConnectEvents, 0);
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    pair.tear_down();
}

#[test]
fn address_is_the_adapters_own_and_taken_once() {
    let pair = Pair::new();
    let listen = |listener: *mut NDK_LISTENER, address: &str| {
        let (address, length) = sockaddr(address.parse().unwrap());
        call!(listener, NdkListen, address.as_ptr().cast::<SOCKADDR>(), length, None, null_mut())
    };
    assert_eq!(listen(pair.listener, "10.0.0.1:445"), STATUS_INVALID_ADDRESS);
    assert_eq!(listen(pair.listener, "10.0.0.2:445"), STATUS_SUCCESS);
    assert_eq!(listen(pair.listener, "10.0.0.2:446"), STATUS_ADDRESS_ALREADY_ASSOCIATED);
    let second = pair.far.create_listener(&pair.log);
    assert_eq!(listen(second, "10.0.0.2:445"), STATUS_SHARING_VIOLATION);
    assert_eq!(listen(second, "10.0.0.2:446"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, second, NdkCloseListener, "second"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn private_data_beyond_the_maximum_is_refused() {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(pair.connect(&[1; 509]), STATUS_INVALID_PARAMETER);
    assert_eq!(pair.connect_again(&[1; 508]), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(data_of(pair.far.connector, 508).3, [1; 508]);
    pair.tear_down();
}

#[test]
fn listing_leaves_out_unconnected_and_closing_connectors() {
    let mut pair = Pair::new();
    let connections = |pair: &Pair| {
        let mut listed = Vec::new();
        pair.near.rnic.connections(|local, remote| listed.push((local, remote)));
        listed
    };
    let endpoints = |pair: &Pair| {
        let mut listed = Vec::new();
        pair.far.rnic.endpoints(|address, listens| listed.push((address, listens)));
        listed
    };
    assert!(connections(&pair).is_empty() && endpoints(&pair).is_empty());
    pair.listen();
    assert_eq!(endpoints(&pair), [(pair.far.address, true)]);
    pair.connect(b"");
    assert!(connections(&pair).is_empty(), "it is only offered");
    pair.take_connect_request();
    pair.accept(b"");
    pair.log.pump();
    pair.complete_connect();
    pair.log.pump();
    let unused = pair.near.create_connector();
    let [(local, remote)] = connections(&pair)[..] else { panic!("one is connected") };
    assert_eq!((local.ip(), remote), (pair.near.address.ip(), pair.far.address));
    assert_eq!(close!(pair.log, pair.listener, NdkCloseListener, "listener"), STATUS_PENDING);
    assert!(endpoints(&pair).is_empty(), "it waits for its connector, and listens no more");
    assert_eq!(close!(pair.log, unused, NdkCloseConnector, "unused"), STATUS_SUCCESS);
    pair.listener = pair.far.create_listener(&pair.log);
    assert!(endpoints(&pair).is_empty(), "another one that does not listen");
    pair.tear_down();
}
