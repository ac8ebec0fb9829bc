//! Shared receive queues (WR-9).

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::status::*;
use test_kernel::{expire, have_single_processor};

use super::consumer::{Pair, Seen, call, close, notified, request};
use super::wire;

/// Gives the far side a queue pair with a shared receive queue of `depth`.
fn pair_with_srq(depth: u32, threshold: u32) -> (Pair, *mut NDK_SRQ) {
    let mut pair = Pair::new();
    let srq = share_receives(&mut pair, depth, threshold);
    pair.establish();
    (pair, srq)
}

/// Gives the far side, which is not connected, a queue pair with a shared receive queue.
fn share_receives(pair: &mut Pair, depth: u32, threshold: u32) -> *mut NDK_SRQ {
    let (pd, cq) = (pair.far.pd, pair.far.cq);
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    let (mut srq, mut qp) = (null_mut(), null_mut());
    let context = pair.log.context("srq");
    let none = null_mut();
    let status = call!(
        pd,
        NdkCreateSrq,
        depth,
        2,
        threshold,
        Some(notified),
        context,
        none,
        None,
        null_mut(),
        &mut srq
    );
    assert_eq!(status, STATUS_SUCCESS);
    let context = request(0x51);
    let status = call!(pd, NdkCreateQpWithSrq, cq, cq, srq, context, 4, 2, 0, None, null_mut(), &mut qp);
    assert_eq!(status, STATUS_SUCCESS);
    pair.far.qp = qp;
    srq
}

/// RX-7: a message over a network waits at a shared queue like one of loopback.
#[test]
fn message_over_network_waits_at_a_shared_queue() {
    let mut pair = Pair::over_network(wire::SETTINGS);
    let srq = share_receives(&mut pair, 4, 0);
    wire::establish(&mut pair);
    assert_eq!((send(&pair, 1), send(&pair, 2)), (0, 0));
    wire::run(&pair);
    assert_eq!(pair.far.results(), []);
    assert_eq!(receive(srq, 7), 0);
    wire::run(&pair);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 7)]);
    assert_eq!((receive(srq, 8), receive(srq, 9)), (0, 0));
    wire::run(&pair);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 8)]);
    assert_eq!(pair.near.results().len(), 2);
    assert_eq!(close!(pair.log, srq, NdkCloseSrq, "srq"), STATUS_PENDING);
    close!(pair.log, pair.far.connector, NdkCloseConnector, "far");
    wire::run(&pair);
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(wire::run(&pair), [Seen::Closed("srq")]);
    pair.far.connector = null_mut();
    pair.far.qp = pair.far.create_qp();
    wire::tear_down(pair);
}

#[test]
fn srq_notification_on_single_processor_waits_for_tick() {
    have_single_processor();
    let (pair, srq) = pair_with_srq(4, 2);
    assert_eq!((receive(srq, 1), receive(srq, 2), send(&pair, 1)), (0, 0, 0));
    assert_eq!(pair.log.pump(), []);
    assert_eq!(expire().len(), 1);
    assert_eq!(pair.log.pump(), [Seen::Notified("srq", STATUS_SUCCESS)]);
    tear_down(pair, srq);
}

fn receive(srq: *mut NDK_SRQ, number: usize) -> NTSTATUS {
    call!(srq, NdkSrqReceive, request(number), null(), 0)
}

fn send(pair: &Pair, number: usize) -> NTSTATUS {
    call!(pair.near.qp, NdkSend, request(number), null(), 0, 0)
}

/// The antecedent first: it waits for the queue pair.
fn tear_down(mut pair: Pair, srq: *mut NDK_SRQ) {
    assert_eq!(close!(pair.log, srq, NdkCloseSrq, "srq"), STATUS_PENDING);
    close!(pair.log, pair.far.connector, NdkCloseConnector, "far");
    pair.log.pump();
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("srq")]);
    pair.far.connector = null_mut();
    pair.far.qp = pair.far.create_qp();
    pair.tear_down();
}

