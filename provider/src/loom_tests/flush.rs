//! Flush, disconnect and close against posts: each request that is accepted has one result (WR-1, WR-2).

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};
use std::ptr::null_mut;
use std::sync::Arc;

use sys::ndk::NDK_CONNECTOR;
use sys::status::{STATUS_CANCELLED, STATUS_IO_TIMEOUT, STATUS_SUCCESS};
use sys::wdm::PVOID;
use test_kernel::model::{Model, expire, pump};

use super::fixture::{Ending, Fixture, Pointer, accept, close, close_inline, complete_connect, connect};
use super::{explore, race};
use crate::adapter::Cq;
use crate::connection::Connector;
use crate::consumer::Opaque;
use crate::memory::Sge;
use crate::queue_pair::{Flags, Operation, Qp};

/// A list without entries.
fn empty() -> impl ExactSizeIterator<Item = Sge> + Clone {
    [].into_iter()
}

fn context(number: usize) -> Opaque {
    Opaque(std::ptr::without_provenance_mut(number))
}

/// Posts a receive. Returns true if it was accepted.
fn receive(qp: Pointer<Qp<Model>>, number: usize) -> bool {
    qp.post_receive(context(number), empty()).is_ok()
}

/// Posts a send. Returns true if it was accepted.
fn send(qp: Pointer<Qp<Model>>, number: usize) -> bool {
    let operation = Operation::Send;
    qp.post_transfer(operation, (Flags::empty(), context(number)), empty()).is_ok()
}

