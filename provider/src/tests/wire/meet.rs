//! Calls that meet on two processors: at each point of one, the other is made to its end.

use std::cell::Cell;
use std::rc::Rc;

use sys::status::*;
use test_kernel::network::{self, Action};
use test_kernel::{at_atomics, at_each};

use super::rig::{Rig, receive, send};
use super::{SETTINGS, connected, requested, run, tear_down};
use crate::number::u32_from;
use crate::tests::consumer::{DEPTH, Seen, call, close, request};

/// Makes `action`; at its point number `point` another processor makes `other`. Returns false if it has no such point, and
/// `other` was not made.
pub(in crate::tests) fn meet(point: usize, other: impl FnOnce() + 'static, action: impl FnOnce()) -> bool {
    let (reached, other) = (Cell::new(0), Rc::new(Cell::new(Some(other))));
    let last = other.clone();
    at_each(Some(Rc::new(move |_| {
        if reached.replace(reached.get() + 1) == point
            && let Some(other) = other.take()
        {
            other();
        }
    })));
    at_atomics(true);
    action();
    at_atomics(false);
    at_each(None);
    last.take().is_none()
}

/// A value that the other processor reaches, too, until it is [`retaken`].
pub(in crate::tests) fn shared<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Takes back what was [`shared`], when nothing refers to it any more.
pub(in crate::tests) fn retaken<T>(value: &'static T) -> T {
    // SAFETY: it is the box that was leaked, and the caller is the last one.
    *unsafe { Box::from_raw(core::ptr::from_ref(value).cast_mut()) }
}

/// TD-4: what is accepted is sent, and the stream ends behind it.
#[test]
fn disconnect_at_any_point_of_a_send_does_not_overtake_it() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 20, "{point}");
            break;
        }
        let rig = shared(Rig::new(SETTINGS, 100));
        receive(&rig.pair.far, 2, &rig.far_list(100, 1));
        let list = rig.near_list(100, 1);
        let accepted = Cell::new(STATUS_PENDING);
        let disconnect = || {
            assert_eq!(rig.pair.disconnect(rig.pair.near.connector, "near"), STATUS_PENDING);
        };
        meets = meet(point, disconnect, || {
            accepted.set(call!(rig.pair.near.qp, NdkSend, request(1), list.as_ptr(), 1, 0));
        });
        if !meets {
            disconnect();
        }
        let seen = rig.run();
        assert!(seen.contains(&Seen::RequestCompleted("near", STATUS_SUCCESS)), "{point}: {seen:?}");
        if accepted.get() == STATUS_SUCCESS {
            // One that is posted behind the end of the stream is cancelled.
            let (near, far) = (rig.pair.near.results(), rig.pair.far.results());
            let sent = near == [(STATUS_SUCCESS, 100, 1)] && far == [(STATUS_SUCCESS, 100, 2)];
            assert!(
                sent || (near == [(STATUS_CANCELLED, 0, 1)] && far.is_empty()),
                "{point}: {near:?} {far:?}"
            );
        }
        retaken(rig).tear_down();
    }
}

/// CM-3: the end of the peer's stream is told, also if it comes while the consumer completes its connect.
#[test]
fn end_of_the_peer_at_any_point_of_complete_connect_is_told() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 20, "{point}");
            break;
        }
        let pair = requested(b"");
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
        let near = network::begun() - 2;
        let ends = move || {
            network::end_peer(near);
            while network::step_if(|action| matches!(action, Action::Finish(number) if *number == near)) {}
        };
        let completed = Cell::new(STATUS_PENDING);
        meets = meet(point, ends, || completed.set(pair.complete_connect()));
        if !meets {
            ends();
        }
        let seen = run(&pair);
        let is_told = seen.contains(&Seen::Disconnected("near"));
        assert_eq!(is_told, completed.get() == STATUS_SUCCESS, "{point}: {seen:?}");
        let aborted = Seen::RequestCompleted("complete", STATUS_CONNECTION_ABORTED);
        assert_eq!(seen.contains(&aborted), completed.get() == STATUS_PENDING, "{point}: {seen:?}");
        tear_down(pair);
    }
}

/// CM-3: a QP may post once NdkAccept has completed, on another processor while the first FPDU is still being read.
#[test]
fn post_in_completion_of_accept_at_any_point_of_first_fpdu_is_taken() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 20, "{point}");
            break;
        }
        let pair = shared(requested(b""));
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        assert_eq!(run(pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
        assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
        let completes = || {
            let accepted = Seen::RequestCompleted("accept", STATUS_SUCCESS);
            if pair.log.pump().contains(&accepted) {
                let posted = call!(pair.far.qp, NdkSend, request(1), std::ptr::null(), 0, 0);
                assert_eq!(posted, STATUS_SUCCESS);
            }
        };
        meets = meet(point, completes, || while network::step(0) {});
        run(pair);
        tear_down(retaken(pair));
    }
}

/// TD-5: the peer has ended its stream, and still receives: the message that has begun is sent to its end.
#[test]
fn end_of_the_peer_within_a_send_lets_it_end() {
    const LENGTH: usize = 300_000;
    let rig = Rig::new(SETTINGS, LENGTH);
    let near = network::begun() - 2;
    receive(&rig.pair.far, 2, &rig.far_list(LENGTH, 1));
    send(&rig.pair.near, 1, &rig.near_list(LENGTH, 1), 0);
    network::end_peer(near);
    while network::step_if(|action| matches!(action, Action::Finish(number) if *number == near)) {}
    rig.run();
    let length = u32_from(LENGTH);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, length, 1)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, length, 2)]);
    rig.tear_down();
}

/// CM-2: what was accepted is not touched by a second NdkAccept.
#[test]
fn second_accept_leaves_the_connection_of_the_first_as_it_is() {
    let mut pair = connected();
    assert_eq!(call!(pair.far.qp, NdkSend, request(1), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!(call!(pair.near.qp, NdkReceive, request(2), std::ptr::null(), 0), STATUS_SUCCESS);
    let batches = network::actions().iter().filter(|action| matches!(action, Action::Return(_))).count();
    assert_eq!(batches, 1);
    let other = pair.far.create_qp_of(DEPTH, 1);
    let first = core::mem::replace(&mut pair.far.qp, other);
    assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
    let second = core::mem::replace(&mut pair.far.qp, first);
    assert_eq!(run(&pair), []);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 2)]);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    close!(pair.log, second, NdkCloseQp, "second");
    tear_down(pair);
}
