//! Connections: dependencies on QPs, listeners and shared endpoints, events, local addresses.

use core::ptr;

use sys::ndk::*;
use sys::sockaddr::{AF_INET, IN_ADDR, SOCKADDR_IN};
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{FALSE, PVOID, TRUE};

use super::fixture::{Fixture, Got, call, context, on_close, on_disconnect, on_disconnect_ex, on_request};
use super::provider::{At, fake, offer, peer_disconnects};
use crate::rules;

fn address(port: u16) -> SOCKADDR_IN {
    SOCKADDR_IN {
        sin_family: AF_INET,
        sin_port: port.to_be(),
        sin_addr: IN_ADDR { S_addr: u32::from_ne_bytes([10, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

fn listen(listener: *mut NDK_LISTENER, port: u16) -> NTSTATUS {
    let address = address(port);
    call!(listener, NdkListen, (&raw const address).cast(), 16, Some(on_request), context(1))
}

fn connect(connector: *mut NDK_CONNECTOR, qp: *mut NDK_QP, port: u16) -> NTSTATUS {
    let source = address(port);
    let source = (&raw const source).cast();
    let none = ptr::null();
    call!(connector, NdkConnect, qp, source, 16, source, 16, 0, 0, none, 0, Some(on_request), context(1))
}

/// A QP, with what it needs.
struct Side {
    fixture: Fixture,
    cq: *mut NDK_CQ,
    pd: *mut NDK_PD,
    qp: *mut NDK_QP,
}

impl Side {
    fn new() -> Self {
        let fixture = Fixture::new();
        let (cq, pd) = (fixture.cq(), fixture.pd());
        let qp = fixture.qp(pd, cq);
        Self { fixture, cq, pd, qp }
    }

    fn accept(&self, connector: *mut NDK_CONNECTOR) {
        let none = ptr::null();
        let event = Some(on_disconnect as NDK_FN_DISCONNECT_EVENT_CALLBACK);
        let done = Some(on_request as NDK_FN_REQUEST_COMPLETION);
        let status =
            call!(connector, NdkAccept, self.qp, 0, 0, none, 0, event, context(0xD), done, context(1));
        assert_eq!(status, STATUS_SUCCESS);
    }

    fn finish(self) -> Vec<&'static str> {
        call!(self.qp, NdkCloseQp, Some(on_close), context(1));
        self.finish_without_qp()
    }

    fn finish_without_qp(self) -> Vec<&'static str> {
        call!(self.pd, NdkClosePd, Some(on_close), context(1));
        call!(self.cq, NdkCloseCq, Some(on_close), context(1));
        self.fixture.finish()
    }
}

#[test]
fn offered_connection_is_accepted_told_of_the_peer_s_end_and_closed() {
    let side = Side::new();
    let listener = side.fixture.listener();
    assert_eq!(listen(listener, 4000), STATUS_SUCCESS);
    offer(listener);
    let connector = side.fixture.created::<NDK_CONNECTOR>();
    side.accept(connector);
    peer_disconnects(connector);
    assert_eq!(
        side.fixture.log(),
        [Got("connect", 0x11, STATUS_SUCCESS), Got("disconnect", 0xD, STATUS_SUCCESS)]
    );
    assert_eq!(call!(listener, NdkCloseListener, Some(on_close), context(1)), STATUS_PENDING);
    assert_eq!(call!(side.qp, NdkCloseQp, Some(on_close), context(1)), STATUS_PENDING);
    assert_eq!(call!(connector, NdkDisconnect, Some(on_request), context(1)), STATUS_SUCCESS);
    assert_eq!(call!(connector, NdkCloseConnector, Some(on_close), context(1)), STATUS_SUCCESS);
    assert!(side.finish_without_qp().is_empty());
}

#[test]
fn forms_of_2_1_reach_the_provider() {
    let side = Side::new();
    let connector = side.fixture.connector();
    assert_eq!(connect(connector, side.qp, 0), STATUS_SUCCESS);
    let event = Some(on_disconnect_ex as NDK_FN_DISCONNECT_EVENT_CALLBACK_EX);
    let done = Some(on_request as NDK_FN_REQUEST_COMPLETION);
    let status = call!(connector, NdkCompleteConnectEx, event, context(2), done, context(3));
    assert_eq!(status, STATUS_SUCCESS);
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    let listener = side.fixture.listener();
    offer(listener);
    let connector = side.fixture.created::<NDK_CONNECTOR>();
    let none = ptr::null();
    let status = call!(connector, NdkAcceptEx, side.qp, 0, 0, none, 0, event, context(2), done, context(3));
    assert_eq!(status, STATUS_SUCCESS);
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    assert!(side.finish().is_empty());
}

/// Makes `connector` forget an antecedent, closes the antecedent, then the connector.
fn found_if_forgotten<T>(
    side: Side,
    connector: *mut NDK_CONNECTOR,
    antecedent: *mut T,
    close: impl FnOnce(),
) -> Vec<&'static str> {
    fake(connector).forget_parent(At::of(antecedent));
    close();
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    side.finish_without_qp()
}

#[test]
fn qp_that_closes_before_its_connector_is_found() {
    let side = Side::new();
    let connector = side.fixture.connector();
    assert_eq!(connect(connector, side.qp, 0), STATUS_SUCCESS);
    let qp = side.qp;
    let close = || assert_eq!(call!(qp, NdkCloseQp, Some(on_close), context(1)), STATUS_SUCCESS);
    assert_eq!(found_if_forgotten(side, connector, qp, close), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn listener_that_closes_before_the_connector_it_offered_is_found() {
    let side = Side::new();
    call!(side.qp, NdkCloseQp, Some(on_close), context(1));
    let listener = side.fixture.listener();
    offer(listener);
    let connector = side.fixture.created::<NDK_CONNECTOR>();
    let close = || assert_eq!(call!(listener, NdkCloseListener, Some(on_close), context(1)), STATUS_SUCCESS);
    assert_eq!(found_if_forgotten(side, connector, listener, close), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn shared_endpoint_that_closes_before_the_connector_that_uses_it_is_found() {
    let side = Side::new();
    let endpoint = side.fixture.shared_endpoint(&address(4000));
    let connector = side.fixture.connector();
    let destination = address(5000);
    let destination = (&raw const destination).cast();
    let done = Some(on_request as NDK_FN_REQUEST_COMPLETION);
    let (qp, none) = (side.qp, ptr::null());
    let status = call!(
        connector,
        NdkConnectWithSharedEndpoint,
        qp,
        endpoint,
        destination,
        16,
        0,
        0,
        none,
        0,
        done,
        context(1)
    );
    assert_eq!(status, STATUS_SUCCESS);
    let close = || {
        let status = call!(endpoint, NdkCloseSharedEndpoint, Some(on_close), context(1));
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(call!(qp, NdkCloseQp, Some(on_close), context(1)), STATUS_PENDING);
    };
    assert_eq!(found_if_forgotten(side, connector, endpoint, close), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn connect_that_fails_ties_nothing() {
    extern "efiapi" fn refuse(
        _: *mut NDK_CONNECTOR,
        _: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
        _: PVOID,
        _: Option<NDK_FN_REQUEST_COMPLETION>,
        _: PVOID,
    ) -> NTSTATUS {
        sys::status::STATUS_CONNECTION_INVALID
    }
    let fixture = Fixture::with(|provider| provider.connector.NdkCompleteConnect = Some(refuse));
    let connector = fixture.connector();
    let event = Some(on_disconnect as NDK_FN_DISCONNECT_EVENT_CALLBACK);
    call!(connector, NdkCompleteConnect, event, context(1), Some(on_request), context(1));
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    assert!(fixture.finish().is_empty());
}

#[test]
fn offer_after_the_listener_s_close_was_called_is_found() {
    let side = Side::new();
    let listener = side.fixture.listener();
    offer(listener);
    let first = side.fixture.created::<NDK_CONNECTOR>();
    assert_eq!(call!(listener, NdkCloseListener, Some(on_close), context(1)), STATUS_PENDING);
    offer(listener);
    let second = side.fixture.created::<NDK_CONNECTOR>();
    for connector in [first, second] {
        call!(connector, NdkCloseConnector, Some(on_close), context(1));
    }
    assert_eq!(side.finish(), [rules::CONNECT_EVENT_AFTER_CLOSE]);
}

#[test]
fn offer_while_events_are_paused_is_found_and_one_after_is_not() {
    let side = Side::new();
    let listener = side.fixture.listener();
    let take = || {
        offer(listener);
        let connector = side.fixture.created::<NDK_CONNECTOR>();
        call!(connector, NdkCloseConnector, Some(on_close), context(1));
    };
    call!(listener, NdkControlConnectEvents, TRUE);
    take();
    call!(listener, NdkControlConnectEvents, FALSE);
    take();
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    assert_eq!(side.finish(), [rules::CONNECT_EVENT_PAUSED]);
}

#[test]
fn second_disconnect_event_is_found() {
    let side = Side::new();
    let listener = side.fixture.listener();
    offer(listener);
    let connector = side.fixture.created::<NDK_CONNECTOR>();
    side.accept(connector);
    peer_disconnects(connector);
    peer_disconnects(connector);
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    assert_eq!(side.finish(), [rules::DISCONNECT_EVENT_TWICE]);
}

#[test]
fn two_listeners_on_one_address_are_found() {
    let fixture = Fixture::new();
    let listeners = [fixture.listener(), fixture.listener()];
    for listener in listeners {
        assert_eq!(listen(listener, 4000), STATUS_SUCCESS);
    }
    for listener in listeners {
        call!(listener, NdkCloseListener, Some(on_close), context(1));
    }
    assert_eq!(fixture.finish(), [rules::ENDPOINT_REUSED]);
}

#[test]
fn listener_s_address_is_free_when_it_is_closed() {
    let fixture = Fixture::new();
    for _ in 0..2 {
        let listener = fixture.listener();
        assert_eq!(listen(listener, 4000), STATUS_SUCCESS);
        call!(listener, NdkCloseListener, Some(on_close), context(1));
    }
    assert!(fixture.finish().is_empty());
}

#[test]
fn address_that_an_accepted_connector_still_holds_given_again_is_found() {
    let side = Side::new();
    let listener = side.fixture.listener();
    assert_eq!(listen(listener, 4000), STATUS_SUCCESS);
    offer(listener);
    let connector = side.fixture.created::<NDK_CONNECTOR>();
    assert_eq!(call!(listener, NdkCloseListener, Some(on_close), context(1)), STATUS_PENDING);
    let again = side.fixture.listener();
    assert_eq!(listen(again, 4000), STATUS_SUCCESS);
    call!(again, NdkCloseListener, Some(on_close), context(1));
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    assert_eq!(side.finish(), [rules::ENDPOINT_REUSED]);
}

#[test]
fn connect_from_a_listener_s_address_is_found() {
    let side = Side::new();
    let listener = side.fixture.listener();
    assert_eq!(listen(listener, 4000), STATUS_SUCCESS);
    let connector = side.fixture.connector();
    assert_eq!(connect(connector, side.qp, 4000), STATUS_SUCCESS);
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    assert_eq!(side.finish(), [rules::ENDPOINT_REUSED]);
}

#[test]
fn rest_of_a_connector_s_functions_reach_the_provider() {
    let fixture = Fixture::new();
    let connector = fixture.connector();
    let (mut length, none) = (0, ptr::null_mut());
    let length = &raw mut length;
    assert_eq!(call!(connector, NdkReject, ptr::null(), 0), STATUS_SUCCESS);
    let no_limit = ptr::null_mut();
    assert_eq!(call!(connector, NdkGetConnectionData, no_limit, no_limit, none, length), STATUS_SUCCESS);
    let refused = [
        call!(connector, NdkGetLocalAddress, ptr::null_mut(), length),
        call!(connector, NdkGetPeerAddress, ptr::null_mut(), length),
    ];
    assert_eq!(refused, [sys::status::STATUS_BUFFER_TOO_SMALL; 2]);
    call!(connector, NdkCloseConnector, Some(on_close), context(1));
    assert!(fixture.finish().is_empty());
}
