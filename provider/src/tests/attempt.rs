//! Connection attempts that fail, and what is left of them: nothing (CM-3, OBJ-2).

use std::cell::{Cell, RefCell};
use std::ptr::{null, null_mut};
use std::rc::Rc;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use test_kernel::{at_atomics, at_each, pump};

use super::consumer::{Pair, Seen, call, close, completed, disconnected, request, sockaddr, virtual_address};
use super::wire::{meet, retaken, shared};

fn accept_with(pair: &Pair, qp: *mut NDK_QP) -> NTSTATUS {
    let (event, context) = (pair.log.context("event"), pair.log.context("second accept"));
    let connector = pair.far.connector;
    call!(connector, NdkAccept, qp, 1, 1, null(), 0, Some(disconnected), event, Some(completed), context)
}

fn receive(qp: *mut NDK_QP, context: usize) {
    assert_eq!(call!(qp, NdkReceive, request(context), null(), 0), STATUS_SUCCESS);
}

/// A connect request that was rejected, with a receive that waits at either side.
fn rejected() -> Pair {
    let mut pair = Pair::new();
    pair.listen();
    for side in [&pair.near, &pair.far] {
        receive(side.qp, 7);
    }
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(call!(pair.far.connector, NdkReject, null(), 0), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    pair
}

#[test]
fn accept_refused_keeps_first_qp() {
    let mut pair = Pair::connected();
    let (first, second) = (pair.far.qp, pair.far.create_qp());
    receive(first, 1);
    receive(second, 2);
    assert_eq!(accept_with(&pair, second), STATUS_CONNECTION_ABORTED);
    assert_eq!(pair.disconnect(pair.far.connector, "disconnect"), STATUS_PENDING);
    let mut seen = pair.log.pump();
    seen.sort_by_key(|seen| matches!(seen, Seen::Disconnected(_)));
    assert_eq!(seen, [Seen::RequestCompleted("disconnect", STATUS_SUCCESS), Seen::Disconnected("near")]);
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 1)], "the first QP is flushed");
    assert_eq!(close!(pair.log, second, NdkCloseQp, "second"), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_CANCELLED, 0, 2)]);
    assert_eq!(close!(pair.log, first, NdkCloseQp, "first"), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.far.connector, NdkCloseConnector, "far"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("first")]);
    pair.far.connector = null_mut();
    pair.far.qp = pair.far.create_qp();
    pair.tear_down();
}

