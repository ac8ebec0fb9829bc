//! Interrupt moderation of a completion queue (CQ-7).

use std::cell::Cell;
use std::ptr::null_mut;
use std::rc::Rc;
use std::time::Duration;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::ULONG;
use test_kernel::{at_atomics, at_each, expire, is_ticking};

use super::{receive, send};
use crate::tests::consumer::{Pair, Seen, Side, call, close};

const NOTIFIED: Seen = Seen::Notified("cq", STATUS_SUCCESS);

fn moderate(pair: &Pair, interval: ULONG, count: ULONG) -> NTSTATUS {
    call!(pair.far.cq, NdkControlCqInterruptModeration, interval, count)
}

/// A connection whose far side's queue is moderated, and armed.
fn moderated(interval: ULONG, count: ULONG) -> Pair {
    let pair = Pair::connected();
    assert_eq!(moderate(&pair, interval, count), STATUS_SUCCESS);
    arm(&pair);
    pair
}

fn arm(pair: &Pair) {
    call!(pair.far.cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
}

/// A message from the near side to the far side; the callbacks that follow.
fn message(pair: &Pair) -> Vec<Seen> {
    assert_eq!(receive(&pair.far, 1, &[]), STATUS_SUCCESS);
    assert_eq!(send(&pair.near, 1, &[], NDK_OP_FLAG_SILENT_SUCCESS), STATUS_SUCCESS);
    pair.log.pump()
}

#[test]
fn notification_waits_for_as_many_results_as_the_count() {
    let pair = moderated(ULONG::MAX, 3);
    assert_eq!(message(&pair), []);
    assert_eq!(message(&pair), []);
    assert!(!is_ticking(), "the count alone limits");
    assert_eq!(message(&pair), [NOTIFIED]);
    assert_eq!(message(&pair), [], "it is not armed");
    pair.tear_down();
}

#[test]
fn notification_waits_no_longer_than_the_interval() {
    let pair = moderated(1000, ULONG::MAX);
    assert!(!is_ticking(), "nothing has come yet");
    assert_eq!(message(&pair), []);
    assert_eq!(message(&pair), []);
    assert_eq!(expire(), [Duration::from_micros(1000)]);
    assert_eq!(pair.log.pump(), [NOTIFIED]);
    assert!(!is_ticking());
    pair.tear_down();
}

#[test]
fn results_that_are_there_when_it_is_armed_are_moderated_too() {
    let pair = Pair::connected();
    assert_eq!(moderate(&pair, 1000, 2), STATUS_SUCCESS);
    message(&pair);
    arm(&pair);
    assert_eq!(pair.log.pump(), []);
    expire();
    assert_eq!(pair.log.pump(), [NOTIFIED]);
    message(&pair);
    arm(&pair);
    assert_eq!(pair.log.pump(), [NOTIFIED], "two are as many as the count");
    pair.tear_down();
}

#[test]
fn notification_comes_although_its_results_were_taken() {
    let pair = moderated(1000, 2);
    message(&pair);
    assert_eq!(pair.far.results().len(), 1);
    expire();
    assert_eq!(pair.log.pump(), [NOTIFIED]);
    pair.tear_down();
}

#[test]
fn arm_during_coalesced_notification_is_answered_by_it() {
    let pair = moderated(1000, 3);
    message(&pair);
    arm(&pair);
    arm(&pair);
    expire();
    assert_eq!(pair.log.pump(), [NOTIFIED]);
    assert_eq!(message(&pair), [], "none of them is left");
    pair.tear_down();
}

#[test]
fn new_settings_flush_coalesced_notification() {
    for (interval, count) in [(0, 0), (ULONG::MAX, 2), (5000, 9)] {
        let pair = moderated(1000, 3);
        message(&pair);
        assert_eq!(moderate(&pair, interval, count), STATUS_SUCCESS);
        assert!(!is_ticking());
        assert_eq!(pair.log.pump(), [NOTIFIED]);
        pair.tear_down();
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused_and_change_nothing() {
    let pair = moderated(ULONG::MAX, 64);
    for count in [65, ULONG::MAX] {
        assert_eq!(moderate(&pair, ULONG::MAX, count), STATUS_INVALID_PARAMETER_MIX);
    }
    assert_eq!(message(&pair), []);
    assert_eq!(call!(pair.far.cq, NdkResizeCq, 65, None, std::ptr::null_mut()), STATUS_SUCCESS);
    assert_eq!(moderate(&pair, ULONG::MAX, 65), STATUS_SUCCESS, "as many as the queue can hold");
    pair.tear_down();
}

#[test]
fn failed_cq_notifies_at_once() {
    let pair = Pair::connected();
    assert_eq!(moderate(&pair, 1000, ULONG::MAX), STATUS_SUCCESS);
    for _ in 0..65 {
        message(&pair);
    }
    assert_eq!(pair.far.results().len(), 64);
    arm(&pair);
    assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_BUFFER_OVERFLOW)]);
    pair.tear_down();
}

