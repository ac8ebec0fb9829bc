//! Cleanup and close.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;

use ntsim::ex::{Faults, inject};
use sys::status::*;
use sys::tdi::*;
use sys::wdm::IRP_MJ_CLOSE;
use tdi_client::event::{Taken, on_disconnect, on_receive};
use tdi_client::request::{self, connect, listen, receive, send, send_request};
use tdi_client::{Pair, Request, flight};

use super::{FAR, LEVELS, at, await_free, bed, end_clean, pair};

#[test]
fn cleanup_completes_everything_that_waits_in_its_order_before_it_returns() {
    for level in LEVELS {
        let bed = bed();
        let pair = pair(&bed);
        let (near, far) = (pair.near, pair.far);
        let sends: Vec<_> = (0..3).map(|_| at(level, || send(&near, vec![1; 300_000]))).collect();
        let receives: Vec<_> = (0..3).map(|_| at(level, || receive(&near, 100))).collect();
        assert_eq!(receive(&far, 1).status(), STATUS_SUCCESS);
        let listening = bed.associated(&pair.far_address, 0xC).expect("an endpoint opens");
        let listen = at(level, || listen(&listening, 0));
        drop(near);
        drop(listening);
        // The simulator checks that no request is outstanding when a cleanup has completed.
        let all: Vec<_> = sends.into_iter().chain(receives).chain([listen]).collect();
        let order: Vec<_> =
            all.iter().map(|request| request.sequence().expect("a request outlived its cleanup")).collect();
        assert!(order.is_sorted(), "they completed in the order {order:?}");
        for request in all {
            assert_eq!(request.status(), STATUS_CANCELLED);
        }
        drop((far, pair.near_address, pair.far_address));
        end_clean(bed);
    }
}

#[test]
fn a_cleanup_without_a_disconnect_tells_the_peer_and_frees_the_port() {
    let bed = bed();
    let pair = pair(&bed);
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let handler = Box::leak(Box::new(move |context, flags| {
        tell.lock().expect("nobody panicked").send((context, flags)).expect("the test waits");
    }));
    on_disconnect(&pair.far_address, handler).expect("a handler is registered");
    drop(pair.near);
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok((0xB, TDI_DISCONNECT_ABORT)));
    assert_eq!(send(&pair.far, vec![0]).status(), STATUS_INVALID_CONNECTION);
    // The endpoint and its address can be used again.
    let again = bed.associated(&pair.near_address, 0xA).expect("an endpoint opens");
    let listen = listen(&pair.far, 0);
    assert_eq!([connect(&again, FAR), listen].map(Request::status), [STATUS_SUCCESS; 2]);
    drop((again, pair.far, pair.near_address, pair.far_address));
    await_free(&bed);
    end_clean(bed);
}

#[test]
fn a_second_handle_puts_the_cleanup_off_and_a_reference_only_the_close() {
    let bed = bed();
    let pair = pair(&bed);
    let second = pair.near.duplicate();
    drop(pair.near);
    let received = receive(&pair.far, 2);
    assert_eq!(send(&second, b"ok".to_vec()).status(), STATUS_SUCCESS);
    assert_eq!(received.wait().data, b"ok");
    let waits = receive(&second, 1);
    let reference = second.reference();
    let closed = || bed.machine.requests().completed(IRP_MJ_CLOSE);
    let before = closed();
    drop(second);
    assert_eq!(waits.status(), STATUS_CANCELLED);
    assert_eq!(closed(), before, "a reference keeps the file");
    drop(reference);
    assert_eq!(closed(), before + 1);
    drop((pair.far, pair.near_address, pair.far_address));
    end_clean(bed);
}

#[test]
fn every_request_between_cleanup_and_close_fails_and_completes() {
    let bed = bed();
    let Pair { near, far, near_address, far_address } = pair(&bed);
    let control = bed.open(&[]).expect("a control channel opens");
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
    end_clean(bed);
}

