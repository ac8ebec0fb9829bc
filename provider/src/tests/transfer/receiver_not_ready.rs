//! Sends for which the peer has no receive.

use std::time::Duration;

use sys::ndk::*;
use sys::status::*;
use test_kernel::{expire, is_ticking};

use super::{Rig, receive, send};
use crate::tests::consumer::{Pair, Seen};

const SECOND: [Duration; 1] = [Duration::from_secs(1)];

/// So many seconds pass, in which nothing comes of the send.
fn wait(pair: &Pair, seconds: usize) {
    for _ in 0..seconds {
        assert_eq!(expire(), SECOND);
        assert_eq!((pair.near.results(), pair.log.pump()), (vec![], vec![]));
    }
}

#[test]
fn send_without_a_receive_times_out_and_breaks_the_connection() {
    let pair = Pair::connected();
    assert_eq!(send(&pair.near, 1, &[], NDK_OP_FLAG_SILENT_SUCCESS), STATUS_SUCCESS);
    assert_eq!(send(&pair.near, 2, &[], 0), STATUS_SUCCESS);
    wait(&pair, 3);
    assert_eq!(expire(), SECOND);
    assert_eq!(pair.near.results(), [(STATUS_IO_TIMEOUT, 0, 1), (STATUS_CANCELLED, 0, 2)]);
    assert_eq!(pair.log.pump(), [Seen::Disconnected("near"), Seen::Disconnected("far")]);
    assert_eq!(send(&pair.near, 3, &[], 0), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.near.rnic.statistics().connection_error, 1);
    assert!(!is_ticking());
    pair.tear_down();
}

#[test]
fn receive_posted_before_the_rnr_timeout_completes_the_send() {
    let pair = Pair::connected();
    assert_eq!(send(&pair.near, 1, &[], 0), STATUS_SUCCESS);
    wait(&pair, 3);
    assert_eq!(receive(&pair.far, 2, &[]), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 1)]);
    assert_eq!(expire(), SECOND, "the timer that was set for it");
    assert!(!is_ticking());
    pair.tear_down();
}

#[test]
fn each_send_has_its_own_rnr_timeout() {
    let pair = Pair::connected();
    assert_eq!(send(&pair.near, 1, &[], 0), STATUS_SUCCESS);
    wait(&pair, 3);
    assert_eq!(receive(&pair.far, 2, &[]), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 1)]);
    assert_eq!(send(&pair.near, 3, &[], 0), STATUS_SUCCESS);
    // The timer was set for the first send, so the first second of the other one may be short.
    wait(&pair, 3);
    expire();
    assert_eq!(pair.near.results(), [(STATUS_IO_TIMEOUT, 0, 3)]);
    pair.tear_down();
}

#[test]
fn writes_and_reads_do_not_wait_for_a_receive() {
    let rig = Rig::new(NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_WRITE);
    assert_eq!(rig.write(1, 0), STATUS_SUCCESS);
    assert!(!is_ticking());
    rig.tear_down();
}

#[test]
fn qp_close_does_not_wait_for_a_receive() {
    let pair = Pair::connected();
    assert_eq!(send(&pair.near, 1, &[], 0), STATUS_SUCCESS);
    assert!(is_ticking());
    // Inline, as `tear_down` checks.
    pair.tear_down();
    assert!(!is_ticking());
}
