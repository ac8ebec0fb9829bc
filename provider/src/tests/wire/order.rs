//! The order of results, read fences, waits for receives, and flushes with requests on their way (RD-9, RD-10, TM-7).

use core::time::Duration;

use sys::ndk::*;
use sys::status::*;
use test_kernel::{network, pass};

use super::SETTINGS;
use super::rig::{DEPTH, Rig, receive, send};
use crate::number::usize_from;
use crate::tests::consumer::{Seen, call};

/// Lets one thing happen on the network, and the DPCs that follow.
fn step(rig: &Rig, action: fn(&network::Action) -> bool) {
    let place = network::actions().iter().position(action).expect("it may happen");
    assert!(network::step(place));
    rig.pair.log.pump();
}

fn is_return(action: &network::Action) -> bool {
    matches!(action, network::Action::Return(_))
}

fn is_arrive(action: &network::Action) -> bool {
    matches!(action, network::Action::Arrive(_))
}

/// RD-10: what is done early waits for the requests before it.
#[test]
fn results_come_in_the_order_of_the_posts() {
    let rig = Rig::new(SETTINGS, 5000);
    for number in 1..4 {
        receive(&rig.pair.far, 10 * number, &[]);
    }
    rig.read(1, &rig.near_list(100, 1), 0);
    send(&rig.pair.near, 2, &[], 0);
    rig.write(3, &rig.near_list(2000, 1), 0);
    send(&rig.pair.near, 4, &[], NDK_OP_FLAG_SILENT_SUCCESS);
    send(&rig.pair.near, 5, &[], 0);
    while network::actions().iter().any(is_return) {
        step(&rig, is_return);
    }
    assert_eq!(rig.pair.near.results(), [], "the read is not done");
    rig.run();
    let numbers: Vec<_> =
        rig.pair.near.results().into_iter().map(|(status, _, number)| (status, number)).collect();
    assert_eq!(numbers, [1, 2, 3, 5].map(|number| (STATUS_SUCCESS, number)));
    rig.tear_down();
}

/// RD-9: reads are outstanding side by side, up to the limit of both sides.
#[test]
fn reads_are_outstanding_side_by_side_up_to_the_limit() {
    let rig = Rig::new(SETTINGS, 5000);
    // 16 are agreed.
    for number in 1..=20 {
        rig.read(number, &rig.near_list(50, 2), 0);
    }
    while network::actions().iter().any(is_return) {
        step(&rig, is_return);
    }
    // All requests arrive, and then all responses, each in one indication.
    step(&rig, is_arrive);
    step(&rig, is_arrive);
    assert_eq!(rig.pair.near.results().len(), 16);
    rig.run();
    assert_eq!(rig.pair.near.results().len(), 4);
    assert_eq!(*rig.near.bytes, [vec![0; 50], vec![7; 4950]].concat());
    rig.tear_down();
}

/// RD-9: a fenced request begins when all earlier reads are done.
#[test]
fn fenced_request_begins_when_the_reads_before_it_are_done() {
    for fence in [0, NDK_OP_FLAG_READ_FENCE] {
        let rig = Rig::new(SETTINGS, 5000);
        receive(&rig.pair.far, 9, &[]);
        rig.read(1, &rig.near_list(100, 1), 0);
        send(&rig.pair.near, 2, &[], fence);
        while network::actions().iter().any(is_return) {
            step(&rig, is_return);
        }
        step(&rig, is_arrive);
        assert_eq!(rig.pair.far.results().is_empty(), fence != 0);
        rig.run();
        assert_eq!(rig.pair.near.results().len(), 2);
        rig.tear_down();
    }
}

/// RX-7: a message without a receive lies, with all that is behind it, until one is posted.
#[test]
fn message_without_a_receive_lies_until_one_is_posted() {
    for piece in [0, 1, 100] {
        let rig = Rig::new(SETTINGS, 5000);
        network::set_piece(piece);
        send(&rig.pair.near, 1, &rig.near_list(300, 1), 0);
        send(&rig.pair.near, 2, &rig.near_list(200, 1), 0);
        rig.write(3, &rig.near_list(5, 1), 0);
        rig.run();
        // They are short, so they are over (TX-3).
        assert_eq!(rig.pair.near.results().len(), 3);
        assert_eq!((rig.pair.far.results(), rig.far.bytes[0]), (vec![], 0));
        receive(&rig.pair.far, 5, &rig.far_list(1000, 1)[..]);
        rig.run();
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 300, 5)]);
        receive(&rig.pair.far, 6, &rig.far_list(1000, 3)[..]);
        rig.run();
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 200, 6)]);
        assert_eq!(rig.far.bytes[..6], [7; 6]);
        network::set_piece(0);
        rig.tear_down();
    }
}

/// TM-7: patience ends after three to four seconds, and the connection with it.
#[test]
fn message_without_a_receive_in_time_breaks_the_connection() {
    let rig = Rig::new(SETTINGS, 5000);
    send(&rig.pair.near, 1, &rig.near_list(300, 1), 0);
    rig.run();
    for _ in 0..3 {
        pass(Duration::from_secs(1));
        assert_eq!(rig.run(), []);
    }
    pass(Duration::from_secs(1));
    let mut seen = rig.run();
    seen.sort_by_key(|seen| format!("{seen:?}"));
    assert_eq!(seen, [Seen::Disconnected("far"), Seen::Disconnected("near")]);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 300, 1)]);
    assert_eq!(
        call!(rig.pair.near.qp, NdkSend, core::ptr::null_mut(), core::ptr::null(), 0, 0),
        STATUS_CONNECTION_INVALID
    );
    rig.tear_down();
}