#[test]
fn an_address_may_go_before_its_connections_and_after_them() {
    for address_first in [true, false] {
        let bed = bed();
        let Pair { near, far, near_address, far_address } = pair(&bed);
        let waits = receive(&far, 8);
        if address_first {
            drop((near_address, far_address));
            assert_eq!(send(&near, vec![2; 8]).status(), STATUS_SUCCESS);
            assert_eq!(waits.status(), STATUS_SUCCESS);
            drop((near, far));
        } else {
            drop((near, far));
            // The near side goes first, and whether the news arrives before the far side goes is open.
            super::is_one_of(waits.status(), &[STATUS_CONNECTION_RESET, STATUS_CANCELLED]);
            drop((near_address, far_address));
        }
        end_clean(bed);
    }
}

#[test]
fn a_cleanup_of_an_address_ends_its_listens() {
    let bed = bed();
    let address = bed.address(FAR).expect("the address opens");
    let endpoints: Vec<_> =
        (0..3).map(|index| bed.associated(&address, index).expect("an endpoint opens")).collect();
    let listens: Vec<_> = endpoints.iter().map(|endpoint| listen(endpoint, 0)).collect();
    drop(address);
    let order: Vec<_> = listens.iter().map(Request::sequence).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
    for listen in listens {
        assert_eq!(listen.status(), STATUS_ADDRESS_CLOSED);
    }
    assert_eq!(listen(&endpoints[0], 0).status(), STATUS_ADDRESS_CLOSED);
    drop(endpoints);
    end_clean(bed);
}

#[test]
fn a_cleanup_waits_for_a_request_that_a_worker_has_in_hand() {
    static ENTERED: AtomicBool = AtomicBool::new(false);
    static LEAVE: AtomicBool = AtomicBool::new(false);
    let bed = bed();
    let Pair { near, far, near_address, far_address } = pair(&bed);
    // Whoever works for the endpoint stays in the handler; what comes meanwhile is left for it.
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
    assert!(requests.iter().all(|request| request.outcome().is_none()), "nobody could have completed them");
    assert!(!cleanup.is_finished(), "the cleanup did not wait");
    LEAVE.store(true, Ordering::SeqCst);
    cleanup.join().expect("the cleanup ends");
    for request in requests {
        assert!(request.outcome().is_some(), "a request outlived its cleanup");
        assert_eq!(request.status(), STATUS_CANCELLED);
    }
    let (_, near) = sent.join().expect("the sender ends");
    drop((near, near_address, far_address));
    end_clean(bed);
}

#[test]
fn files_go_while_a_process_exits() {
    let bed = bed();
    let Pair { near, far, near_address, far_address } = pair(&bed);
    let requests: Vec<_> =
        (0..3).flat_map(|_| [receive(&near, 8), send(&near, vec![1; 100_000]), receive(&far, 8)]).collect();
    // First every request of its threads is cancelled, then another thread closes its handles in turn.
    requests.iter().for_each(Request::cancel);
    let reaper = thread::spawn(move || {
        for handle in [far_address, near, near_address, far] {
            drop(handle);
        }
    });
    reaper.join().expect("the handles are closed");
    assert!(requests.iter().all(|request| request.outcome().is_some()), "a request outlived its process");
    drop(requests);
    end_clean(bed);
}

#[test]
fn cleanup_and_close_need_no_memory() {
    let bed = bed();
    let flight = flight::launch(&bed, pair(&bed), FAR).expect("everything is in flight");
    inject(Faults::Random { probability: 1.0, seed: 0 }, Some("softndk.sys"));
    let landed = flight.land();
    inject(Faults::None, None);
    landed.expect("the files go");
    end_clean(bed);
}

#[test]
fn clients_that_hold_files_when_the_last_adapter_goes_get_their_requests_completed() {
    let bed = bed();
    let Pair { near, far, near_address, far_address } = pair(&bed);
    let requests = [receive(&near, 9), receive(&far, 9), receive(&far, 9)];
    bed.halt(0);
    bed.halt(1);
    for request in requests {
        super::is_one_of(request.status(), &[STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET]);
    }
    assert_eq!(send(&near, vec![0]).status(), STATUS_INVALID_CONNECTION);
    drop((near, far, near_address, far_address));
    end_clean(bed);
}