/// The contexts of all results that are there, with whether each was a success.
fn results(cq: Pointer<Cq<Model>>) -> Vec<(usize, bool)> {
    let all = std::iter::from_fn(|| cq.poll());
    let mut all: Vec<_> = all
        .map(|result| {
            assert!([STATUS_SUCCESS, STATUS_CANCELLED, STATUS_IO_TIMEOUT].contains(&result.status));
            (result.request_context.0.addr(), result.status == STATUS_SUCCESS)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn flushes_against_receives_that_are_posted() {
    explore(Some(3), || {
        let fixture = Fixture::new();
        let qp = fixture.qp();
        let accepted = Arc::new(AtomicU32::new(0));
        let posted = accepted.clone();
        race(vec![
            Box::new(move || {
                for number in [1, 2] {
                    posted.fetch_add(receive(qp, number).into(), SeqCst);
                }
            }),
            Box::new(move || qp.flush()),
            Box::new(move || qp.flush()),
        ]);
        close_inline(qp);
        assert_eq!(accepted.load(SeqCst), 2, "there is room for both");
        assert_eq!(results(fixture.cq), [(1, false), (2, false)]);
        fixture.tear_down();
    });
}

#[test]
fn end_of_a_queue_pair_against_a_receive_that_is_posted() {
    explore(None, || {
        let fixture = Fixture::new();
        let qp = fixture.qp();
        race(vec![Box::new(move || assert!(receive(qp, 1))), Box::new(move || qp.kill())]);
        assert_eq!(results(fixture.cq), [(1, false)], "before the close, which flushes once more");
        close_inline(qp);
        fixture.tear_down();
    });
}

/// The connect event: keeps the connector.
unsafe extern "efiapi" fn connect_event(context: PVOID, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context is the place, which the model keeps.
    unsafe { &*context.cast::<AtomicPtr<NDK_CONNECTOR>>() }.store(connector, SeqCst);
}

/// Two queue pairs of one adapter, connected.
struct Connection {
    fixture: Fixture,
    qps: [Pointer<Qp<Model>>; 2],
    connectors: [Pointer<Connector<Model>>; 2],
}

impl Connection {
    fn new() -> Self {
        let fixture = Fixture::new();
        let place = AtomicPtr::new(null_mut());
        let listener = fixture.listener(connect_event, std::ptr::from_ref(&place).cast_mut().cast());
        let (near, qps) = (fixture.connector(), [fixture.qp(), fixture.qp()]);
        let (connecting, accepting, closing) = (Ending::default(), Ending::default(), Ending::default());
        assert!(connect(near, qps[0], &connecting).is_ok());
        pump();
        let far = Pointer::requested(place.load(SeqCst));
        assert!(accept(far, qps[1], &accepting).is_ok());
        pump();
        assert!(complete_connect(near).is_ok());
        pump();
        assert_eq!((connecting.status(), accepting.status()), (STATUS_SUCCESS, STATUS_SUCCESS));
        // It pends until the connector that it indicated is closed, and has no completion callback.
        close(listener, Box::leak(Box::new(closing)));
        let connectors = [near, far];
        Self { fixture, qps, connectors }
    }

    /// Closes all, the connector that was closed already left out; returns the results.
    fn end(self, closed: bool) -> Vec<(usize, bool)> {
        pump();
        for connector in &self.connectors[usize::from(closed)..] {
            close(*connector, Box::leak(Box::default()));
            pump();
        }
        for qp in self.qps {
            close_inline(qp);
        }
        let results = results(self.fixture.cq);
        self.fixture.tear_down();
        results
    }
}

#[test]
fn send_that_is_posted_against_the_receive_for_it() {
    explore(None, || {
        let connection = Connection::new();
        let [near, far] = connection.qps;
        race(vec![Box::new(move || assert!(send(near, 1))), Box::new(move || assert!(receive(far, 2)))]);
        // Before anything else makes either go on.
        assert_eq!(results(connection.fixture.cq), [(1, true), (2, true)]);
        assert_eq!(connection.end(false), []);
    });
}

#[test]
fn rnr_timeout_against_receive_posted() {
    explore(Some(2), || {
        let connection = Connection::new();
        let [near, far] = connection.qps;
        assert!(send(near, 1));
        for _ in 0..3 {
            expire();
        }
        race(vec![Box::new(expire), Box::new(move || assert!(receive(far, 2)))]);
        // Either both have met, or the send has failed and the receive was flushed.
        let results = connection.end(false);
        assert!(
            [[(1, true), (2, true)], [(1, false), (2, false)]].contains(&results[..].try_into().unwrap())
        );
    });
}

#[test]
fn flush_against_a_send_that_is_posted_and_the_receive_for_it() {
    explore(Some(3), || {
        let connection = Connection::new();
        let [near, far] = connection.qps;
        race(vec![
            Box::new(move || assert!(send(near, 1))),
            Box::new(move || assert!(receive(far, 2))),
            Box::new(move || near.flush()),
        ]);
        // Both have met, or the send was cancelled, and the receive when its queue pair was closed.
        let results = connection.end(false);
        assert!(
            [[(1, true), (2, true)], [(1, false), (2, false)]].contains(&results[..].try_into().unwrap())
        );
    });
}

/// A connector is closed while `posts` run in threads of their own, after `before`.
fn close_of_a_connector(
    bound: usize,
    before: fn([Pointer<Qp<Model>>; 2]),
    posts: &'static [fn([Pointer<Qp<Model>>; 2]) -> bool],
    number_of_requests: usize,
) {
    explore(Some(bound), move || {
        let connection = Connection::new();
        let (qps, [connector, _]) = (connection.qps, connection.connectors);
        before(qps);
        let (ending, refused) = (Arc::new(Ending::default()), Arc::new(AtomicU32::new(0)));
        let closing = ending.clone();
        let mut threads: Vec<Box<dyn FnOnce() + Send>> = vec![Box::new(move || {
            close(connector, &closing);
            pump();
        })];
        for post in posts {
            let refused = refused.clone();
            threads.push(Box::new(move || {
                refused.fetch_add((!post(qps)).into(), SeqCst);
                pump();
            }));
        }
        race(threads);
        let results = connection.end(true);
        // A send that was refused has no result, and every other request has one.
        let expected = number_of_requests - usize::try_from(refused.load(SeqCst)).unwrap();
        let mut contexts: Vec<_> = results.iter().map(|result| result.0).collect();
        contexts.dedup();
        assert_eq!((contexts.len(), results.len()), (expected, expected));
        drop(ending);
    });
}

fn send_first([near, _]: [Pointer<Qp<Model>>; 2]) -> bool {
    send(near, 1)
}

fn receive_second([_, far]: [Pointer<Qp<Model>>; 2]) -> bool {
    assert!(receive(far, 2));
    true
}

/// With two preemptions it takes a quarter of an hour; the models of two threads have those.
#[test]
fn close_of_a_connector_against_a_send_that_is_posted_and_the_receive_for_it() {
    close_of_a_connector(1, |_| (), &[send_first, receive_second], 2);
}

#[test]
fn close_of_a_connector_against_a_send_that_has_a_receive() {
    close_of_a_connector(2, |qps| assert!(receive_second(qps)), &[send_first], 2);
}

#[test]
fn close_of_a_connector_against_the_receive_for_a_send_that_waits() {
    close_of_a_connector(2, |qps| assert!(send_first(qps)), &[receive_second], 2);
}
