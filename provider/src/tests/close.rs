//! NdkCloseObject (CL-1 to CL-12).

use std::ptr::{NonNull, null_mut};

use sys::ndk::*;
use sys::status::*;
use test_kernel::{Manual, pump};

use super::consumer::{Pair, Seen, call, close, request, virtual_address};
use crate::rnic::{OpenError, Rnic};

#[test]
fn every_object_without_successors_closes_inline() {
    let mut pair = Pair::new();
    pair.near.connector = pair.near.create_connector();
    let mr = pair.near.create_mr();
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "connector"), STATUS_SUCCESS);
    pair.near.connector = null_mut();
    let log = pair.log.clone();
    pair.tear_down();
    assert_eq!(log.pump(), [], "an inline close makes no callback");
}

#[test]
fn antecedents_closed_first_are_completed_in_the_order_of_the_tree() {
    let pair = Pair::connected();
    let log = &pair.log;
    let mr = pair.near.create_mr();
    for side in [&pair.near, &pair.far] {
        assert_eq!(close!(log, side.cq, NdkCloseCq, "cq"), STATUS_PENDING);
        assert_eq!(close!(log, side.pd, NdkClosePd, "pd"), STATUS_PENDING);
        assert_eq!(close!(log, side.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    }
    assert_eq!(close!(log, pair.listener, NdkCloseListener, "listener"), STATUS_PENDING);
    log.pump();
    assert_eq!(close!(log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    assert_eq!(log.pump(), []);
    close!(log, pair.near.connector, NdkCloseConnector, "connector");
    let near = log.pump();
    let names: Vec<_> = near.iter().filter(|seen| matches!(seen, Seen::Closed(_))).collect();
    let position = |name| names.iter().position(|seen| **seen == Seen::Closed(name)).unwrap_or(usize::MAX);
    assert!(position("qp") < position("pd") && position("qp") < position("cq"), "{near:?}");
    close!(log, pair.far.connector, NdkCloseConnector, "connector");
    let far = log.pump();
    assert!(far.contains(&Seen::Closed("listener")), "{far:?}");
    pair.near.close_adapter();
    pair.far.close_adapter();
}

#[test]
fn antecedent_completes_only_after_its_successors_completion_has_returned() {
    let pair = Pair::connected();
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.near.pd, NdkClosePd, "pd"), STATUS_PENDING);
    pair.log.pump();
    let log = pair.log.clone();
    // DPCs that are made while the completion runs must not complete the antecedent.
    pair.log.inside(move |seen| {
        if let Seen::Closed(_) = seen {
            let before = log.count();
            pump();
            assert_eq!(log.count(), before, "a completion inside that of {seen:?}");
        }
    });
    // Closing the queue pair broke the connection, so nothing holds the connector any more.
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "connector"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("qp"), Seen::Closed("pd")]);
    close!(pair.log, pair.near.cq, NdkCloseCq, "cq");
    pair.near.close_adapter();
}

#[test]
fn connector_can_be_closed_inside_its_own_completion() {
    let mut pair = Pair::new();
    pair.listen();
    pair.connect(b"");
    pair.take_connect_request();
    let (log, near) = (pair.log.clone(), pair.near.connector);
    pair.log.inside(move |seen| {
        if let Seen::RequestCompleted("connect", _) = seen {
            let status = close!(log, near, NdkCloseConnector, "near");
            assert_eq!(status, STATUS_PENDING, "its completion has not returned");
        }
    });
    call!(pair.far.connector, NdkReject, std::ptr::null(), 0);
    let seen = pair.log.pump();
    assert_eq!(seen, [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED), Seen::Closed("near")]);
    pair.near.connector = null_mut();
    pair.tear_down();
}

#[test]
fn incoming_connector_closed_inside_the_connect_event_refuses_the_connect() {
    let mut pair = Pair::new();
    pair.listen();
    let log = pair.log.clone();
    pair.log.inside(move |seen| {
        if let Seen::Requested(_, connector) = seen {
            let connector = virtual_address(*connector).cast::<NDK_CONNECTOR>();
            assert_eq!(close!(log, connector, NdkCloseConnector, "offered"), STATUS_PENDING);
        }
    });
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    let seen = pair.log.pump();
    assert!(seen.contains(&Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED)), "{seen:?}");
    assert!(seen.contains(&Seen::Closed("offered")), "{seen:?}");
    pair.tear_down();
}

