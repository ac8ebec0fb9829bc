//! Cleanup and close.

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;

use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_RELEASE, TDI_EVENT_RECEIVE};
use test_kernel::{Strike, preempted, pump};

use super::access::TestOpener;
use super::client::{Client, FAR, NEAR, Pair, done, failed};
use super::host;
use crate::ea::Opening;
use crate::ndk::message::{PIECE, WINDOW};
use crate::{Command, Source};

#[test]
fn cleanup_completes_all_that_waits_in_its_order_before_it_returns() {
    let pair = Pair::connected();
    let long = vec![7; PIECE * (WINDOW + 3)];
    let sends = [0, 1, 2].map(|_| pair.client.send(pair.near, &long));
    let receives = [0, 1, 2].map(|_| pair.client.receive(pair.near, 5));
    let release = pair.client.disconnect(pair.near, TDI_DISCONNECT_RELEASE);
    pump();
    pair.client.log.take();
    pair.client.transport.cleanup(pair.near, test_kernel::passive());
    let all: Vec<_> = sends.into_iter().chain(receives).chain([release]).collect();
    for request in &all {
        assert_eq!(request.outcome(), failed(STATUS_CANCELLED));
    }
    let order: Vec<_> = all.iter().map(|request| request.serial).collect();
    assert_eq!(pair.client.log.take(), order);
    pair.tear_down();
}

#[test]
fn cleanup_that_overtakes_request_in_inbox_ends_it_behind_those_that_wait() {
    let (mut point, mut overtaken) = (0, 0);
    loop {
        let pair = Rc::new(Pair::connected());
        let first = pair.client.receive(pair.near, 5);
        pump();
        pair.client.log.take();
        let closer = Rc::clone(&pair);
        let work = Box::new(move || closer.client.transport.cleanup(closer.near, test_kernel::passive()));
        let mut second = None;
        let points = preempted(vec![Strike { processor: 0, point, work }], || {
            second = Some(pair.client.receive(pair.near, 5));
        });
        if point >= points {
            pair.client.transport.cleanup(pair.near, test_kernel::passive());
        }
        let second = second.unwrap();
        // One that comes after the cleanup began is refused at once.
        if second.outcome() != failed(STATUS_FILE_CLOSED) {
            assert_eq!(second.outcome(), failed(STATUS_CANCELLED), "at point {point}");
            let order = [first.serial, second.serial];
            assert_eq!(pair.client.log.take(), order, "at point {point}");
            overtaken += 1;
        }
        Rc::into_inner(pair).unwrap().tear_down();
        if point >= points {
            break;
        }
        point += 1;
    }
    assert!(overtaken > 1, "the cleanup never came between");
}

#[test]
fn cleanup_ends_a_connect_and_a_listen_that_wait() {
    let pair = Pair::new();
    let listen = pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), None));
    pair.client.close(pair.near);
    assert_eq!(connect.outcome(), failed(STATUS_CANCELLED));
    pair.client.close(pair.far);
    let other = pair.client.associated(pair.far_address);
    let listen = pair.client.listen(other);
    pair.client.close(other);
    assert_eq!(listen.outcome(), failed(STATUS_CANCELLED));
    for file in [pair.near_address, pair.far_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
}

#[test]
fn cleanup_waits_for_a_request_whose_cancel_routine_is_on_its_way() {
    let pair = Pair::connected();
    let receive = pair.client.receive(pair.near, 5);
    let send = pair.client.send(pair.near, &vec![7; PIECE * (WINDOW + 3)]);
    pump();
    receive.cancel(&pair.client.transport);
    send.cancel(&pair.client.transport);
    // Both routines run inside the cleanup's wait at the earliest.
    pair.client.transport.cleanup(pair.near, test_kernel::passive());
    let outcomes = (receive.outcome(), send.outcome());
    assert_eq!(outcomes, (failed(STATUS_CANCELLED), failed(STATUS_CANCELLED)), "a cleanup waits for both");
    pair.tear_down();
}

