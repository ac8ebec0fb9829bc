//! A client's event handlers, and requests that they make.

use core::time::Duration;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use sys::status::*;
use tdi_client::event::{Taken, on_connect, on_receive};
use tdi_client::request::{connect, prepared_accept, prepared_receive, receive, send};

use super::{FAR, NEAR, end_clean, fixture, pair, succeeds};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn connect_handler_accepts_by_a_request_of_its_own_or_refuses() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let far_address = fixture.address(FAR).expect("the far address opens");
    let near = fixture.associated(&near_address, 0xA).expect("an endpoint opens");
    let far = fixture.associated(&far_address, 0xB).expect("an endpoint opens");
    let prepared = Mutex::new(Some(prepared_accept(&far)));
    let (give, given) = channel();
    let give = Mutex::new(give);
    on_connect(
        &far_address,
        Box::leak(Box::new(move |_peer| {
            let (irp, request) = prepared.lock().expect("not poisoned").take()?.give();
            give.lock().expect("not poisoned").send(request).expect("the test waits");
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
    let second = fixture.associated(&near_address, 0xC).expect("an endpoint opens");
    assert_eq!(connect(&second, FAR).status(), STATUS_REMOTE_NOT_LISTENING, "the handler has no more");
    drop((near, far, second, near_address, far_address));
    end_clean(fixture);
}

#[test]
fn receive_handler_takes_the_rest_by_a_request_of_its_own() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let prepared = Mutex::new(Some(prepared_receive(&pair.far, 8, 0)));
    let (give, given) = channel();
    let give = Mutex::new(give);
    on_receive(
        &pair.far_address,
        Box::leak(Box::new(move |_data: &[u8], _| {
            let Some(prepared) = prepared.lock().expect("not poisoned").take() else {
                return Taken { status: STATUS_DATA_NOT_ACCEPTED, ..Taken::bytes(0) };
            };
            let (irp, request) = prepared.give();
            give.lock().expect("not poisoned").send(request).expect("the test waits");
            Taken { status: STATUS_MORE_PROCESSING_REQUIRED, bytes: 2, irp }
        })),
    )
    .expect("a handler is registered");
    succeeds(send(&pair.near, b"0123456789".to_vec()).status());
    let rest = given.recv_timeout(LONG).expect("the handler was called").wait();
    assert_eq!((rest.status, rest.data), (STATUS_SUCCESS, b"23456789".to_vec()));
    drop(pair);
    end_clean(fixture);
}

#[test]
fn request_that_a_handler_never_gives_goes_with_its_owner() {
    let fixture = fixture();
    let pair = pair(&fixture);
    drop((prepared_accept(&pair.far), prepared_receive(&pair.far, 8, 0)));
    drop(pair);
    end_clean(fixture);
}
