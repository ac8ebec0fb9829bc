//! Datagrams between address objects.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use ntsim::io::File;
use sys::status::*;
use sys::tdi::*;
use tdi_client::datagram::{
    prepared_receive_datagram, receive_datagram, receive_datagram_with, send_datagram,
};
use tdi_client::event::{Taken, on_datagram, on_error, on_error_ex};
use tdi_client::{Fixture, Request};

use super::{FAR, LEVELS, NEAR, at, end_clean, fixture, is_one_of, succeeds};

/// A port that is named, on the near side.
const HERE: SocketAddr = SocketAddr::new(NEAR.ip(), 7000);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Two address objects, at `HERE` and at `FAR`.
fn ends(fixture: &Fixture) -> (File, File) {
    (
        fixture.address(HERE).expect("the near address opens"),
        fixture.address(FAR).expect("the far address opens"),
    )
}

#[test]
fn datagrams_arrive_whole_at_any_level_with_their_source() {
    let fixture = fixture();
    let (near, far) = ends(&fixture);
    for level in LEVELS {
        for length in [0, 1, 1500, 65_507] {
            let mut data = vec![0; length];
            fastrand::Rng::with_seed(length as u64).fill(&mut data);
            let received = at(level, || receive_datagram(&far, Some(HERE), 65_507));
            let sent = at(level, || send_datagram(&near, FAR, data.clone())).wait();
            assert_eq!((sent.status, sent.information), (STATUS_SUCCESS, length));
            let received = received.wait();
            assert_eq!((received.status, received.peer), (STATUS_SUCCESS, Some(HERE)));
            assert!(received.data[..received.information] == data);
        }
    }
    drop((near, far));
    end_clean(fixture);
}

