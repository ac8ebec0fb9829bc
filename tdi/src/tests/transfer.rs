//! Data, and the ends of connections.

use sys::status::*;
use sys::tdi::{
    TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE, TDI_DISCONNECT_WAIT, TDI_RECEIVE_PEEK,
    TDI_SEND_AND_DISCONNECT, TDI_SEND_NON_BLOCKING,
};
use test_kernel::pump;

use super::client::{Pair, Tcp, done, failed};
use super::handler::{NORMAL, watched};
use super::host::pass;
use crate::Command;
use crate::ndk::message::{PIECE, WINDOW};

fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

#[test]
fn stream_has_no_bounds_of_messages() {
    let pair = Pair::connected();
    let sent = pattern(100);
    let sends: Vec<_> = sent.chunks(30).map(|part| pair.client.send(pair.near, part)).collect();
    let receives: Vec<_> = [1, 45, 54].map(|length| pair.client.receive(pair.far, length)).into();
    pump();
    assert!(sends.iter().all(|send| send.outcome().unwrap().status == STATUS_SUCCESS));
    let mut got: Vec<u8> = Vec::new();
    for receive in &receives {
        let outcome = receive.outcome().unwrap();
        got.extend(&receive.data()[..outcome.information]);
    }
    while got.len() < 100 {
        let receive = pair.client.receive(pair.far, 100);
        pump();
        got.extend(&receive.data()[..receive.outcome().unwrap().information]);
    }
    assert_eq!(got, sent);
    pair.tear_down();
}

#[test]
fn send_longer_than_all_buffers_waits_for_receives_and_completes_once() {
    let pair = Pair::connected();
    let sent = pattern(PIECE * WINDOW * 3 + 17);
    let send = pair.client.send(pair.near, &sent);
    let mut got: Vec<u8> = Vec::new();
    pump();
    assert_eq!(send.outcome(), None);
    while got.len() < sent.len() {
        let receive = pair.client.receive(pair.far, 10_000);
        pump();
        got.extend(&receive.data()[..receive.outcome().unwrap().information]);
    }
    assert!(got == sent);
    assert_eq!(send.outcome(), done(sent.len()));
    pair.tear_down();
}

#[test]
fn peek_leaves_the_data() {
    let pair = Pair::connected();
    pair.client.send(pair.near, b"abc");
    pump();
    let peek = Command::Receive { length: 2, flags: TDI_RECEIVE_PEEK };
    for _ in 0..2 {
        let peeked = pair.client.submit(pair.far, peek, vec![0; 2]);
        assert_eq!((peeked.outcome(), &peeked.data()[..]), (done(2), &b"ab"[..]));
    }
    let receive = pair.client.receive(pair.far, 8);
    assert_eq!((receive.outcome(), &receive.data()[..3]), (done(3), &b"abc"[..]));
    pair.tear_down();
}

#[test]
fn unsupported_requests_are_refused() {
    let pair = Pair::connected();
    let refused = [
        (Command::Send { length: 4, flags: 0x400 }, STATUS_INVALID_PARAMETER),
        (Command::Send { length: 5, flags: 0 }, STATUS_INVALID_PARAMETER),
        (Command::Receive { length: 5, flags: 0 }, STATUS_INVALID_PARAMETER),
        (Command::Receive { length: 4, flags: 0x8 }, STATUS_INVALID_PARAMETER),
        (
            Command::Disconnect { flags: TDI_DISCONNECT_ABORT | TDI_DISCONNECT_RELEASE, limit: None },
            STATUS_INVALID_PARAMETER,
        ),
        (Command::Accept, STATUS_INVALID_CONNECTION),
    ];
    for (command, status) in refused {
        assert_eq!(pair.client.submit(pair.near, command, vec![0; 4]).outcome(), failed(status));
    }
    let control = pair
        .client
        .transport
        .create(&crate::ea::Opening::ControlChannel, None, test_kernel::passive())
        .unwrap();
    for file in [control, pair.near_address] {
        let send = pair.client.send(file, b"x");
        assert_eq!(send.outcome(), failed(STATUS_INVALID_DEVICE_REQUEST));
    }
    pair.client.close(control);
    // The connection is untouched.
    pair.client.send(pair.near, b"x");
    pump();
    assert_eq!(pair.client.receive(pair.far, 1).outcome(), done(1));
    pair.tear_down();
}

