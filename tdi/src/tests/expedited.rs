//! Expedited data: apart from the normal stream, and ahead of what waits of it.

use sys::status::*;
use sys::tdi::{
    TDI_DISCONNECT_RELEASE, TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL, TDI_RECEIVE_PEEK,
    TDI_SEND_AND_DISCONNECT, TDI_SEND_EXPEDITED, TDI_SEND_NON_BLOCKING,
};
use test_kernel::pump;

use super::client::{Pair, done, failed};
use super::handler::{EXPEDITED, NORMAL, watched};
use super::host::Pending;
use crate::Command;
use crate::ndk::message::{PIECE, WINDOW};

const BOTH: u32 = TDI_RECEIVE_NORMAL | TDI_RECEIVE_EXPEDITED;

/// More normal data than the other side holds unread.
const STUCK: usize = PIECE * (WINDOW + 3);

fn expedite(pair: &Pair, data: &[u8]) -> Pending {
    let command = Command::Send { length: data.len(), flags: TDI_SEND_EXPEDITED };
    pair.client.submit(pair.near, command, data.to_vec())
}

fn receive(pair: &Pair, length: usize, flags: u32) -> Pending {
    pair.client.submit(pair.far, Command::Receive { length, flags }, vec![0; length])
}

/// The data of a completed receive.
#[track_caller]
fn brought(receive: &Pending) -> Vec<u8> {
    let outcome = receive.outcome().expect("the receive is over");
    assert_eq!(outcome.status, STATUS_SUCCESS);
    receive.data()[..outcome.information].to_vec()
}

#[test]
fn expedited_data_overtakes_unread_normal_data() {
    let pair = Pair::connected();
    let stuck = pair.client.send(pair.near, &vec![b'n'; STUCK]);
    pump();
    let urgent = expedite(&pair, b"urgent");
    pump();
    assert_eq!((stuck.outcome(), urgent.outcome()), (None, done(6)));
    let received = receive(&pair, 8, TDI_RECEIVE_EXPEDITED);
    assert_eq!(brought(&received), b"urgent");
    // The normal stream has lost nothing.
    let mut left = STUCK;
    while left > 0 {
        let received = receive(&pair, PIECE, TDI_RECEIVE_NORMAL);
        pump();
        let bytes = brought(&received);
        assert!(bytes.iter().all(|byte| *byte == b'n'));
        left -= bytes.len();
    }
    assert_eq!(stuck.outcome(), done(STUCK));
    pair.tear_down();
}

#[test]
fn expedited_sends_keep_their_order_and_wait_for_their_reader_alone() {
    let pair = Pair::connected();
    let sends = [b"one", b"two", b"six"].map(|data| expedite(&pair, data));
    let normal = pair.client.send(pair.near, b"normal");
    pump();
    assert_eq!((sends[0].outcome(), sends[2].outcome(), normal.outcome()), (done(3), None, done(6)));
    assert_eq!(brought(&receive(&pair, 9, TDI_RECEIVE_NORMAL)), b"normal");
    for expected in [b"one", b"two", b"six"] {
        let received = receive(&pair, 9, TDI_RECEIVE_EXPEDITED);
        pump();
        assert_eq!(brought(&received), expected);
    }
    assert!(sends.iter().all(|send| send.outcome() == done(3)));
    pair.tear_down();
}

#[test]
fn long_expedited_send_arrives_whole() {
    let pair = Pair::connected();
    let data: Vec<u8> = (0..=252).cycle().take(PIECE * 3 + 5).collect();
    let send = expedite(&pair, &data);
    let mut got: Vec<u8> = Vec::new();
    while got.len() < data.len() {
        let received = receive(&pair, 10_000, TDI_RECEIVE_EXPEDITED);
        pump();
        got.extend(brought(&received));
    }
    assert!(got == data);
    assert_eq!(send.outcome(), done(data.len()));
    pair.tear_down();
}

#[test]
fn each_receive_gets_what_it_asks_for() {
    let pair = Pair::connected();
    let waits = [BOTH, TDI_RECEIVE_NORMAL, TDI_RECEIVE_EXPEDITED, 0].map(|flags| receive(&pair, 4, flags));
    pair.client.send(pair.near, b"norm");
    pump();
    assert_eq!(brought(&waits[0]), b"norm");
    expedite(&pair, b"expe");
    pump();
    assert_eq!((brought(&waits[2]), waits[1].outcome(), waits[3].outcome()), (b"expe".to_vec(), None, None));
    expedite(&pair, b"dite");
    pump();
    assert_eq!(brought(&waits[3]), b"dite");
    pair.client.send(pair.near, b"al..");
    pump();
    assert_eq!(brought(&waits[1]), b"al..");
    pair.tear_down();
}

#[test]
fn receive_of_either_kind_gets_expedited_data_first_and_never_mixes_them() {
    for flags in [0, BOTH] {
        let pair = Pair::connected();
        pair.client.send(pair.near, b"normal");
        expedite(&pair, b"urgent");
        pump();
        let peeked = receive(&pair, 20, flags | TDI_RECEIVE_PEEK);
        let received = [0, 1].map(|_| receive(&pair, 20, flags));
        assert_eq!(brought(&peeked), b"urgent");
        assert_eq!(received.map(|receive| brought(&receive)), [b"urgent", b"normal"]);
        pair.tear_down();
    }
}

