//! Data across a connection.

use core::time::Duration;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_RELEASE, TDI_RECEIVE_PEEK, TDI_SEND_NON_BLOCKING};
use tdi_client::event::on_send_possible;
use tdi_client::request::{disconnect, receive, receive_with, send, send_with};
use tdi_client::transfer::{self, Way};

use super::{LEVELS, at, end_clean, fixture, pair};

/// Longer than any handler takes to be called.
const LONG: Duration = Duration::from_secs(60);

/// Bytes that repeat nowhere.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(length as u64).fill(&mut bytes);
    bytes
}

#[test]
fn stream_arrives_as_it_was_sent_whatever_its_length_and_however_it_is_taken() {
    let fixture = fixture();
    let pair = pair(&fixture);
    for length in [0, 1, 16 << 10, (16 << 10) + 1, 1_000_003] {
        let data = bytes(length);
        for way in [Way::Requests, Way::Events] {
            let moved = transfer::run(&pair, way, &data[..], length as u64, |_| ()).expect("it arrives");
            assert_eq!(moved.sent, moved.arrived, "{length} bytes by {way:?}");
        }
    }
    pair.release().expect("both streams end");
    drop(pair);
    end_clean(fixture);
}

#[test]
fn data_may_be_sent_and_received_at_any_level() {
    let fixture = fixture();
    let pair = pair(&fixture);
    for level in LEVELS {
        let peeked = at(level, || receive_with(&pair.far, vec![0; 9], TDI_RECEIVE_PEEK));
        let received = at(level, || receive(&pair.far, 9));
        let sent = at(level, || send(&pair.near, b"some data".to_vec()));
        assert_eq!(peeked.wait().data, b"some data");
        assert_eq!(received.wait().data, b"some data");
        assert_eq!((sent.wait().information, level), (9, level));
    }
    let releases =
        [&pair.near, &pair.far].map(|file| at(LEVELS[1], || disconnect(file, TDI_DISCONNECT_RELEASE)));
    assert_eq!(releases.map(tdi_client::Request::status), [STATUS_SUCCESS; 2]);
    drop(pair);
    end_clean(fixture);
}

#[test]
fn client_whose_send_was_refused_is_told_when_sends_are_possible_again() {
    /// More than fits into the other side's room.
    const STUCK: usize = 1 << 20;
    let fixture = fixture();
    let pair = pair(&fixture);
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let handler = Box::leak(Box::new(move |room: usize| {
        tell.lock().expect("not poisoned").send(room).expect("the test waits");
    }));
    on_send_possible(&pair.near_address, handler).expect("a handler is registered");
    let hasty = |level| at(level, || send_with(&pair.near, vec![0], TDI_SEND_NON_BLOCKING)).status();
    for level in LEVELS {
        let stuck = send(&pair.near, vec![0; STUCK]);
        assert_eq!(hasty(level), STATUS_DEVICE_NOT_READY);
        assert!(told.try_recv().is_err(), "nothing has been read");
        let mut left = STUCK;
        while left > 0 {
            left -= receive(&pair.far, 1 << 20).wait().information;
        }
        assert_eq!(stuck.status(), STATUS_SUCCESS);
        let room = told.recv_timeout(LONG).expect("the handler is called");
        assert!(room > 0 && room < STUCK, "{room} bytes of room");
        assert_eq!(hasty(level), STATUS_SUCCESS);
        assert_eq!(receive(&pair.far, 9).wait().information, 1);
        assert!(told.try_recv().is_err(), "it is called once");
    }
    drop(pair);
    end_clean(fixture);
}