#[test]
fn shared_queue_serves_its_queue_pair_and_a_waiting_send() {
    let (pair, srq) = pair_with_srq(2, 0);
    assert_eq!(call!(pair.far.qp, NdkReceive, null_mut(), null(), 0), STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(receive(srq, 1), STATUS_SUCCESS);
    send(&pair, 1);
    send(&pair, 2);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    assert_eq!(receive(srq, 2), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    assert_eq!(pair.near.results().len(), 2);
    tear_down(pair, srq);
}

#[test]
fn shared_queue_takes_its_depth_and_grows_when_modified() {
    let (pair, srq) = pair_with_srq(2, 0);
    assert_eq!([receive(srq, 1), receive(srq, 2)], [STATUS_SUCCESS; 2]);
    assert_eq!(receive(srq, 3), STATUS_INSUFFICIENT_RESOURCES);
    assert_eq!(call!(srq, NdkModifySrq, 3, 0, None, null_mut()), STATUS_SUCCESS);
    assert_eq!([receive(srq, 3), receive(srq, 4)], [STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES]);
    assert_eq!(call!(srq, NdkModifySrq, 1 << 20, 0, None, null_mut()), STATUS_INVALID_PARAMETER);
    for number in 1..=3 {
        send(&pair, number);
    }
    let order: Vec<_> = pair.far.results().iter().map(|(_, _, number)| *number).collect();
    assert_eq!(order, [1, 2, 3]);
    tear_down(pair, srq);
}

#[test]
fn falling_below_the_threshold_is_notified_once_until_it_is_set_again() {
    let (pair, srq) = pair_with_srq(4, 2);
    for number in 1..=3 {
        receive(srq, number);
    }
    assert_eq!(pair.log.pump(), []);
    send(&pair, 1);
    assert_eq!(pair.log.pump(), [], "two are left");
    send(&pair, 2);
    assert_eq!(pair.log.pump(), [Seen::Notified("srq", STATUS_SUCCESS)]);
    send(&pair, 3);
    assert_eq!(pair.log.pump(), [], "the notification was used up");
    assert_eq!(call!(srq, NdkModifySrq, 4, 0, None, null_mut()), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [], "a threshold of zero keeps what is, and arms nothing");
    assert_eq!(call!(srq, NdkModifySrq, 0, 1, None, null_mut()), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Notified("srq", STATUS_SUCCESS)], "it is below already");
    tear_down(pair, srq);
}

#[test]
fn queue_pair_that_waits_for_a_receive_can_be_closed() {
    let (mut pair, srq) = pair_with_srq(4, 0);
    send(&pair, 1);
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    pair.log.pump();
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "far"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("qp")]);
    assert_eq!(receive(srq, 1), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, srq, NdkCloseSrq, "srq"), STATUS_SUCCESS);
    pair.far.connector = null_mut();
    pair.far.qp = pair.far.create_qp();
    pair.tear_down();
}

#[test]
fn modify_with_zero_threshold_keeps_threshold_and_arming() {
    let (pair, srq) = pair_with_srq(4, 2);
    assert_eq!([receive(srq, 1), receive(srq, 2)], [STATUS_SUCCESS; 2]);
    assert_eq!(call!(srq, NdkModifySrq, 5, 0, None, null_mut()), STATUS_SUCCESS);
    send(&pair, 1);
    assert_eq!(pair.log.pump(), [Seen::Notified("srq", STATUS_SUCCESS)], "it is armed with two still");
    assert_eq!(call!(srq, NdkModifySrq, 4, 0, None, null_mut()), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [], "it is below, and not armed");
    send(&pair, 2);
    assert_eq!(pair.log.pump(), []);
    tear_down(pair, srq);
}

#[test]
fn srq_notification_that_waits_or_falls_due_while_closing_is_not_made() {
    for sent_before in [true, false] {
        let (mut pair, srq) = pair_with_srq(4, 2);
        assert_eq!([receive(srq, 1), receive(srq, 2)], [STATUS_SUCCESS; 2]);
        if sent_before {
            send(&pair, 1);
        }
        assert_eq!(close!(pair.log, srq, NdkCloseSrq, "srq"), STATUS_PENDING);
        if !sent_before {
            send(&pair, 1);
        }
        assert_eq!(pair.log.pump(), []);
        assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)], "one receive was taken");
        close!(pair.log, pair.far.connector, NdkCloseConnector, "far");
        pair.log.pump();
        assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
        assert_eq!(pair.log.pump(), [Seen::Closed("srq")]);
        pair.far.connector = null_mut();
        pair.far.qp = pair.far.create_qp();
        pair.tear_down();
    }
}