#[test]
fn closing_listener_refuses_new_connections_and_frees_its_endpoint_with_its_last_connector() {
    let mut pair = Pair::connected();
    assert_eq!(close!(pair.log, pair.listener, NdkCloseListener, "listener"), STATUS_PENDING);
    let second = pair.far.create_listener(&pair.log);
    let first = std::mem::replace(&mut pair.listener, second);
    assert!(!first.is_null());
    assert_eq!(pair.listen(), STATUS_SHARING_VIOLATION, "a connector still holds the endpoint");
    let (connector, qp) = (pair.near.connector, pair.near.qp);
    pair.near.qp = pair.near.create_qp();
    assert_eq!(pair.connect(b""), STATUS_CONNECTION_REFUSED);
    close!(pair.log, pair.far.connector, NdkCloseConnector, "far");
    let seen = pair.log.pump();
    assert!(seen.ends_with(&[Seen::Closed("far"), Seen::Closed("listener")]), "{seen:?}");
    assert_eq!(pair.listen(), STATUS_SUCCESS, "no connector holds the endpoint any more");
    pair.far.connector = null_mut();
    close!(pair.log, connector, NdkCloseConnector, "near");
    pair.log.pump();
    assert_eq!(close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn listener_closed_before_the_connect_event_refuses_what_waits() {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    let status = close!(pair.log, pair.listener, NdkCloseListener, "listener");
    assert_eq!(status, STATUS_PENDING);
    let seen = pair.log.pump();
    let refused = [Seen::RequestCompleted("connect", STATUS_CONNECTION_REFUSED), Seen::Closed("listener")];
    assert_eq!(seen, refused, "what waits is not indicated");
    pair.listener = pair.far.create_listener(&pair.log);
    pair.tear_down();
}

#[test]
fn closing_a_queue_pair_cancels_what_was_posted() {
    let pair = Pair::connected();
    call!(pair.near.qp, NdkReceive, request(1), std::ptr::null(), 0);
    call!(pair.near.qp, NdkSend, request(2), std::ptr::null(), 0, 0);
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    let mut results = pair.near.results();
    results.sort_unstable();
    assert_eq!(results, [(STATUS_CANCELLED, 0, 1), (STATUS_CANCELLED, 0, 2)], "each has its one result");
    pair.log.pump();
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "connector"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("qp")]);
}

#[test]
fn notification_does_not_begin_once_the_queue_is_closing() {
    let pair = Pair::connected();
    call!(pair.near.cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    assert_eq!(close!(pair.log, pair.near.cq, NdkCloseCq, "cq"), STATUS_PENDING);
    call!(pair.near.qp, NdkReceive, request(1), std::ptr::null(), 0);
    call!(pair.near.qp, NdkFlush);
    assert_eq!(pair.log.pump(), []);
}

#[test]
fn second_close_of_a_pending_object_returns_pending() {
    let pair = Pair::connected();
    assert_eq!(close!(pair.log, pair.near.pd, NdkClosePd, "first"), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.near.pd, NdkClosePd, "second"), STATUS_PENDING);
    close!(pair.log, pair.near.connector, NdkCloseConnector, "connector");
    pair.log.pump();
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("first")]);
}

#[test]
fn create_under_a_closing_antecedent_fails() {
    let pair = Pair::new();
    assert_eq!(close!(pair.log, pair.near.pd, NdkClosePd, "pd"), STATUS_PENDING);
    let mut mr = null_mut();
    let status = call!(pair.near.pd, NdkCreateMr, 0, None, null_mut(), &mut mr);
    assert_eq!((status, mr.is_null()), (STATUS_DELETE_PENDING, true));
}

#[test]
fn close_pending_without_a_completion_function_completes() {
    let pair = Pair::new();
    // SAFETY: the test hands the object over.
    let close = unsafe { (*(*pair.near.pd).Dispatch).NdkClosePd.unwrap() };
    // SAFETY: as above.
    assert_eq!(unsafe { close(pair.near.pd.cast(), None, null_mut()) }, STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), []);
}

