//! Connections over the host's sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use ntsim_core::sched::{Schedule, Strategy};
use sys::status::*;
use sys::wsk::*;

use super::connection::{PLACES, Pair};
use super::fixture::*;

fn fixture() -> Fixture {
    Fixture::with(crate::testing::builder().host_sockets())
}

#[test]
fn bytes_cross_between_sockets_of_the_host() {
    for at in PLACES {
        for builder in [
            crate::testing::builder(),
            crate::testing::builder().shred(5),
            crate::testing::builder().acknowledged_sends(),
        ] {
            let fixture = Fixture::with(builder.host_sockets());
            let pair = Pair::new(&fixture, at);
            assert_eq!(set(pair.here.0, IPPROTO_TCP, TCP_NODELAY, 1), STATUS_SUCCESS);
            enable(pair.here.0, WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT);
            let bytes: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
            assert_eq!(send(pair.here.0, &bytes), (STATUS_SUCCESS, bytes.len()));
            pair.there.1.until(|owner| owner.bytes.lock().len() == bytes.len());
            assert!(*pair.there.1.bytes.lock() == bytes);
            assert_eq!(start_disconnect(pair.here.0, None, 0).wait().0, STATUS_SUCCESS);
            pair.there.1.until(|owner| *owner.ends.lock() == [0]);
            assert_eq!(send(pair.there.0, b"answer"), (STATUS_SUCCESS, 6));
            assert_eq!(start_disconnect(pair.there.0, None, 0).wait().0, STATUS_SUCCESS);
            pair.here.1.until(|owner| *owner.ends.lock() == [0]);
            assert_eq!(*pair.here.1.bytes.lock(), b"answer");
            pair.close();
            assert!(fixture.rules().is_empty());
        }
    }
}

#[test]
fn connection_of_the_host_is_accepted_and_reset() {
    let fixture = fixture();
    let owner = Owner::new();
    let (listener, to) = fixture.listening(&owner, "127.0.0.2:0".parse().unwrap());
    let mut stream = TcpStream::connect(to).unwrap();
    let there = owner.accepted();
    stream.write_all(b"from the host").unwrap();
    owner.until(|owner| *owner.bytes.lock() == b"from the host");
    assert_eq!(send(there, b"to the host"), (STATUS_SUCCESS, 11));
    let mut got = [0; 11];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got, *b"to the host");
    assert_eq!(close(there), STATUS_SUCCESS);
    let reset = stream.read(&mut got).unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(close(listener.socket), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

#[test]
fn connection_of_the_host_that_was_inspected_is_fed_to_its_own_socket() {
    let fixture = fixture();
    let owner = Owner::new();
    let (listener, to) = super::listening::conditional(&fixture, &owner);
    let mut stream = TcpStream::connect(to).unwrap();
    let there = owner.accepted();
    // The bytes come when the socket has its events: nothing but the host tells of them.
    std::thread::sleep(core::time::Duration::from_millis(20));
    stream.write_all(b"late").unwrap();
    owner.until(|owner| *owner.bytes.lock() == b"late");
    assert!(crate::wsk::ended_connections().is_empty());
    assert_eq!((close(there), close(listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
    assert_eq!(crate::wsk::ended_connections(), [stream.local_addr().unwrap()]);
    assert!(fixture.rules().is_empty());
}

#[test]
fn reset_by_the_host_is_an_abortive_disconnect_of_a_stopped_connection_too() {
    for take in [None, Some(Take::Refuse)] {
        let fixture = fixture();
        let owner = Owner::new();
        let (listener, to) = fixture.listening(&owner, "127.0.0.2:0".parse().unwrap());
        owner.receive.lock().extend(take);
        let mut stream = TcpStream::connect(to).unwrap();
        let there = owner.accepted();
        stream.write_all(b"bytes").unwrap();
        owner.until(|owner| *owner.indications.lock() == 1);
        // Bytes that are not read make the host reset the connection when it closes it.
        assert_eq!(send(there, b"unread"), (STATUS_SUCCESS, 6));
        owner.until(|_| stream.peek(&mut [0; 6]).unwrap() == 6);
        drop(stream);
        owner.until(|owner| *owner.ends.lock() == [WSK_FLAG_ABORTIVE]);
        assert_eq!((close(there), close(listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
        assert!(fixture.rules().is_empty());
    }
}

#[test]
fn window_of_the_peer_holds_sends_back() {
    let fixture = fixture();
    let own = Owner::new();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = fixture.connect(&own, "127.0.0.2:0".parse().unwrap(), host.local_addr().unwrap()).unwrap();
    let (mut stream, from) = host.accept().unwrap();
    assert_eq!(from, local(here));
    let buffer = Buffer::new(vec![9; 32 << 20]);
    let pending = start_send(here, buffer.all());
    std::thread::sleep(core::time::Duration::from_millis(50));
    assert!(!pending.is_done());
    let reader = std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
    assert_eq!(pending.wait(), (STATUS_SUCCESS, 32 << 20));
    assert_eq!(start_disconnect(here, None, 0).wait().0, STATUS_SUCCESS);
    assert_eq!(reader.join().unwrap().unwrap(), 32 << 20);
    drop(buffer);
    assert_eq!(close(here), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

#[test]
fn connect_to_nothing_at_the_host_is_refused_and_addresses_are_the_hosts() {
    let fixture = fixture();
    let owner = Owner::new();
    let from = "127.0.0.1:0".parse().unwrap();
    let refused = fixture.connect(&owner, from, "127.0.0.9:9".parse().unwrap());
    assert_eq!(refused, Err(STATUS_CONNECTION_REFUSED));
    let (listener, to) = fixture.listening(&owner, from);
    let socket = fixture.connection(&owner, from);
    assert_eq!(bind(socket, "10.255.9.9:7".parse().unwrap()), STATUS_INVALID_ADDRESS_COMPONENT);
    assert_eq!(bind(socket, to), STATUS_ADDRESS_ALREADY_EXISTS);
    assert_eq!((close(socket), close(listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
    assert!(fixture.rules().is_empty());
}

#[test]
fn machine_gives_its_descriptors_back() {
    let is_poll = |entry: std::io::Result<std::fs::DirEntry>| {
        let target = entry.and_then(|entry| std::fs::read_link(entry.path()));
        target.is_ok_and(|target| target.ends_with("anon_inode:[eventpoll]"))
    };
    for _ in 0..3 {
        let fixture = fixture();
        // A socket that is left goes with the machine, too. There is one machine at a time, so one such descriptor.
        fixture.connection(&Owner::new(), PLACES[0].parse().unwrap());
        let polls = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| is_poll(entry).then_some(()))
            .count();
        assert_eq!(polls, 1);
    }
}

#[test]
#[should_panic(expected = "a run under a schedule can be repeated, and the host's sockets cannot")]
fn schedule_and_sockets_of_the_host_are_refused() {
    let schedule = Schedule::seeded(1, Strategy::Random);
    drop(crate::testing::builder().host_sockets().schedule(schedule).boot());
}
