//! Attempts, and their ends in order.

use core::time::Duration;

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::network::{self, Action};
use test_kernel::{listen_to_events, pass, take_events};

use super::{SETTINGS, connected, listening, meet, requested, retaken, run, shared, tear_down};
use crate::kernel::event::{Event, RequestCall, Status};
use crate::tests::consumer::{Pair, Seen, call, close, virtual_address};

/// Private data of a connector, and its read limits.
fn data(connector: *mut NDK_CONNECTOR) -> (Vec<u8>, u32, u32) {
    let (mut buffer, mut length) = ([0_u8; 600], 600);
    let (mut inbound, mut outbound) = (0, 0);
    let status = call!(
        connector,
        NdkGetConnectionData,
        &mut inbound,
        &mut outbound,
        buffer.as_mut_ptr().cast(),
        &mut length
    );
    assert_eq!(status, STATUS_SUCCESS);
    (buffer[..crate::number::usize_from(length)].to_vec(), inbound, outbound)
}

#[test]
fn connection_over_network_has_data_and_limits_of_both_sides() {
    let pair = connected();
    // 8 inbound and 16 outbound here, 32 and 4 there.
    assert_eq!(data(pair.near.connector), (b"welcome".to_vec(), 4, 16));
    assert_eq!(data(pair.far.connector), (b"hello".to_vec(), 16, 4));
    let statistics = pair.near.rnic.statistics();
    assert_eq!((statistics.connect, statistics.active_connection), (1, 1));
    assert_eq!(pair.far.rnic.statistics().accept, 1);
    tear_down(pair);
}

#[test]
fn disconnect_over_network_ends_both_sides_in_order() {
    for near in [true, false] {
        let pair = connected();
        let (connector, event) =
            if near { (pair.near.connector, "far") } else { (pair.far.connector, "near") };
        assert_eq!(pair.disconnect(connector, "disconnect"), STATUS_PENDING);
        let mut seen = run(&pair);
        seen.sort_by_key(|seen| matches!(seen, Seen::RequestCompleted(..)));
        let expected = [Seen::Disconnected(event), Seen::RequestCompleted("disconnect", STATUS_SUCCESS)];
        assert_eq!(seen, expected);
        assert_eq!(pair.near.rnic.statistics().active_connection, 0);
        assert_eq!(pair.near.rnic.statistics().connection_error, 0);
        tear_down(pair);
    }
}

#[test]
fn reject_over_network_refuses_the_connect_with_data() {
    let pair = requested(b"hello");
    let status = call!(pair.far.connector, NdkReject, b"no".as_ptr().cast(), 2);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    assert_eq!(data(pair.near.connector).0, b"no");
    tear_down(pair);
}

#[test]
fn reject_by_the_active_side_aborts_the_accept() {
    let pair = requested(b"");
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(call!(pair.near.connector, NdkReject, core::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_CONNECTION_ABORTED)]);
    tear_down(pair);
}

#[test]
fn connect_without_a_listener_is_refused_and_may_be_tried_again() {
    let mut pair = crate::tests::consumer::Pair::over_network(super::SETTINGS);
    assert_eq!(pair.connect(b"hello"), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    assert_eq!(pair.listen_pending(), STATUS_PENDING);
    run(&pair);
    assert_eq!(pair.connect_again(b"hello"), STATUS_PENDING);
    let seen = run(&pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
    pair.far.connector = virtual_address(connector).cast();
    tear_down(pair);
}

#[test]
fn accept_without_a_first_fpdu_times_out() {
    let pair = requested(b"");
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    pass(Duration::from_secs(29));
    assert_eq!(run(&pair), []);
    pass(Duration::from_secs(2));
    // Also that of the connection before: the request had its time, too.
    pass(Duration::from_secs(12));
    assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_IO_TIMEOUT)]);
    assert_eq!(pair.complete_connect(), STATUS_CONNECTION_ABORTED);
    tear_down(pair);
}

/// CM-4: wherever the end of TCP's connection has got to, NdkConnect goes on with the same QP once NdkCompleteConnect has
/// failed.
#[test]
fn connect_again_at_any_point_of_the_end_of_tcp_finds_its_qp_free() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 20, "{point}");
            break;
        }
        let pair = requested(b"");
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
        let pair = shared(pair);
        let connects = || {
            if pair.complete_connect() == STATUS_CONNECTION_ABORTED {
                assert_eq!(pair.connect_again(b""), STATUS_PENDING);
            }
        };
        let near = network::begun() - 2;
        network::end_peer(near);
        meets = meet(point, connects, || while network::step(0) {});
        let mut seen = run(pair);
        if seen.contains(&Seen::RequestCompleted("complete", STATUS_CONNECTION_ABORTED)) {
            assert_eq!(pair.connect_again(b""), STATUS_PENDING, "{point}");
        }
        close!(pair.log, pair.far.connector, NdkCloseConnector, "first");
        seen.extend(run(pair));
        let connector = seen.iter().find_map(|seen| match seen {
            Seen::Requested(_, connector) => Some(virtual_address(*connector).cast()),
            _ => None,
        });
        let mut pair = retaken(pair);
        pair.far.connector = connector.unwrap_or(null_mut());
        tear_down(pair);
    }
}

