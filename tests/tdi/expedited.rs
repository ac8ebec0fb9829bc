//! Expedited data beside a stream that is not read.

use core::time::Duration;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use sys::status::*;
use sys::tdi::*;
use tdi_client::Request;
use tdi_client::event::{Taken, on_expedited};
use tdi_client::request::{prepared_receive, receive_with, send, send_with};

use super::{LEVELS, at, end_clean, fixture, pair, succeeds};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// More than the other side holds unread.
const STUCK: usize = 300_000;

#[test]
fn expedited_data_overtakes_an_unread_stream() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let stuck = send(&pair.near, vec![b'n'; STUCK]);
    for level in LEVELS {
        let received = at(level, || receive_with(&pair.far, vec![0; 9], TDI_RECEIVE_EXPEDITED));
        let sent = at(level, || send_with(&pair.near, b"urgent".to_vec(), TDI_SEND_EXPEDITED));
        let received = received.wait();
        assert_eq!(
            (received.status, &received.data[..received.information]),
            (STATUS_SUCCESS, &b"urgent"[..])
        );
        succeeds(sent.status());
        assert!(stuck.outcome().is_none(), "the normal stream is not read");
    }
    let mut left = STUCK;
    while left > 0 {
        let received = receive_with(&pair.far, vec![0; STUCK], TDI_RECEIVE_NORMAL).wait();
        succeeds(received.status);
        assert!(received.data[..received.information].iter().all(|byte| *byte == b'n'));
        left -= received.information;
    }
    succeeds(stuck.status());
    pair.release().expect("both streams end");
    drop(pair);
    end_clean(fixture);
}

#[test]
fn expedited_handler_is_called_while_normal_requests_wait_and_gives_a_receive_of_its_own() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let waits = receive_with(&pair.far, vec![0; 9], TDI_RECEIVE_NORMAL);
    let prepared = Mutex::new(Some(prepared_receive(&pair.far, 9, TDI_RECEIVE_EXPEDITED)));
    let (give, given) = channel();
    let give = Mutex::new(give);
    on_expedited(
        &pair.far_address,
        Box::leak(Box::new(move |data: &[u8], available| {
            assert_eq!((data, available), (&b"urgent"[..], 6));
            let (irp, request) = prepared.lock().expect("not poisoned").take().expect("one is shown").give();
            give.lock().expect("not poisoned").send(request).expect("the test waits");
            Taken { status: STATUS_MORE_PROCESSING_REQUIRED, bytes: 2, irp }
        })),
    )
    .expect("a handler is registered");
    succeeds(send_with(&pair.near, b"urgent".to_vec(), TDI_SEND_EXPEDITED).status());
    let rest = given.recv_timeout(LONG).expect("the handler was called").wait();
    assert_eq!((rest.status, &rest.data[..rest.information]), (STATUS_SUCCESS, &b"gent"[..]));
    assert!(waits.outcome().is_none());
    succeeds(send(&pair.near, b"normal".to_vec()).status());
    assert_eq!(waits.wait().information, 6);
    drop(pair);
    end_clean(fixture);
}

#[test]
fn expedited_requests_that_wait_are_cancelled_one_by_one_and_by_the_cleanup() {
    let fixture = fixture();
    let pair = pair(&fixture);
    // One fills the other side's room for expedited data.
    succeeds(send_with(&pair.near, vec![0; 9], TDI_SEND_EXPEDITED).status());
    let load = || {
        let sends = (0..2).map(|_| send_with(&pair.near, vec![0; 9], TDI_SEND_EXPEDITED));
        let receives = (0..2).map(|_| receive_with(&pair.near, vec![0; 9], TDI_RECEIVE_EXPEDITED));
        sends.chain(receives).collect::<Vec<_>>()
    };
    for level in LEVELS {
        for request in load() {
            assert!(request.wait_for(Duration::from_millis(5)).is_none());
            at(level, || request.cancel());
            assert_eq!(request.status(), STATUS_CANCELLED);
        }
    }
    let all = load();
    drop(pair.near);
    let order: Vec<_> =
        all.iter().map(|request| request.sequence().expect("a request outlived its cleanup")).collect();
    assert!(order.is_sorted(), "they completed in the order {order:?}");
    assert!(all.into_iter().map(Request::status).all(|status| status == STATUS_CANCELLED));
    drop((pair.far, pair.near_address, pair.far_address));
    end_clean(fixture);
}