#[test]
fn peer_learns_of_a_cleanup_without_a_disconnect() {
    let pair = Pair::connected();
    let receive = pair.client.receive(pair.far, 5);
    pair.client.close(pair.near);
    pump();
    assert_eq!(receive.outcome(), failed(STATUS_CONNECTION_RESET));
    assert_eq!(pair.client.transport.lock().address(pair.near_address).unwrap().associations, 0);
    assert_eq!(pair.client.send(pair.far, b"x").outcome(), failed(STATUS_INVALID_CONNECTION));
    for file in [pair.far, pair.near_address, pair.far_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
}

#[test]
fn requests_between_cleanup_and_close_and_after_it_fail() {
    let pair = Pair::connected();
    let transport = &pair.client.transport;
    transport.cleanup(pair.near, test_kernel::passive());
    transport.cleanup(pair.near_address, test_kernel::passive());
    for closed in [false, true] {
        if closed {
            transport.close(pair.near);
            transport.close(pair.near_address);
        }
        for datagram in [
            Command::SendDatagram { to: FAR.parse().ok(), length: 1 },
            Command::ReceiveDatagram { from: Source::Any, length: 1, flags: 0 },
        ] {
            let late = pair.client.submit(pair.near_address, datagram, vec![0]);
            assert_eq!(late.outcome(), failed(STATUS_FILE_CLOSED), "{datagram:?} comes too late");
        }
        for command in [
            Command::Send { length: 1, flags: 0 },
            Command::Receive { length: 1, flags: 0 },
            Command::Accept,
            Command::Listen { query: false },
            Command::Disconnect { flags: 0, limit: None },
            Command::Connect { to: None, limit: None },
        ] {
            let late = pair.client.submit(pair.near, command, vec![0]);
            assert_eq!(late.outcome(), failed(STATUS_FILE_CLOSED), "{command:?} comes too late");
        }
        assert!(transport.enter(pair.near).is_err_and(|status| status == STATUS_FILE_CLOSED));
        assert_eq!(transport.associate(pair.near, pair.far_address), Err(STATUS_FILE_CLOSED));
        let handler = std::ptr::null_mut();
        let set = transport.set_event(pair.near_address, TDI_EVENT_RECEIVE, handler, handler);
        assert_eq!(set, Err(STATUS_FILE_CLOSED));
    }
    for file in [pair.far, pair.far_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
}

#[test]
fn close_returns_while_the_link_is_still_on_its_way_out() {
    let pair = Pair::connected();
    // No request waits, so the cleanup has nothing to wait for.
    pair.client.transport.cleanup(pair.near, test_kernel::passive());
    pair.client.transport.close(pair.near);
    assert!(pair.client.transport.lock().endpoint(pair.near).is_some(), "the link still goes");
    pump();
    assert!(pair.client.transport.lock().endpoint(pair.near).is_none());
    pair.client.close(pair.far);
    for file in [pair.near_address, pair.far_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
}

#[test]
fn cleanup_of_an_address_ends_its_listens_and_leaves_its_connections() {
    let pair = Pair::connected();
    let listening = pair.client.associated(pair.far_address);
    let listen = pair.client.listen(listening);
    pair.client.close(pair.far_address);
    assert_eq!(listen.outcome(), failed(STATUS_ADDRESS_CLOSED));
    let receive = pair.client.receive(pair.far, 2);
    pair.client.send(pair.near, b"ok");
    pump();
    assert_eq!(receive.outcome(), done(2));
    // The connection has the port until it goes.
    assert_eq!(pair.client.address(FAR), Err(STATUS_SHARING_VIOLATION));
    for file in [pair.far, listening, pair.near] {
        pair.client.close(file);
    }
    pump();
    let again = pair.client.address(FAR).unwrap();
    for file in [again, pair.near_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
}

#[test]
fn control_channel_goes_alone() {
    let pair = Pair::connected();
    let control =
        pair.client.transport.create(&Opening::ControlChannel, None, test_kernel::passive()).unwrap();
    pair.client.close(control);
    pair.client.send(pair.near, b"ok");
    pump();
    assert_eq!(pair.client.receive(pair.far, 2).outcome(), done(2));
    pair.tear_down();
}

#[test]
fn removal_of_the_last_rnic_ends_connections_and_keeps_files() {
    let mut pair = Pair::connected();
    let receives = [pair.client.receive(pair.near, 3), pair.client.receive(pair.far, 3)];
    pair.client.remove_rnic(1);
    assert_eq!(receives[1].outcome(), failed(STATUS_CONNECTION_ABORTED));
    assert_eq!(receives[0].outcome(), failed(STATUS_CONNECTION_RESET));
    pair.client.remove_rnic(0);
    let (near, far) = (pair.client.connect(pair.near, FAR), pair.client.listen(pair.far));
    pump();
    let closed = failed(STATUS_ADDRESS_CLOSED);
    assert_eq!((near.outcome(), far.outcome()), (closed, closed));
    assert_eq!(pair.client.address(NEAR), Err(STATUS_INVALID_ADDRESS));
    pair.tear_down();
}

#[test]
fn removed_adapter_refuses_an_unanswered_connect_request() {
    let mut pair = Pair::new();
    let listen = pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), None));
    pair.client.remove_rnic(1);
    assert_eq!(connect.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
    let late = pair.client.submit(pair.far, Command::Accept, Vec::new());
    assert_eq!(late.outcome(), failed(STATUS_INVALID_CONNECTION));
    pair.tear_down();
}

#[test]
fn failed_create_leaves_nothing() {
    let client = Client::new();
    for _ in 0..3 {
        assert!(client.address("10.0.0.7:1").is_err());
        assert!(
            client
                .transport
                .create(&Opening::Address(b"rubbish"), Some(&TestOpener::ANY), test_kernel::passive())
                .is_err()
        );
    }
    client.tear_down();
}

/// The calls of the handler below.
#[derive(Default)]
struct Watch {
    returned: Cell<bool>,
    late: Cell<bool>,
    calls: Cell<usize>,
}

unsafe extern "efiapi" fn shown(
    context: *mut c_void,
    _: *mut c_void,
    _: u32,
    indicated: u32,
    _: u32,
    taken: *mut u32,
    _: *const c_void,
    _: *mut *mut sys::wdm::IRP,
) -> NTSTATUS {
    // SAFETY: the test registers it with this context.
    let watch = unsafe { &*context.cast::<Watch>() };
    host::point();
    watch.late.set(watch.late.get() || watch.returned.get());
    watch.calls.set(watch.calls.get() + 1);
    // SAFETY: the transport passes a place for the count.
    unsafe { taken.write(indicated) };
    STATUS_SUCCESS
}

#[test]
fn cleanup_of_endpoint_waits_for_handler_that_is_called_for_it() {
    let (mut point, mut calls) = (0, 0);
    loop {
        let (pair, watch) = (Rc::new(Pair::connected()), Rc::new(Watch::default()));
        let context = Rc::as_ptr(&watch).cast_mut().cast();
        let handler = code_address!(shown).cast_mut().cast();
        assert_eq!(
            pair.client.transport.set_event(pair.far_address, TDI_EVENT_RECEIVE, handler, context),
            Ok(())
        );
        let (closer, closed) = (Rc::clone(&pair), Rc::clone(&watch));
        let work = Box::new(move || {
            closer.client.transport.cleanup(closer.far, test_kernel::passive());
            closed.returned.set(true);
        });
        let points = preempted(vec![Strike { processor: 0, point, work }], || {
            pair.client.send(pair.near, b"data");
            pump();
        });
        assert!(!watch.late.get(), "a handler runs after the cleanup of its endpoint, at point {point}");
        calls += watch.calls.get();
        Rc::into_inner(pair).unwrap().tear_down();
        if point >= points {
            break;
        }
        point += 1;
    }
    assert!(calls > 1, "the handler was never called, or never preempted");
}
