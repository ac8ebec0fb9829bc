//! QPs that die while they are used: in an attempt to connect, and by their CQ (CL-4, CQ-6).

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::status::*;

use super::consumer::{DEPTH, Pair, Seen, call, close, request};

fn receive(qp: *mut NDK_QP, context: usize) -> NTSTATUS {
    call!(qp, NdkReceive, request(context), null(), 0)
}

/// An attempt to connect that the far side has been shown.
fn requested() -> Pair {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    pair.take_connect_request();
    pair
}

/// An attempt that the far side has accepted, and the near side been told of.
fn accepted() -> Pair {
    let pair = requested();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    pair
}

/// Closes the connector of a side whose QP's close is pending for it.
fn close_near_connector(pair: &mut Pair) {
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("qp")]);
    (pair.near.connector, pair.near.qp) = (null_mut(), pair.near.create_qp());
}

fn close_far_connector(pair: &mut Pair) {
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "far"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("qp")]);
    (pair.far.connector, pair.far.qp) = (null_mut(), pair.far.create_qp());
}

/// Fills the CQ of `qp`, 64 deep, by flushes of `qp`, until a result finds no room.
fn overflow(qp: *mut NDK_QP) {
    for _ in 0..=64 / DEPTH {
        for _ in 0..DEPTH {
            assert_eq!(receive(qp, 1), STATUS_SUCCESS);
        }
        call!(qp, NdkFlush);
    }
}

#[test]
fn qp_closed_while_connect_is_pending_cancels_the_connect_on_both_sides() {
    let mut pair = requested();
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CANCELLED)]);
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_ABORTED);
    close_near_connector(&mut pair);
    pair.tear_down();
}

#[test]
fn qp_closed_before_complete_connect_aborts_accept() {
    let mut pair = accepted();
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    let seen = pair.log.pump();
    assert_eq!(
        seen,
        [Seen::RequestCompleted("accept", STATUS_CONNECTION_ABORTED)],
        "the accept waits for no consumer"
    );
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_ABORTED);
    close_near_connector(&mut pair);
    pair.tear_down();
}

#[test]
fn qp_closed_while_accept_is_pending_cancels_accept() {
    let mut pair = accepted();
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_CANCELLED)]);
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_ABORTED);
    close_far_connector(&mut pair);
    pair.tear_down();
}

#[test]
fn qp_of_an_attempt_that_ended_connects_again_and_its_close_ends_that() {
    let mut pair = accepted();
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_CANCELLED)]);
    close_far_connector(&mut pair);
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::Disconnected("near"), Seen::Disconnected("far")]);
    close_near_connector(&mut pair);
    pair.tear_down();
}

#[test]
fn cq_that_has_overflown_reports_nothing_more_and_ends_its_qps() {
    let pair = Pair::connected();
    let (one, other) = (pair.far.create_qp(), pair.far.create_qp());
    assert_eq!(receive(other, 2), STATUS_SUCCESS);
    assert_eq!(receive(pair.far.qp, 3), STATUS_SUCCESS);
    overflow(one);
    let mut seen = pair.log.pump();
    seen.sort_by_key(|seen| *seen != Seen::Disconnected("near"));
    assert_eq!(seen, [Seen::Disconnected("near"), Seen::Disconnected("far")]);
    assert_eq!(pair.far.results().len(), 64, "what was there before");
    for qp in [one, other, pair.far.qp] {
        assert_eq!(receive(qp, 4), STATUS_CONNECTION_INVALID);
        call!(qp, NdkFlush);
    }
    assert_eq!(call!(pair.far.qp, NdkSend, null_mut(), null(), 0, 0), STATUS_CONNECTION_INVALID);
    assert_eq!(call!(pair.far.cq, NdkResizeCq, 128, None, null_mut()), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), []);
    for _ in 0..2 {
        call!(pair.far.cq, NdkArmCq, NDK_CQ_NOTIFY_ERRORS);
        assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_BUFFER_OVERFLOW)]);
    }
    for qp in [one, other] {
        assert_eq!(close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

#[test]
fn cq_that_overflows_ends_the_attempts_of_its_qps() {
    let pair = accepted();
    let one = pair.far.create_qp();
    overflow(one);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_CANCELLED)]);
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_ABORTED);
    assert_eq!(close!(pair.log, one, NdkCloseQp, "qp"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn qp_of_a_cq_that_has_overflown_is_not_accepted_with() {
    let pair = requested();
    let one = pair.far.create_qp();
    overflow(one);
    pair.log.pump();
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    assert_eq!(close!(pair.log, one, NdkCloseQp, "qp"), STATUS_SUCCESS);
    pair.tear_down();
}
