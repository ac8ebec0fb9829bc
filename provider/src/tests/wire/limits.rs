//! Limits against peers that open connections and say nothing, and memory that runs out.

use std::ptr::null;
use std::time::Duration;

use sys::ndk::{NDK_OP_FLAG_SILENT_SUCCESS, NDK_SGE};
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use test_kernel::allocations::failing;
use test_kernel::network::{self, Action};
use test_kernel::pass;

use super::peer::{Peer, fpdu, send, write};
use super::rig::{self, ALL, Rig, receive};
use super::{SETTINGS, connected, listening, listening_of, requested, run, tear_down};
use crate::connection::BATCHES;
use crate::rnic::WireSettings;
use crate::tests::consumer::{
    Buffer, Pair, Seen, call, close, completed, disconnected, sockaddr, virtual_address,
};

#[test]
fn connection_without_a_request_is_given_up() {
    let pair = listening();
    let peer = network::knock(pair.far.address, 1);
    assert_eq!(peer, 1);
    run(&pair);
    let before = network::live();
    pass(Duration::from_secs(9));
    run(&pair);
    assert_eq!(network::live(), before);
    pass(Duration::from_secs(2));
    run(&pair);
    assert_eq!(network::live(), before - 1, "the request has 10 s (TM-3)");
    tear_down(pair);
}

#[test]
fn listener_answers_so_many_without_a_request_and_no_more() {
    let pair = listening();
    assert_eq!(network::knock(pair.far.address, 300), 256, "LIM-1");
    assert_eq!(network::knock(pair.far.address, 1), 0);
    // Those that are closed leave room.
    pass(Duration::from_secs(11));
    run(&pair);
    assert_eq!(network::knock(pair.far.address, 1), 1);
    tear_down(pair);
}

#[test]
fn frame_that_is_none_closes_the_connection_without_a_word() {
    let pair = listening();
    assert_eq!(network::knock(pair.far.address, 1), 1);
    network::inject(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let before = network::live();
    assert_eq!(run(&pair), []);
    assert_eq!(network::live(), before - 1);
    tear_down(pair);
}

#[test]
fn bytes_behind_the_request_end_the_connection() {
    let pair = requested(b"hello");
    network::inject(&[0; 8]);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    tear_down(pair);
}

#[test]
fn reset_breaks_an_established_connection() {
    let pair = connected();
    network::reset_all();
    let mut seen = run(&pair);
    seen.sort_by_key(|seen| format!("{seen:?}"));
    assert_eq!(seen, [Seen::Disconnected("far"), Seen::Disconnected("near")]);
    assert_eq!(pair.disconnect(pair.near.connector, "disconnect"), STATUS_SUCCESS);
    tear_down(pair);
}

/// Calls with each allocation failing in turn until none does.
fn each_in_turn(pair: &Pair, mut call: impl FnMut(&Pair) -> NTSTATUS) -> usize {
    let mut number = 0;
    loop {
        let (status, failed) = failing(number, || call(pair));
        if !failed {
            assert_eq!(status, STATUS_PENDING);
            return number;
        }
        assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "with allocation {number} failing");
        assert_eq!(run(pair), [], "a request answered inline is not completed");
        number += 1;
    }
}

#[test]
fn calls_without_memory_take_nothing() {
    let mut pair = Pair::over_network(SETTINGS);
    let (address, length) = sockaddr(pair.far.address);
    let listen = pair.log.context("listen");
    let allocations = each_in_turn(&pair, |pair| {
        let address = address.as_ptr().cast::<SOCKADDR>();
        call!(pair.listener, NdkListen, address, length, Some(completed), listen)
    });
    assert!(allocations > 2, "{allocations}");
    assert_eq!(run(&pair), [Seen::RequestCompleted("listen", STATUS_SUCCESS)]);
    pair.near.connector = pair.near.create_connector();
    let (local, local_length) = sockaddr(pair.near.address);
    let connect = pair.log.context("connect");
    let allocations = each_in_turn(&pair, |pair| {
        let (connector, qp) = (pair.near.connector, pair.near.qp);
        let (local, remote) = (local.as_ptr().cast::<SOCKADDR>(), address.as_ptr().cast::<SOCKADDR>());
        let (to, from) = ((remote, length), (local, local_length));
        call!(
            connector,
            NdkConnect,
            qp,
            from.0,
            from.1,
            to.0,
            to.1,
            8,
            16,
            null(),
            0,
            Some(completed),
            connect
        )
    });
    assert!(allocations > 8, "{allocations}");
    let seen = run(&pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
    pair.far.connector = crate::tests::consumer::virtual_address(connector).cast();
    let (event, accept) = (pair.log.context("far"), pair.log.context("accept"));
    let allocations = each_in_turn(&pair, |pair| {
        let (connector, qp) = (pair.far.connector, pair.far.qp);
        call!(connector, NdkAccept, qp, 32, 4, null(), 0, Some(disconnected), event, Some(completed), accept)
    });
    assert!(allocations > 4, "{allocations}");
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    tear_down(pair);
}

#[test]
fn connection_that_is_accepted_without_memory_is_cut_off() {
    for number in 0..8 {
        let pair = listening();
        let address = pair.far.address;
        let (taken, failed) = failing(number, || network::knock(address, 1));
        assert!(taken == 1 || failed, "{number}");
        tear_down(pair);
    }
}

/// TM-4: the rest of an FPDU is awaited for its time, also behind a wait for a receive.
#[test]
fn rest_of_a_message_that_waited_for_its_receive_is_awaited_for_its_time() {
    let mut pair = listening_of(WireSettings { crc: false, ..SETTINGS });
    let peer = Peer::connect(pair.far.address, false);
    run(&pair);
    peer.request();
    let seen = run(&pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
    pair.far.connector = virtual_address(connector).cast();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    run(&pair);
    peer.segment(&write(9, 0, true, b""));
    run(&pair);
    peer.take();
    // The time for the first FPDU is over.
    pass(Duration::from_secs(31));
    // The header, and no more of it.
    let message = fpdu(&send(1, 0, true, &[1; 8]), false);
    peer.send(&message[..message.len() - 12]);
    run(&pair);
    let mut buffer = Buffer::new(vec![0; 8]);
    let (mr, token) = buffer.register(&pair.far, ALL);
    receive(&pair.far, 1, &[buffer.sge(token)]);
    pass(Duration::from_secs(61));
    run(&pair);
    pass(Duration::from_secs(5));
    run(&pair);
    assert!(peer.is_closed());
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 1)]);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    tear_down(pair);
}

/// LIM-4, TM-6: a peer that takes nothing does not keep a connection that has broken here.
#[test]
fn broken_connection_whose_batches_do_not_come_back_is_cut_off_in_time() {
    let rig = Rig::new(SETTINGS, 100);
    let near = network::begun() - 2;
    for number in 1..=BATCHES {
        rig::send(&rig.pair.far, number, &rig.far_list(100, 1), NDK_OP_FLAG_SILENT_SUCCESS);
    }
    let unknown = NDK_SGE { MemoryRegionToken: rig.far_token ^ 1, ..rig.far_list(1, 1)[0] };
    rig::send(&rig.pair.far, 9, &[unknown], 0);
    assert_eq!(rig.pair.far.results(), [(STATUS_ACCESS_VIOLATION, 0, 9)]);
    // What was sent lies there, and is gone with the connection.
    let lies = || network::actions().contains(&Action::Arrive(near));
    assert!(lies());
    pass(Duration::from_secs(5));
    assert!(!lies());
    rig.run();
    rig.tear_down();
}
