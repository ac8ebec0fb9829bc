//! The close of a listener against connections that arrive (CL-7).

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Arc;

use sys::ndk::NDK_CONNECTOR;
use sys::status::{STATUS_CONNECTION_REFUSED, STATUS_SUCCESS};
use sys::wdm::PVOID;
use test_kernel::model::pump;

use super::fixture::{Ending, Fixture, Pointer, close, close_inline, connect};
use super::{explore, race};
use crate::connection::ConnectError;
use crate::number::usize_from;

/// Connect events that the listener's consumer received.
#[derive(Default)]
struct ConnectRequests {
    seen: AtomicU32,
    /// The close of the listener, and those of the connectors that it showed.
    listener: Ending,
    connectors: [Ending; 2],
}

/// The connect event: the consumer closes what it is shown at once, which is a refusal.
unsafe extern "efiapi" fn connect_event(context: PVOID, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context is the record, which the model keeps.
    let connect_requests = unsafe { &*context.cast::<ConnectRequests>() };
    assert_eq!(
        connect_requests.listener.calls.load(SeqCst),
        0,
        "a connect request after the listener's close"
    );
    let ending = &connect_requests.connectors[usize_from(connect_requests.seen.fetch_add(1, SeqCst))];
    if close(Pointer::requested(connector), ending) == STATUS_SUCCESS {
        ending.ended(STATUS_SUCCESS);
    }
}

/// One, or two, connects against the close.
fn connects_against_the_close(connects: usize, bound: usize) {
    explore(Some(bound), move || {
        let fixture = Fixture::new();
        let connect_requests = Arc::new(ConnectRequests::default());
        let listener = fixture.listener(connect_event, Arc::as_ptr(&connect_requests).cast_mut().cast());
        let active: Vec<_> =
            (0..connects).map(|_| (fixture.connector(), fixture.qp(), Arc::new(Ending::default()))).collect();
        let mut threads: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for (connector, qp, ending) in &active {
            let (connector, qp, ending) = (*connector, *qp, ending.clone());
            threads.push(Box::new(move || {
                if let Err(ConnectError(status)) = connect(connector, qp, &ending) {
                    ending.ended(status);
                }
                pump();
            }));
        }
        let closing = connect_requests.clone();
        threads.push(Box::new(move || {
            if close(listener, &closing.listener) == STATUS_SUCCESS {
                closing.listener.ended(STATUS_SUCCESS);
            }
            pump();
        }));
        if connects == 1 {
            // A third processor, which makes DPCs only.
            threads.push(Box::new(pump));
        }
        race(threads);
        pump();
        assert_eq!(connect_requests.listener.status(), STATUS_SUCCESS);
        for ending in &connect_requests.connectors[..usize_from(connect_requests.seen.load(SeqCst))] {
            assert_eq!(ending.status(), STATUS_SUCCESS);
        }
        for (connector, qp, ending) in active {
            assert_eq!(ending.status(), STATUS_CONNECTION_REFUSED);
            close_inline(connector);
            pump();
            close_inline(qp);
        }
        fixture.tear_down();
    });
}

#[test]
fn connection_that_arrives_while_its_listener_closes_is_refused() {
    connects_against_the_close(1, 2);
}

#[test]
fn two_connections_that_arrive_while_their_listener_closes_are_refused() {
    connects_against_the_close(2, 1);
}