#[test]
fn full_queue_notifies_at_once() {
    let pair = moderated(1000, ULONG::MAX);
    for _ in 0..63 {
        assert_eq!(message(&pair), []);
    }
    assert_eq!(message(&pair), [NOTIFIED]);
    pair.tear_down();
}

#[test]
fn queue_that_a_resize_makes_full_notifies_at_once() {
    for (interval, count) in [(ULONG::MAX, 4), (1000, ULONG::MAX)] {
        let pair = moderated(interval, count);
        for _ in 0..3 {
            assert_eq!(message(&pair), []);
        }
        assert_eq!(call!(pair.far.cq, NdkResizeCq, 4, None, std::ptr::null_mut()), STATUS_SUCCESS);
        assert_eq!(pair.log.pump(), [], "there is room for one more");
        assert_eq!(call!(pair.far.cq, NdkResizeCq, 3, None, std::ptr::null_mut()), STATUS_SUCCESS);
        assert_eq!(pair.log.pump(), [NOTIFIED]);
        assert!(!is_ticking());
        pair.tear_down();
    }
}

#[test]
fn cq_close_does_not_wait_for_the_moderation_interval() {
    let pair = moderated(ULONG::MAX - 1, ULONG::MAX);
    message(&pair);
    assert!(is_ticking());
    // Inline, as `tear_down` checks.
    pair.tear_down();
    assert!(!is_ticking());
    assert_eq!(expire(), []);
}

/// Closes the far CQ, as another processor would, at each point of a message in turn: before its timer is set, between
/// the decision and the timer, and after.
#[test]
fn cq_closed_at_any_point_of_a_message_leaves_no_timer() {
    for number in 0.. {
        let mut pair = moderated(1000, ULONG::MAX);
        let (log, cq) = (pair.log.clone(), pair.far.cq);
        let points = Rc::new(Cell::new(0));
        let reached = points.clone();
        at_each(Some(Rc::new(move |_| {
            if reached.replace(reached.get() + 1) == number {
                assert_eq!(close!(log, cq, NdkCloseCq, "closed"), STATUS_PENDING, "its QP is open");
            }
        })));
        at_atomics(true);
        let seen = message(&pair);
        at_atomics(false);
        at_each(None);
        assert_eq!(seen, []);
        if points.get() <= number {
            assert!(number > 0 && is_ticking(), "the message sets the timer");
            assert_eq!(expire().len(), 1);
            pair.tear_down();
            break;
        }
        assert!(!is_ticking(), "the timer outlives the close, point {number}");
        close!(pair.log, pair.far.connector, NdkCloseConnector, "far");
        pair.log.pump();
        assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
        assert_eq!(pair.log.pump(), [Seen::Closed("closed")]);
        pair.far.connector = null_mut();
        pair.far.cq = Side::create_cq(pair.far.adapter, &pair.log);
        pair.far.qp = pair.far.create_qp();
        pair.tear_down();
    }
}