/// CM-4: NdkConnect is called again as soon as NdkCompleteConnect has failed, with the same QP.
#[test]
fn complete_connect_that_fails_is_complete_when_qp_can_connect_again() {
    let mut pair = requested(b"");
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    let near = network::begun() - 2;
    network::end_peer(near);
    while network::step_if(|action| matches!(action, Action::Finish(number) if *number == near)) {}
    assert_eq!(pair.complete_connect(), STATUS_PENDING);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_ACTIVE);
    let aborted = Seen::RequestCompleted("complete", STATUS_CONNECTION_ABORTED);
    let mut seen = Vec::new();
    while !seen.contains(&aborted) {
        assert!(network::step(0), "{seen:?}");
        seen.extend(pair.log.pump());
    }
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    close!(pair.log, pair.far.connector, NdkCloseConnector, "first");
    let seen = run(&pair);
    let connector = seen.iter().find_map(|seen| match seen {
        Seen::Requested(_, connector) => Some(*connector),
        _ => None,
    });
    pair.far.connector = virtual_address(connector.unwrap()).cast();
    tear_down(pair);
}

/// Rejects at each point of which `other` happens on another processor; whether the peer has heard it, for each point.
fn heard(other: fn(usize)) -> Vec<bool> {
    let mut heard = Vec::new();
    loop {
        let pair = shared(requested(b""));
        let far = network::begun() - 1;
        pass(Duration::from_secs(8));
        let meets = meet(
            heard.len(),
            move || other(far),
            || {
                let _it_may_be_over = call!(pair.far.connector, NdkReject, b"no".as_ptr().cast(), 2);
            },
        );
        let seen = run(pair);
        assert!(seen.contains(&Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)), "{seen:?}");
        heard.push(data(pair.near.connector).0 == b"no");
        tear_down(retaken(pair));
        if !meets {
            assert!(heard.len() > 10, "{heard:?}");
            return heard;
        }
    }
}

/// TM-3: the time of a request expires as it is rejected.
#[test]
fn rejection_is_not_overtaken_by_the_end_of_the_stream() {
    let heard = heard(|_| pass(Duration::from_secs(3)));
    assert!(heard.iter().all(|heard| *heard), "{heard:?}");
}

/// TD-5: the peer ends its stream as it is rejected, and still receives.
#[test]
fn rejection_that_has_begun_is_heard_by_a_peer_that_has_ended() {
    let heard = heard(|far| {
        network::end_peer(far);
        while network::step_if(|action| matches!(action, Action::Finish(number) if *number == far)) {}
    });
    let begun = heard.iter().position(|heard| *heard).unwrap();
    assert!(begun + 1 < heard.len() && heard[begun..].iter().all(|heard| *heard), "{heard:?}");
}

#[test]
fn connect_without_a_reply_times_out() {
    let pair = requested(b"");
    pass(Duration::from_secs(29));
    assert_eq!(run(&pair), []);
    pass(Duration::from_secs(2));
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_IO_TIMEOUT)]);
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    tear_down(pair);
}

#[test]
fn frames_that_come_byte_by_byte_establish_a_connection() {
    network::set_piece(1);
    tear_down(connected());
}

#[test]
fn paused_listener_looks_as_if_there_were_none() {
    let mut pair = listening();
    call!(pair.listener, NdkControlConnectEvents, 1);
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    call!(pair.listener, NdkControlConnectEvents, 0);
    tear_down(pair);
}

#[test]
fn listener_of_a_disabled_rnic_looks_as_if_there_were_none() {
    let mut pair = listening();
    pair.far.rnic.set_enabled(false);
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)]);
    pair.far.rnic.set_enabled(true);
    tear_down(pair);
}

#[test]
fn listen_over_network_has_its_status_in_an_event() {
    listen_to_events();
    let pair = listening();
    let again = pair.far.create_listener(&pair.log);
    let statuses: Vec<_> = take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Listen { status, .. } => Some(("call", status)),
            Event::RequestCompleted { request: RequestCall::Listen, status, local, .. } => {
                assert_eq!(local, Some(pair.far.address));
                Some(("completion", status))
            }
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [("call", Status(STATUS_PENDING)), ("completion", Status(STATUS_SUCCESS))]);
    let closed = crate::tests::consumer::close!(pair.log, again, NdkCloseListener, "again");
    assert_eq!(closed, STATUS_SUCCESS);
    tear_down(pair);
}

#[test]
fn port_of_a_listener_is_free_when_its_close_completes() {
    let pair = listening();
    let other = pair.far.create_listener(&pair.log);
    let listen = |listener: *mut NDK_LISTENER| {
        let (address, length) = crate::tests::consumer::sockaddr(pair.far.address);
        let context = pair.log.context("again");
        let completed = crate::tests::consumer::completed;
        call!(listener, NdkListen, address.as_ptr().cast(), length, Some(completed), context)
    };
    assert_eq!(listen(other), STATUS_SHARING_VIOLATION);
    assert_eq!(
        crate::tests::consumer::close!(pair.log, pair.listener, NdkCloseListener, "first"),
        STATUS_PENDING
    );
    assert_eq!(listen(other), STATUS_SHARING_VIOLATION, "TCP has it yet");
    assert_eq!(run(&pair), [Seen::Closed("first")]);
    assert_eq!(listen(other), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("again", STATUS_SUCCESS)]);
    tear_down(crate::tests::consumer::Pair { listener: other, ..pair });
}

/// TM-1: the time of TCP's own connect is TCP's: NdkConnect pends and completes with what TCP says.
#[test]
fn connect_that_tcp_gives_up_completes_with_its_status() {
    for status in
        [STATUS_IO_TIMEOUT, STATUS_HOST_UNREACHABLE, STATUS_NETWORK_UNREACHABLE, STATUS_CONNECTION_REFUSED]
    {
        let mut pair = Pair::over_network(SETTINGS);
        network::set_failure(status);
        assert_eq!(pair.connect(b""), STATUS_PENDING);
        assert_eq!(run(&pair), [Seen::RequestCompleted("connect", status)]);
        network::set_failure(STATUS_CONNECTION_REFUSED);
        tear_down(pair);
    }
}