#[test]
fn second_close_of_a_pending_one_changes_nothing_and_is_not_completed() {
    let pair = Pair::new();
    let (log, side) = (pair.log.clone(), &pair.near);
    assert_eq!(close!(log, side.pd, NdkClosePd, "first"), STATUS_PENDING);
    assert_eq!(close!(log, side.pd, NdkClosePd, "second"), STATUS_PENDING);
    assert_eq!(close!(log, side.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(log.pump(), [Seen::Closed("first")]);
    assert_eq!(close!(log, side.cq, NdkCloseCq, "cq"), STATUS_SUCCESS);
    side.close_adapter();
}

#[test]
fn open_negotiates_the_version_and_fails_on_a_disabled_rnic() {
    let pair = Pair::new();
    let rnic = &pair.near.rnic;
    let version = |major, minor| NDK_VERSION { Major: major, Minor: minor };
    for (asked, spoken) in [((1, 1), (1, 2)), ((1, 2), (1, 2)), ((2, 0), (2, 1)), ((2, 1), (2, 1))] {
        let adapter = rnic.open(version(asked.0, asked.1)).unwrap();
        // SAFETY: the adapter was opened just now.
        let header = unsafe { adapter.as_ref() }.Header;
        assert_eq!(header.Version, version(spoken.0, spoken.1));
        assert!(header.NdkReserved.rf.iter().all(|word| word.is_null()));
        // SAFETY: the test is done with it.
        unsafe { Rnic::<Manual>::close(adapter, test_kernel::passive()) };
    }
    for asked in [(1, 3), (2, 2), (3, 0), (0, 9)] {
        assert_eq!(rnic.open(version(asked.0, asked.1)), Err(OpenError::Version));
    }
    rnic.set_enabled(false);
    assert_eq!(rnic.open(NDK_VERSION_2_1), Err(OpenError::NotReady));
    pair.tear_down();
}

#[test]
fn adapters_close_waits_for_the_completions_of_its_descendants() {
    let pair = Pair::connected();
    let log = pair.log.clone();
    for side in [&pair.near, &pair.far] {
        close!(log, side.cq, NdkCloseCq, "cq");
        close!(log, side.pd, NdkClosePd, "pd");
        close!(log, side.qp, NdkCloseQp, "qp");
        close!(log, side.connector, NdkCloseConnector, "connector");
    }
    close!(log, pair.listener, NdkCloseListener, "listener");
    // The host's wait makes the DPCs, and fails if they don't end it.
    pair.near.close_adapter();
    pair.far.close_adapter();
    assert_eq!(log.pump().iter().filter(|seen| matches!(seen, Seen::Closed(_))).count(), 9);
}

#[test]
fn dispatch_table_swapped_by_the_ndk_layer_is_not_read_back() {
    let pair = Pair::new();
    let swapped = NDK_PD_DISPATCH { NdkCreateMr: None, ..table_of(pair.near.pd) };
    // SAFETY: the words and the table's pointer belong to the layer above, which is the test.
    let pd = unsafe { NonNull::new_unchecked(pair.near.pd).as_mut() };
    let original = std::mem::replace(&mut pd.Dispatch, &raw const swapped);
    pd.Header.NdkReserved.rf = [request(0xA5); 4];
    // SAFETY: the original table is the provider's, and static.
    let create = unsafe { (*original).NdkCreateMr.unwrap() };
    let mut mr = null_mut();
    // SAFETY: the domain is open.
    assert_eq!(unsafe { create(pair.near.pd, 0, None, null_mut(), &mut mr) }, STATUS_SUCCESS);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    // SAFETY: the domain is open.
    let words = unsafe { (*pair.near.pd).Header.NdkReserved.rf };
    assert_eq!(words, [request(0xA5); 4]);
    // SAFETY: as above.
    unsafe { (*pair.near.pd).Dispatch = original };
    pair.tear_down();
}

fn table_of(pd: *mut NDK_PD) -> NDK_PD_DISPATCH {
    // SAFETY: the domain is open, and its table is a plain structure.
    unsafe { *(*pd).Dispatch }
}