#[test]
fn datagram_is_cut_to_the_buffer_and_one_that_is_too_long_refused() {
    let fixture = fixture();
    let (near, far) = ends(&fixture);
    let peeked = receive_datagram_with(&far, None, 2, TDI_RECEIVE_PEEK);
    let received = receive_datagram(&far, None, 4);
    succeeds(send_datagram(&near, FAR, b"too long".to_vec()).status());
    let (peeked, received) = (peeked.wait(), received.wait());
    assert_eq!((peeked.status, peeked.data), (STATUS_BUFFER_OVERFLOW, b"to".to_vec()));
    assert_eq!((received.status, received.data), (STATUS_BUFFER_OVERFLOW, b"too ".to_vec()));
    assert_eq!(send_datagram(&near, FAR, vec![0; 65_508]).status(), STATUS_INVALID_BUFFER_SIZE);
    let nowhere = SocketAddr::new([10, 0, 0, 99].into(), 1);
    assert_eq!(send_datagram(&near, nowhere, vec![0]).status(), STATUS_HOST_UNREACHABLE);
    let endpoint = fixture.endpoint(1).expect("an endpoint opens");
    assert_eq!(send_datagram(&endpoint, FAR, vec![0]).status(), STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(receive_datagram(&endpoint, None, 1).status(), STATUS_INVALID_DEVICE_REQUEST);
    drop((near, far, endpoint));
    end_clean(fixture);
}

#[test]
fn handler_is_shown_a_datagram_and_takes_the_rest_by_a_request_of_its_own() {
    let fixture = fixture();
    let (near, far) = ends(&fixture);
    let prepared = Mutex::new(Some(prepared_receive_datagram(&far, 9)));
    let (give, given) = channel();
    let give = Mutex::new(give);
    on_datagram(
        &far,
        Box::leak(Box::new(move |from, data: &[u8]| {
            assert_eq!((from, data), (Some(HERE), &b"datagram"[..]));
            let (irp, request) = prepared.lock().expect("not poisoned").take().expect("one is shown").give();
            give.lock().expect("not poisoned").send(request).expect("the test waits");
            Taken { status: STATUS_MORE_PROCESSING_REQUIRED, bytes: 4, irp }
        })),
    )
    .expect("a handler is registered");
    succeeds(send_datagram(&near, FAR, b"datagram".to_vec()).status());
    let rest = given.recv_timeout(LONG).expect("the handler was called").wait();
    assert_eq!((rest.status, &rest.data[..rest.information]), (STATUS_SUCCESS, &b"gram"[..]));
    assert_eq!(rest.peer, Some(HERE));
    drop((near, far));
    end_clean(fixture);
}

#[test]
fn handlers_answer_each_other_as_often_as_they_like() {
    const ROUNDS: usize = 2000;
    let fixture = fixture();
    let (near, far) = ends(&fixture);
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let rounds = AtomicUsize::new(0);
    // By references, which go before the machine does; the handlers stay.
    let files: &[_; 2] = Box::leak(Box::new([&near, &far].map(|file| Mutex::new(Some(file.reference())))));
    let answer = |which: usize, to: Option<SocketAddr>, data: &[u8]| {
        let file = files[which].lock().expect("not poisoned");
        let file = file.as_ref().expect("the conversation goes on");
        let to = to.expect("a datagram has a sender");
        succeeds(send_datagram(file, to, data.to_vec()).status());
    };
    on_datagram(
        &far,
        Box::leak(Box::new(move |from: Option<SocketAddr>, data: &[u8]| {
            answer(1, from, data);
            Taken::bytes(data.len())
        })),
    )
    .expect("a handler is registered");
    let answering = Box::leak(Box::new(move |from: Option<SocketAddr>, data: &[u8]| {
        if rounds.fetch_add(1, Ordering::Relaxed) == ROUNDS {
            tell.lock().expect("not poisoned").send(()).expect("the test waits");
        } else {
            answer(0, from, data);
        }
        Taken::bytes(data.len())
    }));
    on_datagram(&near, answering).expect("a handler is registered");
    succeeds(send_datagram(&near, FAR, b"ping".to_vec()).status());
    told.recv_timeout(LONG).expect("the conversation comes to its end");
    files.iter().for_each(|file| drop(file.lock().expect("not poisoned").take()));
    drop((near, far));
    end_clean(fixture);
}

#[test]
fn receives_that_wait_are_cancelled_one_by_one_and_by_the_cleanup_in_order() {
    let fixture = fixture();
    let (near, far) = ends(&fixture);
    for level in LEVELS {
        let waits: Vec<_> = (0..3).map(|_| at(level, || receive_datagram(&far, None, 10))).collect();
        at(level, || waits[1].cancel());
        for request in waits {
            at(level, || request.cancel());
            assert_eq!(request.status(), STATUS_CANCELLED);
        }
    }
    let waits: Vec<_> = (0..4).map(|_| receive_datagram(&far, None, 10)).collect();
    drop(far);
    let order: Vec<_> =
        waits.iter().map(|request| request.sequence().expect("a request outlived its cleanup")).collect();
    assert!(order.is_sorted(), "they completed in the order {order:?}");
    assert!(waits.into_iter().map(Request::status).all(|status| status == STATUS_CANCELLED));
    drop(near);
    end_clean(fixture);
}

#[test]
fn cancels_and_datagrams_race_cleanups_and_each_request_completes_once() {
    let fixture = fixture();
    for round in 0..40_u64 {
        let (near, far) = ends(&fixture);
        let seen = Box::leak(Box::new(|_: Option<SocketAddr>, data: &[u8]| Taken::bytes(data.len())));
        on_datagram(&far, seen).expect("a handler is registered");
        let waits: Vec<_> = (0..6).map(|_| receive_datagram(&far, None, 100)).collect();
        let canceller = thread::spawn(move || {
            for request in waits.iter().step_by(2) {
                request.cancel();
            }
            waits
        });
        let sender = thread::spawn(move || {
            for _ in 0..6 {
                is_one_of(
                    send_datagram(&near, FAR, vec![4; 50]).status(),
                    &[STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES],
                );
            }
            near
        });
        thread::sleep(Duration::from_micros(round * 9));
        drop(far);
        for request in canceller.join().expect("the canceller ends") {
            is_one_of(request.status(), &[STATUS_SUCCESS, STATUS_CANCELLED]);
        }
        drop(sender.join().expect("the sender ends"));
    }
    end_clean(fixture);
}

#[test]
fn client_is_told_when_the_adapter_of_its_address_goes() {
    let fixture = fixture();
    let (near, far) = ends(&fixture);
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let handler = Box::leak(Box::new(move |status| {
        tell.lock().expect("not poisoned").send(status).expect("the test waits");
    }));
    on_error(&far, handler).expect("a handler is registered");
    let (tell_more, told_more) = channel();
    let tell_more = Mutex::new(tell_more);
    let handler = Box::leak(Box::new(move |status, address| {
        tell_more.lock().expect("not poisoned").send((status, address)).expect("the test waits");
    }));
    on_error_ex(&far, handler).expect("a handler is registered");
    let waits = receive_datagram(&far, None, 9);
    fixture.halt(1);
    assert_eq!(told.try_recv(), Ok(STATUS_ADDRESS_CLOSED));
    assert_eq!(told_more.try_recv(), Ok((STATUS_ADDRESS_CLOSED, Some(FAR))));
    assert_eq!(send_datagram(&near, FAR, vec![0]).status(), STATUS_HOST_UNREACHABLE);
    assert_eq!(waits.status(), STATUS_ADDRESS_CLOSED);
    assert_eq!(receive_datagram(&far, None, 9).status(), STATUS_ADDRESS_CLOSED);
    drop((near, far));
    end_clean(fixture);
}
