//! Connections over the pipe: what drivers see of them.

use core::ptr;
use std::sync::Arc;

use ntsim_core::sched::{Schedule, Strategy};
use sys::status::*;
use sys::wsk::*;

use super::fixture::*;

/// A connected pair: the listener, the accepted socket, and the one that connected.
pub(super) struct Pair {
    pub(super) listener: Listener,
    pub(super) there: (*mut WSK_SOCKET, Arc<Owner>),
    pub(super) here: (*mut WSK_SOCKET, Arc<Owner>),
}

impl Pair {
    pub(super) fn new(fixture: &Fixture, at: &str) -> Self {
        let at = at.parse().unwrap();
        let (owner, own) = (Owner::new(), Owner::new());
        let (listener, to) = fixture.listening(&owner, at);
        let here = fixture.connect(&own, at, to).unwrap();
        let there = owner.accepted();
        Self { listener, there: (there, owner), here: (here, own) }
    }

    pub(super) fn close(self) {
        for socket in [self.here.0, self.there.0, self.listener.socket] {
            assert_eq!(close(socket), STATUS_SUCCESS);
        }
    }
}

pub(super) const PLACES: [&str; 2] = ["127.0.0.2:0", "[::1]:0"];

#[test]
fn bytes_arrive_in_order_over_either_family() {
    for at in PLACES {
        let fixture = Fixture::new();
        let pair = Pair::new(&fixture, at);
        let bytes: Vec<u8> = (0..=250).cycle().take(600_000).collect();
        assert_eq!(send(pair.here.0, &bytes), (STATUS_SUCCESS, bytes.len()));
        pair.there.1.until(|owner| owner.bytes.lock().len() == bytes.len());
        assert_eq!(*pair.there.1.bytes.lock(), bytes);
        pair.close();
        assert!(fixture.rules().is_empty());
    }
}