/// RD-10: a flush cancels the reads on their way before the requests in the queue; their memory is touched no more, and
/// the connection goes on.
#[test]
fn flush_cancels_the_reads_on_their_way_and_the_connection_goes_on() {
    let rig = Rig::new(SETTINGS, 5000);
    for number in 1..=usize_from(DEPTH) {
        rig.read(number, &rig.near_list(200, 1), 0);
    }
    step(&rig, is_return);
    call!(rig.pair.near.qp, NdkFlush);
    let results = rig.pair.near.results();
    let expected: Vec<_> = (1..=usize_from(DEPTH)).map(|number| (STATUS_CANCELLED, 0, number)).collect();
    assert_eq!(results, expected);
    rig.run();
    assert_eq!(*rig.near.bytes, [7; 5000], "the responses go nowhere");
    receive(&rig.pair.far, 1, &rig.far_list(100, 1));
    send(&rig.pair.near, 2, &rig.near_list(100, 1), 0);
    rig.read(3, &rig.near_list(10, 1), 0);
    rig.run();
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 100, 1)]);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 100, 2), (STATUS_SUCCESS, 10, 3)]);
    rig.tear_down();
}

/// A message that has been sent in part is sent to its end, whatever is flushed.
#[test]
fn flush_within_a_message_lets_it_end_and_cancels_those_behind() {
    let rig = Rig::new(SETTINGS, 1 << 20);
    receive(&rig.pair.far, 1, &rig.far_list(1 << 20, 1));
    send(&rig.pair.near, 2, &rig.near_list(1 << 20, 1), 0);
    send(&rig.pair.near, 3, &[], 0);
    call!(rig.pair.near.qp, NdkFlush);
    rig.run();
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 1 << 20, 1)]);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 1 << 20, 2), (STATUS_CANCELLED, 0, 3)]);
    assert!(*rig.far.bytes == *rig.near.bytes);
    rig.tear_down();
}

/// The death of a connection cancels what is on its way, once each and in order.
#[test]
fn reset_cancels_all_requests_once_and_in_order() {
    let rig = Rig::new(SETTINGS, 1 << 20);
    receive(&rig.pair.near, 90, &[]);
    receive(&rig.pair.far, 91, &rig.far_list(1 << 20, 1));
    rig.read(1, &rig.near_list(100, 1), 0);
    send(&rig.pair.near, 2, &rig.near_list(1 << 20, 1), 0);
    rig.write(3, &rig.near_list(100, 1), 0);
    step(&rig, is_arrive);
    network::reset_all();
    rig.run();
    let expected = [(STATUS_CANCELLED, 0, 1), (STATUS_CANCELLED, 0, 2), (STATUS_CANCELLED, 0, 3)];
    let (receives, requests): (Vec<_>, Vec<_>) =
        rig.pair.near.results().into_iter().partition(|(_, _, number)| *number == 90);
    assert_eq!(requests, expected);
    assert_eq!(receives, [(STATUS_CANCELLED, 0, 90)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_CANCELLED, 0, 91)]);
    rig.tear_down();
}

/// Over a wire as over loopback: the sender succeeds, the receive is overrun, the connection breaks.
#[test]
fn message_over_network_longer_than_its_receive_overruns_it() {
    let rig = Rig::new(SETTINGS, 5000);
    receive(&rig.pair.far, 1, &rig.far_list(10, 1));
    send(&rig.pair.near, 2, &rig.near_list(5000, 1), 0);
    rig.run();
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 5000, 2)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_BUFFER_OVERFLOW, 0, 1)]);
    rig.tear_down();
}

/// A read of memory that may not be read fails by the Terminate that names it, and those behind it are cancelled.
#[test]
fn read_over_network_of_what_may_not_be_read_is_named() {
    let rig = Rig::with_rights(SETTINGS, 5000, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
    receive(&rig.pair.far, 9, &[]);
    rig.read(1, &rig.near_list(100, 1), 0);
    rig.read(2, &rig.near_list(0, 1), 0);
    rig.run();
    assert_eq!(rig.pair.near.results(), [(STATUS_ACCESS_VIOLATION, 0, 1), (STATUS_CANCELLED, 0, 2)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_CANCELLED, 0, 9)]);
    rig.tear_down();
}

/// A Write that the peer refuses while it is on its way fails by the Terminate that names it; the Send before it has
/// arrived.
#[test]
fn write_over_network_that_is_refused_on_its_way_is_named() {
    let rig = Rig::with_rights(SETTINGS, 1 << 20, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
    receive(&rig.pair.far, 9, &rig.far_list(2000, 1));
    send(&rig.pair.near, 1, &rig.near_list(2000, 1), 0);
    rig.write(2, &rig.near_list(1 << 20, 1), 0);
    send(&rig.pair.near, 3, &[], 0);
    // The peer's answer comes before the batches are back.
    step(&rig, is_arrive);
    step(&rig, is_arrive);
    rig.run();
    let expected = [(STATUS_SUCCESS, 2000, 1), (STATUS_ACCESS_VIOLATION, 0, 2), (STATUS_CANCELLED, 0, 3)];
    assert_eq!(rig.pair.near.results(), expected);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 2000, 9)]);
    assert_eq!(rig.far.bytes[2000..], [0; (1 << 20) - 2000]);
    rig.tear_down();
}