#[test]
fn send_that_may_not_wait_fails_while_another_waits() {
    let pair = Pair::connected();
    let long = pair.client.send(pair.near, &pattern(PIECE * (WINDOW + 4)));
    pump();
    assert_eq!(long.outcome(), None);
    let flags = TDI_SEND_NON_BLOCKING;
    let hasty = pair.client.submit(pair.near, Command::Send { length: 1, flags }, vec![0]);
    assert_eq!(hasty.outcome(), failed(STATUS_DEVICE_NOT_READY));
    pair.tear_down();
}

#[test]
fn release_ends_the_stream_after_its_data_and_completes_with_the_peers() {
    for tcp in Tcp::ALL {
        let pair = Pair::with(tcp);
        pair.establish();
        let send = pair.client.send(pair.near, b"last");
        let release = pair.client.disconnect(pair.near, TDI_DISCONNECT_RELEASE);
        pump();
        assert_eq!((send.outcome(), release.outcome()), (done(4), None), "{tcp:?}");
        assert_eq!(pair.client.send(pair.near, b"x").outcome(), failed(STATUS_INVALID_CONNECTION));
        // The other direction still flows.
        let receive = pair.client.receive(pair.near, 4);
        pair.client.send(pair.far, b"more");
        pump();
        assert_eq!(receive.outcome(), done(4), "{tcp:?}");
        assert_eq!(pair.client.receive(pair.far, 9).outcome(), done(4));
        assert_eq!(pair.client.receive(pair.far, 9).outcome(), failed(STATUS_GRACEFUL_DISCONNECT));
        let answer = pair.client.disconnect(pair.far, TDI_DISCONNECT_RELEASE);
        pump();
        assert_eq!((answer.outcome(), release.outcome()), (done(0), done(0)), "{tcp:?}");
        // Both endpoints can be used again.
        pair.establish();
        pair.tear_down();
    }
}

#[test]
fn disconnect_that_only_waits_completes_with_the_peers() {
    for (flags, status) in [(TDI_DISCONNECT_RELEASE, STATUS_SUCCESS), (0, STATUS_CONNECTION_RESET)] {
        let pair = Pair::connected();
        let waits = [0, 1].map(|_| pair.client.disconnect(pair.far, TDI_DISCONNECT_WAIT));
        waits[0].cancel(&pair.client.transport);
        pump();
        assert_eq!((waits[0].outcome(), waits[1].outcome()), (failed(STATUS_CANCELLED), None));
        pair.client.disconnect(pair.near, flags);
        pump();
        assert_eq!(waits[1].outcome(), failed(status));
        if status == STATUS_SUCCESS {
            // Its own stream is as open as before.
            assert_eq!(pair.client.disconnect(pair.far, TDI_DISCONNECT_WAIT).outcome(), done(0));
            let receive = pair.client.receive(pair.near, 2);
            pair.client.send(pair.far, b"ok");
            pump();
            assert_eq!(receive.outcome(), done(2));
        }
        pair.tear_down();
    }
}

#[test]
fn send_that_disconnects_ends_the_stream_after_its_data() {
    let pair = Pair::connected();
    let command = Command::Send { length: 4, flags: TDI_SEND_AND_DISCONNECT };
    let last = pair.client.submit(pair.near, command, b"last".to_vec());
    pump();
    assert_eq!(last.outcome(), done(4));
    assert_eq!(pair.client.send(pair.near, b"x").outcome(), failed(STATUS_INVALID_CONNECTION));
    assert_eq!(pair.client.receive(pair.far, 9).outcome(), done(4));
    assert_eq!(pair.client.receive(pair.far, 9).outcome(), failed(STATUS_GRACEFUL_DISCONNECT));
    pair.client.disconnect(pair.far, TDI_DISCONNECT_RELEASE);
    pump();
    pair.establish();
    pair.tear_down();
}

#[test]
fn receives_that_wait_complete_when_the_peer_releases() {
    let pair = Pair::connected();
    let receives = [1, 2, 3].map(|length| pair.client.receive(pair.far, length));
    pair.client.disconnect(pair.near, TDI_DISCONNECT_RELEASE);
    pump();
    for receive in receives {
        assert_eq!(receive.outcome(), failed(STATUS_GRACEFUL_DISCONNECT));
    }
    pair.tear_down();
}

