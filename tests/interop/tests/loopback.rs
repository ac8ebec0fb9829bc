//! Two endpoints over TCP of this machine.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use core::time::Duration;
use std::net::{TcpListener, TcpStream};
use std::thread;

use interop::{Endpoint, Error, Event, Rights, Settings};
use iwarp::ddp::Stag;
use iwarp::rdmap::{Code, SendKind};

const PATIENCE: Duration = Duration::from_secs(20);

/// Plays `initiator` against a responder that `responder` plays, each in its thread.
fn play(
    settings: Settings,
    initiator: impl FnOnce(Endpoint) + Send + 'static,
    responder: impl FnOnce(Endpoint),
) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let peer = thread::spawn(move || {
        let socket = TcpStream::connect(at).expect("a connection");
        initiator(Endpoint::connect(socket, settings, b"hello").expect("accepted"));
    });
    let (socket, _) = listener.accept().expect("a connection");
    let endpoint = Endpoint::accept(socket, settings, b"welcome").expect("a request");
    assert_eq!(endpoint.private(), b"hello");
    responder(endpoint);
    peer.join().expect("the initiator ends");
}

fn received(endpoint: &mut Endpoint) -> Vec<u8> {
    match endpoint.event(PATIENCE) {
        Ok(Event::Received { bytes, .. }) => bytes,
        other => panic!("{other:?}"),
    }
}

fn number(endpoint: &mut Endpoint) -> Stag {
    Stag(u32::from_be_bytes(received(endpoint).try_into().expect("four bytes")))
}

#[test]
fn every_operation_crosses_and_both_sides_count_the_same() {
    for crc in [false, true] {
        let settings = Settings { crc, ..Settings::default() };
        let (give, take) = std::sync::mpsc::channel();
        play(
            settings,
            move |mut near| {
                assert_eq!((near.private(), near.has_crc()), (&b"welcome"[..], crc));
                let stag = number(&mut near);
                near.write(stag, 1000, vec![7; 50_000]).expect("a write");
                near.read(stag, 1000, 50_000).expect("a read");
                assert_eq!(near.event(PATIENCE).expect("the bytes"), Event::ReadDone(vec![7; 50_000]));
                let kind = SendKind { solicited: true, invalidate: Some(stag) };
                near.send(kind, vec![9; 5000]).expect("a send");
                near.finish().expect("an end");
                assert_eq!(near.event(PATIENCE).expect("an end"), Event::Finished);
                give.send((near.sent, near.received)).expect("a listener");
            },
            |mut far| {
                let stag = far.memory.register(1000, vec![0; 50_000], Rights::ALL);
                far.send(SendKind::PLAIN, stag.0.to_be_bytes().to_vec()).expect("a send");
                assert_eq!(received(&mut far), vec![9; 5000]);
                assert_eq!(far.memory.bytes(stag), None);
                assert_eq!(far.event(PATIENCE).expect("an end"), Event::Finished);
                let (sent, arrived) = take.recv().expect("the counts");
                assert_eq!((far.received, far.sent), (sent, arrived));
                assert!(far.sent.0[2] > 10 && far.received.0[0] > 10);
            },
        );
    }
}

#[test]
fn write_to_memory_that_is_not_there_is_told() {
    play(
        Settings::default(),
        |mut near| {
            near.write(Stag(0x1234_5600), 0, vec![1; 10]).expect("a write");
            match near.event(PATIENCE) {
                Ok(Event::Terminated(terminate)) => assert_eq!(terminate.code, Code::new(1, 1, 0)),
                other => panic!("{other:?}"),
            }
        },
        |mut far| {
            assert!(matches!(far.event(PATIENCE), Ok(Event::Fault(_))));
            assert_eq!(far.sent.0[7], 1);
        },
    );
}

#[test]
fn peer_that_is_silent_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let socket = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let (silent, _) = listener.accept().expect("a connection");
    drop(silent);
    let error = Endpoint::connect(socket, Settings::default(), &[]).err();
    assert!(matches!(error, Some(Error::Start(_) | Error::Socket(_))), "{error:?}");
}
