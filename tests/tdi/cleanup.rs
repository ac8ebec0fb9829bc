//! Cleanup and close.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;

use ntsim::ex::{Faults, inject};
use sys::status::*;
use sys::tdi::*;
use tdi_client::event::{Taken, on_disconnect, on_receive};
use tdi_client::request::{self, connect, listen, receive, send, send_request};
use tdi_client::{Pair, Request, flight};

use super::{FAR, LEVELS, at, await_free, end_clean, fixture, pair};

#[test]
fn cleanup_without_a_disconnect_tells_the_peer_and_frees_the_port() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let handler = Box::leak(Box::new(move |context, flags| {
        tell.lock().expect("not poisoned").send((context, flags)).expect("the test waits");
    }));
    on_disconnect(&pair.far_address, handler).expect("a handler is registered");
    drop(pair.near);
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok((0xB, TDI_DISCONNECT_ABORT)));
    assert_eq!(send(&pair.far, vec![0]).status(), STATUS_INVALID_CONNECTION);
    // The endpoint and its address can be used again.
    let again = fixture.associated(&pair.near_address, 0xA).expect("an endpoint opens");
    let listen = listen(&pair.far, 0);
    assert_eq!([connect(&again, FAR), listen].map(Request::status), [STATUS_SUCCESS; 2]);
    drop((again, pair.far, pair.near_address, pair.far_address));
    await_free(&fixture);
    end_clean(fixture);
}

#[test]
fn every_request_between_cleanup_and_close_fails_and_completes() {
    let fixture = fixture();
    let Pair { near, far, near_address, far_address } = pair(&fixture);
    let control = fixture.open(&[]).expect("a control channel opens");
    let references = [&near, &near_address, &control].map(ntsim::io::File::reference);
    drop((near, near_address, control));
    for reference in &references {
        for minor in 0..=TDI_ACTION + 1 {
            for level in LEVELS {
                // With a buffer and parameters of zeros: nothing of a request is looked at.
                let late = at(level, || send_request(reference, minor, [0_u8; 32], vec![0; 64]));
                assert_eq!(late.status(), STATUS_FILE_CLOSED, "minor {minor} at {level}");
            }
        }
        assert_eq!(request::associate(reference, &far_address), STATUS_FILE_CLOSED);
    }
    drop((references, far, far_address));
    end_clean(fixture);
}

#[test]
fn cleanup_of_an_address_ends_its_listens() {
    let fixture = fixture();
    let address = fixture.address(FAR).expect("the address opens");
    let endpoints: Vec<_> =
        (0..3).map(|index| fixture.associated(&address, index).expect("an endpoint opens")).collect();
    let listens: Vec<_> = endpoints.iter().map(|endpoint| listen(endpoint, 0)).collect();
    drop(address);
    let order: Vec<_> = listens.iter().map(Request::sequence).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
    for listen in listens {
        assert_eq!(listen.status(), STATUS_ADDRESS_CLOSED);
    }
    assert_eq!(listen(&endpoints[0], 0).status(), STATUS_ADDRESS_CLOSED);
    drop(endpoints);
    end_clean(fixture);
}

#[test]
fn cleanup_waits_for_a_request_that_a_worker_has_in_hand() {
    static ENTERED: AtomicBool = AtomicBool::new(false);
    static LEAVE: AtomicBool = AtomicBool::new(false);
    let fixture = fixture();
    let Pair { near, far, near_address, far_address } = pair(&fixture);
    // The thread that drives the endpoint stays in the handler; later data is left for it.
    on_receive(&far_address, &|data: &[u8], _| {
        ENTERED.store(true, Ordering::SeqCst);
        while !LEAVE.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        Taken::bytes(data.len())
    })
    .expect("a handler is registered");
    let sent = thread::spawn(move || (send(&near, b"held".to_vec()).status(), near));
    while !ENTERED.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    let requests: Vec<_> = (0..3).map(|_| receive(&far, 8)).collect();
    requests[1].cancel();
    let cleanup = thread::spawn(move || drop(far));
    thread::sleep(Duration::from_millis(20));
    assert!(requests.iter().all(|request| request.outcome().is_none()), "nothing could have completed them");
    assert!(!cleanup.is_finished(), "the cleanup did not wait");
    LEAVE.store(true, Ordering::SeqCst);
    cleanup.join().expect("the cleanup ends");
    for request in requests {
        assert!(request.outcome().is_some(), "a request outlived its cleanup");
        assert_eq!(request.status(), STATUS_CANCELLED);
    }
    let (_, near) = sent.join().expect("the sender ends");
    drop((near, near_address, far_address));
    end_clean(fixture);
}

#[test]
fn cleanup_and_close_need_no_memory() {
    let fixture = fixture();
    let flight = flight::launch(&fixture, pair(&fixture), FAR).expect("everything is in flight");
    inject(Faults::Random { probability: 1.0, seed: 0 }, Some("softndk.sys"));
    let landed = flight.land();
    inject(Faults::None, None);
    landed.expect("the files go");
    end_clean(fixture);
}