#[test]
fn abort_overtakes_a_release_and_completes_what_waits_in_order() {
    let pair = Pair::connected();
    let sends = [0, 1].map(|_| pair.client.send(pair.near, &pattern(PIECE * (WINDOW + 9))));
    let receives = [0, 1].map(|_| pair.client.receive(pair.near, 8));
    let release = pair.client.disconnect(pair.near, TDI_DISCONNECT_RELEASE);
    pump();
    pair.client.log.take();
    let abort = pair.client.disconnect(pair.near, TDI_DISCONNECT_ABORT);
    let second = pair.client.disconnect(pair.near, TDI_DISCONNECT_ABORT);
    pump();
    for ended in sends.iter().chain(&receives).chain([&release]) {
        assert_eq!(ended.outcome(), failed(STATUS_CONNECTION_ABORTED));
    }
    assert_eq!((abort.outcome(), second.outcome()), (done(0), failed(STATUS_INVALID_CONNECTION)));
    let order = sends.iter().chain(&receives).chain([&release, &abort]).map(|request| request.serial);
    let log: Vec<_> = pair.client.log.take().into_iter().filter(|serial| *serial != second.serial).collect();
    assert_eq!(log, order.collect::<Vec<_>>());
    pair.tear_down();
}

#[test]
fn release_that_the_peer_never_answers_times_out() {
    let pair = Pair::connected();
    let command = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit: Some(1000) };
    let release = pair.client.submit(pair.near, command, Vec::new());
    pump();
    assert_eq!(release.outcome(), None);
    pass(1000);
    pair.client.transport.tick();
    pump();
    assert_eq!(release.outcome(), failed(STATUS_IO_TIMEOUT));
    // The peer is told that it was no orderly end.
    assert_eq!(pair.client.send(pair.far, b"x").outcome(), failed(STATUS_INVALID_CONNECTION));
    pair.tear_down();
}

#[test]
fn send_is_cancelled_alone_before_it_has_begun_and_with_the_connection_afterwards() {
    let pair = Pair::connected();
    let begun = pair.client.send(pair.near, &pattern(PIECE * (WINDOW + 9)));
    let waits = pair.client.send(pair.near, b"second");
    pump();
    waits.cancel(&pair.client.transport);
    pump();
    assert_eq!((waits.outcome(), begun.outcome()), (failed(STATUS_CANCELLED), None));
    let receive = pair.client.receive(pair.near, 4);
    begun.cancel(&pair.client.transport);
    pump();
    assert_eq!(begun.outcome(), failed(STATUS_CANCELLED));
    assert_eq!(receive.outcome(), failed(STATUS_CONNECTION_ABORTED));
    pair.tear_down();
}

#[test]
fn data_is_shown_while_no_receive_waits_and_not_again_when_it_was_not_wanted() {
    let pair = Pair::connected();
    let mut seen = watched(&pair);
    seen.take = vec![3];
    pair.client.send(pair.near, b"abcdef");
    pump();
    assert_eq!(seen.shown, [(NORMAL, 6, 6), (NORMAL, 3, 3)]);
    pair.client.send(pair.near, b"ghi");
    pump();
    assert_eq!(seen.shown.len(), 2);
    let receive = pair.client.receive(pair.far, 2);
    assert_eq!(&receive.data()[..], b"de");
    // The receive has taken a part, so the rest is shown.
    pump();
    assert_eq!(seen.shown[2..], [(NORMAL, 1, 4)]);
    let waits = [pair.client.receive(pair.far, 4), pair.client.receive(pair.far, 4)];
    pair.client.send(pair.near, b"jkl");
    pump();
    assert_eq!(seen.shown.len(), 3);
    assert_eq!((waits[0].outcome(), waits[1].outcome()), (done(4), done(3)));
    pair.tear_down();
    drop(seen);
}

#[test]
fn handler_takes_the_rest_by_a_receive_of_its_own() {
    let pair = Pair::connected();
    let mut seen = watched(&pair);
    seen.again = Some((pair.client.log.clone(), pair.far, 0));
    pair.client.send(pair.near, b"abcdef");
    pump();
    assert_eq!(seen.shown, [(NORMAL, 6, 6)]);
    assert!(pair.client.log.take().contains(&88));
    pair.tear_down();
    drop(seen);
}

#[test]
fn disconnect_handler_is_called_once_with_the_peers_way_of_ending() {
    for (flags, told) in [(0, TDI_DISCONNECT_ABORT), (TDI_DISCONNECT_RELEASE, TDI_DISCONNECT_RELEASE)] {
        let pair = Pair::connected();
        let seen = watched(&pair);
        pair.client.disconnect(pair.near, flags);
        pump();
        assert_eq!(seen.told, [told]);
        pair.client.disconnect(pair.far, TDI_DISCONNECT_RELEASE);
        pump();
        assert_eq!(seen.told, [told]);
        pair.tear_down();
        drop(seen);
    }
}
