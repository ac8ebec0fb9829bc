//! A time limit goes with its request.

use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_RELEASE, TDI_DISCONNECT_WAIT};
use test_kernel::pump;

use super::client::{FAR, Pair, done, failed};
use super::host::{Pending, pass};
use crate::{Command, Id};

/// Sends a request that was cancelled before the transport sees it.
fn submit_cancelled(pair: &Pair, file: Id, command: Command) -> Pending {
    let (record, pending) = pair.client.log.request(99, Vec::new(), 1);
    pending.cancel(&pair.client.transport);
    pair.client.transport.submit(file, command, record);
    pending
}

/// Lets more time pass than any limit of these tests.
fn expire(pair: &Pair) {
    pass(1000);
    pair.client.transport.tick();
    pump();
}

/// Asserts that the connection still carries data, both ways.
#[track_caller]
fn carries_data(pair: &Pair) {
    for (from, to) in [(pair.near, pair.far), (pair.far, pair.near)] {
        let receive = pair.client.receive(to, 2);
        let send = pair.client.send(from, b"ok");
        pump();
        assert_eq!((send.outcome(), receive.outcome()), (done(2), done(2)));
    }
}

#[test]
fn limit_of_connect_cancelled_before_it_waits_spares_next_connection() {
    let pair = Pair::new();
    let connect = Command::Connect { to: FAR.parse().ok(), limit: Some(50) };
    let cancelled = submit_cancelled(&pair, pair.far, connect);
    assert_eq!(cancelled.outcome(), failed(STATUS_CANCELLED));
    let listen = pair.client.listen(pair.far);
    expire(&pair);
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    carries_data(&pair);
    pair.tear_down();
}

#[test]
fn limit_of_connect_cancelled_while_it_waits_spares_next_connection() {
    let pair = Pair::new();
    pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let command = Command::Connect { to: FAR.parse().ok(), limit: Some(50) };
    let connect = pair.client.submit(pair.near, command, Vec::new());
    pump();
    connect.cancel(&pair.client.transport);
    pump();
    assert_eq!(connect.outcome(), failed(STATUS_CANCELLED));
    assert_eq!(pair.client.disconnect(pair.far, 0).outcome(), done(0));
    pair.establish();
    expire(&pair);
    carries_data(&pair);
    pair.tear_down();
}

#[test]
fn limit_of_cancelled_release_spares_connection() {
    let pair = Pair::connected();
    let command = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit: Some(50) };
    let release = pair.client.submit(pair.near, command, Vec::new());
    pump();
    release.cancel(&pair.client.transport);
    pump();
    assert_eq!(release.outcome(), failed(STATUS_CANCELLED));
    expire(&pair);
    // The near side's stream has ended, the far side's has not.
    let receive = pair.client.receive(pair.near, 2);
    let send = pair.client.send(pair.far, b"ok");
    pump();
    assert_eq!((send.outcome(), receive.outcome()), (done(2), done(2)));
    pair.tear_down();
}

#[test]
fn limit_of_release_whose_cancel_routine_is_on_its_way_spares_connection() {
    let pair = Pair::connected();
    let command = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit: Some(50) };
    let release = pair.client.submit(pair.near, command, Vec::new());
    pump();
    release.cancel(&pair.client.transport);
    pass(100);
    pair.client.transport.tick();
    pump();
    assert_eq!(release.outcome(), failed(STATUS_CANCELLED));
    let receive = pair.client.receive(pair.near, 2);
    let send = pair.client.send(pair.far, b"ok");
    pump();
    assert_eq!((send.outcome(), receive.outcome()), (done(2), done(2)));
    pair.tear_down();
}

#[test]
fn limit_of_release_cancelled_before_it_waits_spares_connection() {
    let pair = Pair::connected();
    let release = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit: Some(50) };
    assert_eq!(submit_cancelled(&pair, pair.near, release).outcome(), failed(STATUS_CANCELLED));
    expire(&pair);
    carries_data(&pair);
    pair.tear_down();
}

#[test]
fn limit_of_refused_second_release_spares_connection() {
    let pair = Pair::connected();
    let release = |limit| {
        let command = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit };
        pair.client.submit(pair.near, command, Vec::new())
    };
    let (first, second) = (release(None), release(Some(50)));
    pump();
    assert_eq!((first.outcome(), second.outcome()), (None, failed(STATUS_INVALID_CONNECTION)));
    expire(&pair);
    assert_eq!(first.outcome(), None);
    pair.tear_down();
}

#[test]
fn limit_of_connect_request_goes_with_its_disconnect_and_its_accept() {
    for accepts in [false, true] {
        let pair = Pair::new();
        pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
        pair.client.connect(pair.near, FAR);
        pump();
        let answer = if accepts { Command::Accept } else { Command::Disconnect { flags: 0, limit: None } };
        let answered = pair.client.submit(pair.far, answer, Vec::new());
        pump();
        assert_eq!(answered.outcome(), done(0));
        if !accepts {
            pair.establish();
        }
        pass(20_000_000);
        expire(&pair);
        carries_data(&pair);
        pair.tear_down();
    }
}

#[test]
fn late_disconnect_that_waits_for_peer_times_out_and_leaves_connection() {
    let pair = Pair::connected();
    let wait = |limit| {
        let command = Command::Disconnect { flags: TDI_DISCONNECT_WAIT, limit };
        pair.client.submit(pair.near, command, Vec::new())
    };
    let (forever, limited) = (wait(None), wait(Some(50)));
    expire(&pair);
    assert_eq!((forever.outcome(), limited.outcome()), (None, failed(STATUS_IO_TIMEOUT)));
    carries_data(&pair);
    pair.tear_down();
}