#[test]
fn accept_refused_while_first_is_pending_keeps_first_qp() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    let second = pair.far.create_qp();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(accept_with(&pair, second), STATUS_CONNECTION_ABORTED);
    assert_eq!(close!(pair.log, second, NdkCloseQp, "second"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    pair.tear_down();
}

#[test]
fn accept_after_the_peer_has_left_keeps_no_reference() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    close!(pair.log, pair.near.connector, NdkCloseConnector, "near");
    pair.near.connector = null_mut();
    pair.log.pump();
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    assert_eq!(close!(pair.log, pair.far.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    pair.far.qp = pair.far.create_qp();
    pair.tear_down();
}

#[test]
fn disconnect_of_a_rejected_connect_is_invalid_and_leaves_the_qp() {
    let mut pair = rejected();
    for (side, name) in [(&pair.near, "near"), (&pair.far, "far")] {
        assert_eq!(pair.disconnect(side.connector, name), STATUS_CONNECTION_INVALID);
        assert_eq!(side.results(), [], "the receive waits");
    }
    // The QP connects after all.
    let earlier = pair.far.connector;
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    assert_eq!(close!(pair.log, earlier, NdkCloseConnector, "earlier"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn disconnect_after_the_peer_has_left_an_unanswered_connect_is_invalid() {
    let mut pair = Pair::new();
    pair.listen();
    receive(pair.far.qp, 7);
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    close!(pair.log, pair.near.connector, NdkCloseConnector, "near");
    pair.near.connector = null_mut();
    assert!(pair.log.pump().contains(&Seen::RequestCompleted("accept", STATUS_CONNECTION_ABORTED)));
    assert_eq!(pair.disconnect(pair.far.connector, "far"), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.far.results(), []);
    pair.tear_down();
}

#[test]
fn disconnect_of_a_pending_connect_or_accept_is_invalid_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    assert_eq!(pair.disconnect(pair.near.connector, "near"), STATUS_CONNECTION_INVALID);
    pair.take_connect_request();
    assert_eq!(pair.disconnect(pair.far.connector, "far"), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    for side in [&pair.near, &pair.far] {
        assert_eq!(pair.disconnect(side.connector, "early"), STATUS_CONNECTION_INVALID);
    }
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    pair.tear_down();
}

#[test]
fn incoming_connector_whose_request_has_ended_does_not_connect() {
    let pair = rejected();
    let (local, local_length) = sockaddr("10.0.0.2:0".parse().unwrap());
    let (remote, length) = sockaddr(pair.far.address);
    let local = local.as_ptr().cast::<SOCKADDR>();
    let remote = remote.as_ptr().cast::<SOCKADDR>();
    let (connector, qp) = (pair.far.connector, pair.far.qp);
    let status = call!(
        connector,
        NdkConnect,
        qp,
        local,
        local_length,
        remote,
        length,
        0,
        0,
        null(),
        0,
        None,
        null_mut()
    );
    assert_eq!(status, STATUS_CONNECTION_ACTIVE);
    let mut shared = null_mut();
    let created =
        call!(pair.far.adapter, NdkCreateSharedEndpoint, local, local_length, None, null_mut(), &mut shared);
    assert_eq!(created, STATUS_SUCCESS);
    let status = call!(
        connector,
        NdkConnectWithSharedEndpoint,
        qp,
        shared,
        remote,
        length,
        0,
        0,
        null(),
        0,
        None,
        null_mut()
    );
    assert_eq!(status, STATUS_CONNECTION_ACTIVE);
    assert_eq!(close!(pair.log, shared, NdkCloseSharedEndpoint, "shared"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), []);
    pair.tear_down();
}

#[test]
fn complete_connect_of_own_rejected_or_ended_connect_is_invalid() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    pair.log.pump();
    assert_eq!(call!(pair.near.connector, NdkReject, null(), 0), STATUS_SUCCESS);
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_CONNECTION_ABORTED)]);
    pair.tear_down();
    let pair = Pair::connected();
    assert_eq!(pair.disconnect(pair.near.connector, "near"), STATUS_PENDING);
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_INVALID);
    pair.log.pump();
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_INVALID);
    pair.tear_down();
}

#[test]
fn connect_refused_inline_leaves_nothing_and_keeps_the_earlier_refusal() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    assert_eq!(call!(pair.far.connector, NdkReject, b"no".as_ptr().cast(), 2), STATUS_SUCCESS);
    pair.log.pump();
    call!(pair.listener, NdkControlConnectEvents, 1);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_REFUSED);
    let (mut length, mut data) = (2, [0_u8; 2]);
    let (none, buffer) = (null_mut(), data.as_mut_ptr().cast());
    let status = call!(pair.near.connector, NdkGetConnectionData, none, null_mut(), buffer, &mut length);
    assert_eq!((status, &data), (STATUS_SUCCESS, b"no"));
    // Nothing of the second attempt is left to be waited for.
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_SUCCESS);
    pair.near.connector = null_mut();
    assert_eq!(pair.log.pump(), []);
    pair.tear_down();
}

#[test]
fn connect_refused_inline_and_tried_again_keeps_its_address() {
    let mut pair = Pair::new();
    pair.listen();
    call!(pair.listener, NdkControlConnectEvents, 1);
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    call!(pair.listener, NdkControlConnectEvents, 0);
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    let (mut buffer, mut length) = ([0_u8; 64], 64);
    let at = buffer.as_mut_ptr().cast::<SOCKADDR>();
    assert_eq!(call!(pair.near.connector, NdkGetLocalAddress, at, &mut length), STATUS_SUCCESS);
    pair.tear_down();
}

