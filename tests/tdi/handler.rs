//! A client's event handlers, and requests that they make.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use ntsim::sched::Irql;
use sys::status::*;
use sys::tdi::*;
use tdi_client::Pair;
use tdi_client::event::{Taken, on_connect, on_disconnect, on_receive};
use tdi_client::request::{connect, disconnect, prepared_accept, prepared_receive, receive, send};

use super::{FAR, NEAR, at, bed, end_clean, pair, succeeds};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn no_handler_runs_when_the_cleanup_of_its_address_has_returned() {
    static RUNNING: AtomicBool = AtomicBool::new(false);
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let slow = |data: &[u8], _| {
        RUNNING.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        CALLS.fetch_add(1, Ordering::SeqCst);
        RUNNING.store(false, Ordering::SeqCst);
        Taken::bytes(data.len())
    };
    for round in 0..10 {
        let bed = bed();
        let Pair { near, far, near_address, far_address } = pair(&bed);
        on_receive(&far_address, Box::leak(Box::new(slow))).expect("a handler is registered");
        let sender = thread::spawn(move || {
            for _ in 0..5 {
                drop(send(&near, vec![3; 100]));
            }
            near
        });
        thread::sleep(Duration::from_millis(round * 4));
        drop(far_address);
        let calls = CALLS.load(Ordering::SeqCst);
        assert!(!RUNNING.load(Ordering::SeqCst), "a handler runs after its address's cleanup");
        let near = sender.join().expect("the sender ends");
        thread::sleep(Duration::from_millis(30));
        assert_eq!(CALLS.load(Ordering::SeqCst), calls, "a handler was called after its address's cleanup");
        drop((near, far, near_address));
        end_clean(bed);
    }
    assert!(CALLS.load(Ordering::SeqCst) > 0, "the handler was never called");
}

#[test]
fn a_connect_handler_accepts_by_a_request_of_its_own_or_refuses() {
    let bed = bed();
    let near_address = bed.address(NEAR).expect("the near address opens");
    let far_address = bed.address(FAR).expect("the far address opens");
    let near = bed.associated(&near_address, 0xA).expect("an endpoint opens");
    let far = bed.associated(&far_address, 0xB).expect("an endpoint opens");
    let prepared = Mutex::new(Some(prepared_accept(&far)));
    let (give, given) = channel();
    let give = Mutex::new(give);
    on_connect(
        &far_address,
        Box::leak(Box::new(move |_peer| {
            let (irp, request) = prepared.lock().expect("nobody panicked").take()?.give();
            give.lock().expect("nobody panicked").send(request).expect("the test waits");
            Some(irp)
        })),
    )
    .expect("a handler is registered");
    succeeds(connect(&near, FAR).status());
    let accepted = given.recv_timeout(LONG).expect("the handler was asked").wait();
    succeeds(accepted.status);
    assert_eq!(accepted.peer.map(|peer| peer.ip()), Some(NEAR.ip()));
    let received = receive(&far, 2);
    succeeds(send(&near, b"ok".to_vec()).status());
    assert_eq!(received.wait().data, b"ok");
    let second = bed.associated(&near_address, 0xC).expect("an endpoint opens");
    assert_eq!(connect(&second, FAR).status(), STATUS_REMOTE_NOT_LISTENING, "the handler has no more");
    drop((near, far, second, near_address, far_address));
    end_clean(bed);
}

#[test]
fn a_receive_handler_takes_the_rest_by_a_request_of_its_own() {
    let bed = bed();
    let pair = pair(&bed);
    let prepared = Mutex::new(Some(prepared_receive(&pair.far, 8, 0)));
    let (give, given) = channel();
    let give = Mutex::new(give);
    on_receive(
        &pair.far_address,
        Box::leak(Box::new(move |_data: &[u8], _| {
            let Some(prepared) = prepared.lock().expect("nobody panicked").take() else {
                return Taken { status: STATUS_DATA_NOT_ACCEPTED, ..Taken::bytes(0) };
            };
            let (irp, request) = prepared.give();
            give.lock().expect("nobody panicked").send(request).expect("the test waits");
            Taken { status: STATUS_MORE_PROCESSING_REQUIRED, bytes: 2, irp }
        })),
    )
    .expect("a handler is registered");
    succeeds(send(&pair.near, b"0123456789".to_vec()).status());
    let rest = given.recv_timeout(LONG).expect("the handler was called").wait();
    assert_eq!((rest.status, rest.data), (STATUS_SUCCESS, b"23456789".to_vec()));
    drop(pair);
    end_clean(bed);
}

#[test]
fn a_request_that_a_handler_never_gives_goes_with_its_owner() {
    let bed = bed();
    let pair = pair(&bed);
    drop((prepared_accept(&pair.far), prepared_receive(&pair.far, 8, 0)));
    drop(pair);
    end_clean(bed);
}

#[test]
fn a_disconnect_handler_may_disconnect_at_dispatch_level() {
    for flags in [0, TDI_DISCONNECT_RELEASE] {
        let bed = bed();
        let pair = pair(&bed);
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        // For the first disconnect; the handler lives longer than the file.
        let far = Mutex::new(Some(pair.far.clone()));
        on_disconnect(
            &pair.far_address,
            Box::leak(Box::new(move |_context, how| {
                let Some(far) = far.lock().expect("nobody panicked").take() else { return };
                let own = at(Irql::DISPATCH, || disconnect(&far, TDI_DISCONNECT_RELEASE));
                tell.lock().expect("nobody panicked").send((how, far, own)).expect("the test waits");
            })),
        )
        .expect("a handler is registered");
        let near = disconnect(&pair.near, flags);
        let (how, far, own) = told.recv_timeout(LONG).expect("the handler was told");
        drop(far);
        let (expected, status) = match flags {
            0 => (TDI_DISCONNECT_ABORT, STATUS_INVALID_CONNECTION),
            _ => (TDI_DISCONNECT_RELEASE, STATUS_SUCCESS),
        };
        assert_eq!(how, expected);
        succeeds(near.status());
        assert_eq!(own.status(), status);
        // The endpoint is valid and can be used again.
        pair.establish(FAR).expect("a connection comes about again");
        drop(pair);
        end_clean(bed);
    }
}