#[test]
fn events_of_a_connecting_socket_show_bytes_that_came_before_they_were_enabled() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    assert_eq!(send(pair.there.0, b"early"), (STATUS_SUCCESS, 5));
    assert!(pair.here.1.bytes.lock().is_empty());
    assert_eq!(enable(pair.here.0, WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT), STATUS_SUCCESS);
    pair.here.1.until(|owner| *owner.bytes.lock() == b"early");
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn short_accept_stops_indications_until_a_receive_of_nothing() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().extend([Take::Part(3), Take::Refuse]);
    send(pair.here.0, b"abcdef");
    pair.there.1.until(|owner| *owner.indications.lock() == 1);
    send(pair.here.0, b"ghi");
    assert_eq!(*pair.there.1.bytes.lock(), b"abc");
    resume(pair.there.0);
    pair.there.1.until(|owner| *owner.indications.lock() == 2);
    assert_eq!(*pair.there.1.bytes.lock(), b"abc");
    resume(pair.there.0);
    pair.there.1.until(|owner| *owner.bytes.lock() == b"abcdefghi");
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn receive_takes_precedence_over_the_event() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    let buffer = Buffer::new(vec![0; 8]);
    let receive = start_receive(pair.there.0, buffer.all(), WSK_FLAG_WAITALL);
    send(pair.here.0, b"1234");
    assert!(!receive.is_done());
    send(pair.here.0, b"5678rest");
    assert_eq!(receive.wait(), (STATUS_SUCCESS, 8));
    assert_eq!(buffer.bytes, b"12345678");
    drop(buffer);
    pair.there.1.until(|owner| *owner.bytes.lock() == b"rest");
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn retained_data_stays_until_it_is_released() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().push_back(Take::Retain);
    send(pair.here.0, b"kept");
    pair.there.1.until(|owner| !owner.retained.lock().is_empty());
    send(pair.here.0, b" on");
    pair.there.1.until(|owner| *owner.bytes.lock() == b"kept on");
    let first = pair.there.1.retained.lock()[0];
    assert_eq!(release(pair.there.0, first), STATUS_SUCCESS);
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn graceful_disconnect_sends_its_buffer_and_leaves_the_other_direction() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    enable(pair.here.0, WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT);
    let last = Buffer::new(b"last".to_vec());
    assert_eq!(start_disconnect(pair.here.0, Some(last.all()), 0).wait().0, STATUS_SUCCESS);
    pair.there.1.until(|owner| !owner.ends.lock().is_empty());
    assert_eq!(
        (pair.there.1.bytes.lock().clone(), pair.there.1.ends.lock().clone()),
        (b"last".to_vec(), vec![0])
    );
    assert_eq!(send(pair.there.0, b"answer"), (STATUS_SUCCESS, 6));
    assert_eq!(start_disconnect(pair.there.0, None, 0).wait().0, STATUS_SUCCESS);
    drop(last);
    pair.here.1.until(|owner| !owner.ends.lock().is_empty());
    assert_eq!(
        (pair.here.1.bytes.lock().clone(), pair.here.1.ends.lock().clone()),
        (b"answer".to_vec(), vec![0])
    );
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn close_resets_the_peer_and_cancels_what_is_pending() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().push_back(Take::Refuse);
    let buffer = Buffer::new(vec![7; 2 << 20]);
    let (room, waits) = (Buffer::new(vec![0; 8]), Buffer::new(vec![0; 8]));
    let receive = start_receive(pair.here.0, room.all(), 0);
    let (first, second) = (start_send(pair.here.0, buffer.all()), start_send(pair.here.0, buffer.all()));
    assert_eq!(close(pair.here.0), STATUS_SUCCESS);
    assert!(receive.is_done() && first.is_done() && second.is_done(), "the close is the last");
    assert_eq!(receive.wait().0, STATUS_CANCELLED);
    assert_eq!((first.wait().0, second.wait().0), (STATUS_CANCELLED, STATUS_CANCELLED));
    pair.there.1.until(|owner| !owner.ends.lock().is_empty());
    assert_eq!(*pair.there.1.ends.lock(), [WSK_FLAG_ABORTIVE]);
    let status = start_receive(pair.there.0, waits.all(), 0).wait().0;
    assert_eq!(status, STATUS_FILE_FORCED_CLOSED);
    assert_eq!((close(pair.there.0), close(pair.listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
    drop((buffer, room, waits));
    assert!(fixture.rules().is_empty());
}

#[test]
fn abortive_disconnect_cancels_sends_and_resets_the_peer() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().push_back(Take::Refuse);
    let buffer = Buffer::new(vec![7; 2 << 20]);
    let send = start_send(pair.here.0, buffer.all());
    assert_eq!(start_disconnect(pair.here.0, None, WSK_FLAG_ABORTIVE).wait().0, STATUS_SUCCESS);
    assert_eq!(send.wait().0, STATUS_CANCELLED);
    pair.there.1.until(|owner| *owner.ends.lock() == [WSK_FLAG_ABORTIVE]);
    drop(buffer);
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn connect_to_nothing_says_what_is_missing() {
    let fixture = Fixture::new();
    let owner = Owner::new();
    let from = "127.0.0.1:0".parse().unwrap();
    let refused = fixture.connect(&owner, from, "127.0.0.9:7".parse().unwrap());
    assert_eq!(refused, Err(STATUS_CONNECTION_REFUSED));
    let unreachable = fixture.connect(&owner, from, "10.9.9.9:7".parse().unwrap());
    assert_eq!(unreachable, Err(STATUS_HOST_UNREACHABLE));
    let socket = fixture.connection(&owner, from);
    assert_eq!(bind(socket, "10.9.9.9:7".parse().unwrap()), STATUS_INVALID_ADDRESS_COMPONENT);
    assert_eq!(close(socket), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

#[test]
fn socket_connect_makes_a_connected_socket_or_none() {
    let fixture = Fixture::new();
    let (owner, own) = (Owner::new(), Owner::new());
    let at = "127.0.0.2:0".parse().unwrap();
    let (listener, to) = fixture.listening(&owner, at);
    let make = unsafe { (*fixture.npi.Dispatch).WskSocketConnect }.unwrap();
    let (client, none) = (fixture.npi.Client, ptr::null_mut());
    let attempt = |to: core::net::SocketAddr| {
        let (from, to) = (crate::wsk::address::native(at), crate::wsk::address::native(to));
        let (from, to) = ((&raw const from).cast(), (&raw const to).cast());
        let context = Arc::as_ptr(&own).cast_mut().cast();
        request(|irp| unsafe {
            make(client, SOCK_STREAM, IPPROTO_TCP, from, to, 0, context, ptr::null(), none, none, none, irp)
        })
    };
    let (status, socket) = attempt(to);
    assert_eq!(status, STATUS_SUCCESS);
    let there = owner.accepted();
    assert_eq!(send(socket as *mut _, b"hello"), (STATUS_SUCCESS, 5));
    owner.until(|owner| *owner.bytes.lock() == b"hello");
    assert_eq!(attempt("127.0.0.2:9".parse().unwrap()), (STATUS_CONNECTION_REFUSED, 0));
    for socket in [socket as *mut WSK_SOCKET, there, listener.socket] {
        assert_eq!(close(socket), STATUS_SUCCESS);
    }
    assert!(fixture.rules().is_empty());
}

#[test]
fn shredded_data_is_the_same_data() {
    let fixture = Fixture::with(crate::testing::builder().shred(3));
    let pair = Pair::new(&fixture, PLACES[0]);
    let bytes: Vec<u8> = (0..=252).cycle().take(100_000).collect();
    send(pair.here.0, &bytes);
    pair.there.1.until(|owner| owner.bytes.lock().len() == bytes.len());
    assert_eq!(*pair.there.1.bytes.lock(), bytes);
    pair.close();
    assert!(fixture.rules().is_empty());
}

/// A run under a schedule: both send, one ends, both close.
fn scheduled(seed: u64, strategy: Strategy) -> (u64, Vec<&'static str>) {
    let builder = crate::testing::builder().schedule(Schedule::seeded(seed, strategy)).shred(seed);
    let mut fixture = Fixture::with(builder);
    let pair = Pair::new(&fixture, PLACES[0]);
    enable(pair.here.0, WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT);
    pair.there.1.receive.lock().push_back(Take::Part(1));
    let sends: Vec<_> = (0..4_u8).map(|n| Buffer::new(vec![n; 3000])).collect();
    let pending: Vec<_> = sends.iter().map(|buffer| start_send(pair.here.0, buffer.all())).collect();
    pair.there.1.until(|owner| *owner.indications.lock() > 0);
    resume(pair.there.0);
    for pending in pending {
        assert_eq!(pending.wait(), (STATUS_SUCCESS, 3000));
    }
    send(pair.there.0, b"back");
    assert_eq!(start_disconnect(pair.here.0, None, 0).wait().0, STATUS_SUCCESS);
    pair.there.1.until(|owner| !owner.ends.lock().is_empty());
    assert_eq!(pair.there.1.bytes.lock().len(), 12_000);
    pair.here.1.until(|owner| *owner.bytes.lock() == b"back");
    pair.close();
    drop(sends);
    fixture.release();
    let registration = fixture.registration();
    unsafe { crate::wsk::client::WskDeregister(registration.ptr()) };
    let report = fixture.machine.take().unwrap().shutdown();
    print!("{report}");
    (report.schedule.as_ref().unwrap().digest.0, report.rules())
}

#[test]
fn seed_plays_the_same_run_again_and_others_play_others() {
    let mut digests = std::collections::BTreeSet::new();
    for seed in 0..30 {
        let (digest, rules) = scheduled(seed, Strategy::of_seed(seed));
        assert!(rules.is_empty(), "seed {seed}: {rules:?}");
        assert_eq!(scheduled(seed, Strategy::of_seed(seed)).0, digest, "seed {seed}");
        digests.insert(digest);
    }
    assert!(digests.len() > 20, "{} of 30", digests.len());
}