/// Runs `action` while another processor makes each DPC as soon as it is queued.
fn with_prompt_calls<R>(action: impl FnOnce() -> R) -> R {
    let pumps = Cell::new(false);
    at_each(Some(Rc::new(move |_| {
        if !pumps.replace(true) {
            pump();
            pumps.set(false);
        }
    })));
    at_atomics(true);
    let result = action();
    at_atomics(false);
    at_each(None);
    result
}

#[test]
fn connect_again_inside_its_refusal_has_the_qp() {
    for closes in [false, true] {
        let pair = Rc::new(RefCell::new(Pair::new()));
        pair.borrow().listen();
        assert_eq!(pair.borrow_mut().connect(b""), STATUS_PENDING);
        pair.borrow_mut().take_connect_request();
        let (log, first) = (pair.borrow().log.clone(), pair.borrow().far.connector);
        let (again, outcome) = (pair.clone(), Rc::new(Cell::new(None)));
        let answer = outcome.clone();
        log.inside(move |seen| {
            if let Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED) = seen {
                answer.set(Some(again.borrow().connect_again(b"")));
            }
        });
        with_prompt_calls(|| {
            if closes {
                close!(log, first, NdkCloseConnector, "first");
            } else {
                assert_eq!(call!(first, NdkReject, null(), 0), STATUS_SUCCESS);
            }
        });
        let mut seen = log.pump();
        assert_eq!(outcome.get(), Some(STATUS_PENDING), "the QP was given back before: {seen:?}");
        log.inside(|_| {});
        seen.retain(|seen| matches!(seen, Seen::Requested(..)));
        let [Seen::Requested(_, connector)] = seen[..] else { panic!("{seen:?}") };
        if !closes {
            assert_eq!(close!(log, first, NdkCloseConnector, "first"), STATUS_SUCCESS);
        }
        let mut pair = Rc::into_inner(pair).unwrap().into_inner();
        pair.far.connector = virtual_address(connector).cast();
        pair.tear_down();
    }
}

/// The connector that a connect event brought, or null.
fn requested(seen: &[Seen]) -> *mut NDK_CONNECTOR {
    let connector = seen.iter().find_map(|seen| match seen {
        Seen::Requested(_, connector) => Some(*connector),
        _ => None,
    });
    connector.map_or(null_mut(), |connector| virtual_address(connector).cast())
}

/// CM-4: wherever the end of the peer has got to, NdkConnect goes on with the same QP once NdkCompleteConnect has failed.
#[test]
fn connect_again_at_any_point_of_the_peers_close_finds_its_qp_free() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 10, "{point}");
            break;
        }
        let mut pair = Pair::new();
        pair.listen();
        pair.connect(b"");
        pair.take_connect_request();
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
        let pair = shared(pair);
        let connects = || {
            let completed = pair.complete_connect();
            if completed == STATUS_CONNECTION_ABORTED {
                assert_eq!(pair.connect_again(b""), STATUS_PENDING);
            }
        };
        meets = meet(point, connects, || {
            let closed = close!(pair.log, pair.far.connector, NdkCloseConnector, "far");
            assert_eq!(closed, STATUS_PENDING);
        });
        let mut seen = pair.log.pump();
        if seen.contains(&Seen::RequestCompleted("complete", STATUS_CONNECTION_ABORTED)) {
            assert_eq!(pair.connect_again(b""), STATUS_PENDING, "{point}");
            seen.extend(pair.log.pump());
        }
        assert!(seen.contains(&Seen::Closed("far")), "{point}: {seen:?}");
        let mut pair = retaken(pair);
        pair.far.connector = requested(&seen);
        pair.tear_down();
    }
}