#[test]
fn handler_is_shown_expedited_data_while_a_receive_for_normal_data_waits() {
    let pair = Pair::connected();
    let mut seen = watched(&pair);
    let waits = receive(&pair, 4, TDI_RECEIVE_NORMAL);
    seen.take = vec![3, 3];
    expedite(&pair, b"urgent");
    pump();
    assert_eq!(seen.shown, [(EXPEDITED, 6, 6), (EXPEDITED, 3, 3)]);
    assert_eq!(waits.outcome(), None);
    seen.shown.clear();
    let waits_too = receive(&pair, 4, TDI_RECEIVE_EXPEDITED);
    pair.client.send(pair.near, b"norm");
    expedite(&pair, b"expe");
    pump();
    assert_eq!(seen.shown, [], "no handler is called while a receive of its kind waits");
    assert_eq!((brought(&waits), brought(&waits_too)), (b"norm".to_vec(), b"expe".to_vec()));
    pair.tear_down();
    drop(seen);
}

#[test]
fn data_declined_by_a_handler_does_not_hold_up_the_other_kind() {
    let pair = Pair::connected();
    let mut seen = watched(&pair);
    expedite(&pair, b"unwanted");
    pump();
    seen.take = vec![6];
    pair.client.send(pair.near, b"wanted");
    pump();
    assert_eq!(seen.shown, [(EXPEDITED, 8, 8), (NORMAL, 6, 6)]);
    assert_eq!(brought(&receive(&pair, 9, TDI_RECEIVE_EXPEDITED)), b"unwanted");
    pair.tear_down();
    drop(seen);
}

#[test]
fn handler_takes_the_rest_of_expedited_data_by_a_receive_of_its_own() {
    let pair = Pair::connected();
    let mut seen = watched(&pair);
    seen.again = Some((pair.client.log.clone(), pair.far, TDI_RECEIVE_EXPEDITED));
    expedite(&pair, b"urgent");
    pump();
    assert_eq!(seen.shown, [(EXPEDITED, 6, 6)]);
    assert!(pair.client.log.take().contains(&88));
    pair.tear_down();
    drop(seen);
}

#[test]
fn release_comes_after_expedited_data_and_ends_each_receive_that_gets_nothing_more() {
    let pair = Pair::connected();
    let command = Command::Send { length: 4, flags: TDI_SEND_EXPEDITED | TDI_SEND_AND_DISCONNECT };
    expedite(&pair, b"first");
    let last = pair.client.submit(pair.near, command, b"last".to_vec());
    pump();
    assert_eq!(last.outcome(), None);
    let normal = receive(&pair, 9, TDI_RECEIVE_NORMAL);
    assert_eq!(brought(&receive(&pair, 9, TDI_RECEIVE_EXPEDITED)), b"first");
    pump();
    assert_eq!((last.outcome(), normal.outcome()), (done(4), failed(STATUS_GRACEFUL_DISCONNECT)));
    let late = receive(&pair, 9, TDI_RECEIVE_NORMAL);
    assert_eq!(late.outcome(), failed(STATUS_GRACEFUL_DISCONNECT));
    assert_eq!(brought(&receive(&pair, 9, 0)), b"last");
    assert_eq!(receive(&pair, 9, 0).outcome(), failed(STATUS_GRACEFUL_DISCONNECT));
    pair.client.disconnect(pair.far, TDI_DISCONNECT_RELEASE);
    pump();
    pair.establish();
    pair.tear_down();
}

#[test]
fn expedited_send_may_not_wait_only_for_those_of_its_kind() {
    let pair = Pair::connected();
    let hasty = Command::Send { length: 1, flags: TDI_SEND_EXPEDITED | TDI_SEND_NON_BLOCKING };
    pair.client.send(pair.near, &vec![0; STUCK]);
    let sent = pair.client.submit(pair.near, hasty, vec![0]);
    pump();
    assert_eq!(sent.outcome(), done(1));
    expedite(&pair, b"waits");
    pump();
    assert_eq!(pair.client.submit(pair.near, hasty, vec![0]).outcome(), failed(STATUS_DEVICE_NOT_READY));
    pair.tear_down();
}

#[test]
fn expedited_requests_that_wait_are_cancelled_and_end_with_the_file_ahead_of_normal_ones() {
    let pair = Pair::connected();
    let normal = pair.client.send(pair.near, &vec![0; STUCK]);
    let expedited = [0, 1, 2, 3].map(|_| expedite(&pair, b"x"));
    let near = |flags| pair.client.submit(pair.near, Command::Receive { length: 1, flags }, vec![0]);
    let receives = [near(TDI_RECEIVE_EXPEDITED), near(TDI_RECEIVE_NORMAL), near(TDI_RECEIVE_EXPEDITED)];
    pump();
    expedited[2].cancel(&pair.client.transport);
    receives[0].cancel(&pair.client.transport);
    pump();
    let cancelled = failed(STATUS_CANCELLED);
    assert_eq!((expedited[2].outcome(), receives[0].outcome()), (cancelled, cancelled));
    pair.client.log.take();
    pair.client.transport.cleanup(pair.near, test_kernel::passive());
    let rest = [&expedited[1], &expedited[3], &normal, &receives[1], &receives[2]];
    assert!(rest.iter().all(|request| request.outcome() == cancelled));
    assert_eq!(pair.client.log.take(), rest.map(|request| request.serial));
    pair.tear_down();
}

#[test]
fn cancel_in_the_middle_of_an_expedited_send_ends_the_connection() {
    let pair = Pair::connected();
    let begun = expedite(&pair, &vec![0; PIECE + 1]);
    pump();
    begun.cancel(&pair.client.transport);
    pump();
    assert_eq!(begun.outcome(), failed(STATUS_CANCELLED));
    assert_eq!(pair.client.send(pair.near, b"x").outcome(), failed(STATUS_INVALID_CONNECTION));
    pair.tear_down();
}
