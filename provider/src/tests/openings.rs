//! Objects of several openings of one adapter, together (OBJ-2, VER-2, CL-5).

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::status::*;
use test_kernel::{Manual, on_trace};

use super::consumer::{Log, Pair, Seen, Side, call, close, completed, disconnected, request};
use crate::rnic::Rnic;

/// A further opening of a side's RNIC, and what is needed there to connect.
struct Opening {
    adapter: *mut NDK_ADAPTER,
    cq: *mut NDK_CQ,
    pd: *mut NDK_PD,
    qp: *mut NDK_QP,
}

fn create_qp(pd: *mut NDK_PD, cq: *mut NDK_CQ) -> (NTSTATUS, *mut NDK_QP) {
    let mut qp = null_mut();
    let context = request(0x51);
    let status = call!(pd, NdkCreateQp, cq, cq, context, 4, 4, 2, 2, 0, None, null_mut(), &mut qp);
    (status, qp)
}

impl Opening {
    fn of(side: &Side, log: &Log) -> Self {
        let adapter = side.rnic.open(NDK_VERSION_2_1).unwrap().as_ptr();
        let cq = Side::create_cq(adapter, log);
        let mut pd = null_mut();
        assert_eq!(call!(adapter, NdkCreatePd, None, null_mut(), &mut pd), STATUS_SUCCESS);
        let (status, qp) = create_qp(pd, cq);
        assert_eq!(status, STATUS_SUCCESS);
        Self { adapter, cq, pd, qp }
    }

    fn close(self, log: &Log) {
        assert_eq!(close!(log, self.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
        self.close_but_qp(log);
    }

    fn close_but_qp(self, log: &Log) {
        assert_eq!(close!(log, self.pd, NdkClosePd, "pd"), STATUS_SUCCESS);
        assert_eq!(close!(log, self.cq, NdkCloseCq, "cq"), STATUS_SUCCESS);
        // SAFETY: the test is done with the adapter.
        unsafe {
            Rnic::<Manual>::close(std::ptr::NonNull::new(self.adapter).unwrap(), test_kernel::passive())
        };
    }
}

fn accept(pair: &Pair, qp: *mut NDK_QP) -> NTSTATUS {
    let (event, context) = (pair.log.context("far"), pair.log.context("accept"));
    let connector = pair.far.connector;
    call!(connector, NdkAccept, qp, 1, 1, null(), 0, Some(disconnected), event, Some(completed), context)
}

/// A connection whose connectors are of the first openings, and whose QPs are of further ones.
fn connected() -> (Pair, Opening, Opening) {
    let mut pair = Pair::new();
    let (near, far) = (Opening::of(&pair.near, &pair.log), Opening::of(&pair.far, &pair.log));
    pair.listen();
    // The pair connects with the further opening's QP.
    let own = std::mem::replace(&mut pair.near.qp, near.qp);
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    pair.near.qp = own;
    pair.take_connect_request();
    assert_eq!(accept(&pair, far.qp), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    (pair, near, far)
}

#[test]
fn connectors_connect_and_accept_with_qps_of_another_opening() {
    let (pair, near, far) = connected();
    assert_eq!(call!(far.qp, NdkReceive, request(5), null(), 0), STATUS_SUCCESS);
    assert_eq!(call!(near.qp, NdkSend, request(6), null(), 0, 0), STATUS_SUCCESS);
    let mut result =
        [NDK_RESULT { Status: 1, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() }; 2];
    for (cq, context) in [(far.cq, 5), (near.cq, 6)] {
        assert_eq!(call!(cq, NdkGetCqResults, result.as_mut_ptr(), 2), 1);
        assert_eq!((result[0].Status, result[0].RequestContext.addr()), (STATUS_SUCCESS, context));
    }
    let Pair { log, .. } = &pair;
    // The connector holds the QP of the other opening.
    assert_eq!(close!(log, far.qp, NdkCloseQp, "far qp"), STATUS_PENDING);
    log.pump();
    assert_eq!(close!(log, pair.far.connector, NdkCloseConnector, "far"), STATUS_SUCCESS);
    assert_eq!(log.pump(), [Seen::Closed("far qp")]);
    assert_eq!(close!(log, pair.near.connector, NdkCloseConnector, "near"), STATUS_SUCCESS);
    far.close_but_qp(log);
    near.close(log);
    let mut pair = pair;
    (pair.near.connector, pair.far.connector) = (null_mut(), null_mut());
    pair.tear_down();
}

#[test]
fn opening_of_the_connector_closes_before_that_of_its_qp() {
    let (pair, near, far) = connected();
    let log = pair.log.clone();
    // Everything of the first openings goes, and their adapters' closes return.
    pair.tear_down();
    far.close(&log);
    near.close(&log);
}

#[test]
fn close_of_the_qps_opening_waits_for_the_connector_of_the_other() {
    let (pair, near, far) = connected();
    let log = pair.log.clone();
    assert_eq!(close!(log, far.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(close!(log, far.pd, NdkClosePd, "pd"), STATUS_PENDING);
    assert_eq!(close!(log, far.cq, NdkCloseCq, "cq"), STATUS_PENDING);
    let (closing, connector) = (log.clone(), pair.far.connector);
    on_trace(move || {
        close!(closing, connector, NdkCloseConnector, "connector");
    });
    // SAFETY: the test is done with the adapter.
    unsafe { Rnic::<Manual>::close(std::ptr::NonNull::new(far.adapter).unwrap(), test_kernel::passive()) };
    let ended = log.pump().into_iter().filter(|seen| matches!(seen, Seen::Closed(_))).count();
    assert_eq!(ended, 3, "QP, PD and CQ");
    let mut pair = pair;
    pair.far.connector = null_mut();
    pair.log.pump();
    assert_eq!(close!(log, pair.near.connector, NdkCloseConnector, "near"), STATUS_SUCCESS);
    pair.near.connector = null_mut();
    near.close(&log);
    pair.tear_down();
}

#[test]
fn qp_and_cq_of_another_rnic_are_refused() {
    let mut pair = Pair::new();
    pair.listen();
    assert_eq!(create_qp(pair.near.pd, pair.far.cq).0, STATUS_INVALID_PARAMETER);
    let own = std::mem::replace(&mut pair.near.qp, pair.far.qp);
    assert_eq!(pair.connect(b""), STATUS_INVALID_PARAMETER);
    pair.near.qp = own;
    assert_eq!(pair.connect_again(b""), STATUS_PENDING);
    pair.take_connect_request();
    assert_eq!(accept(&pair, pair.near.qp), STATUS_INVALID_PARAMETER);
    pair.tear_down();
}

#[test]
fn qp_completes_into_the_cq_of_another_opening() {
    let pair = Pair::new();
    let further = Opening::of(&pair.near, &pair.log);
    let (status, qp) = create_qp(pair.near.pd, further.cq);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(close!(pair.log, further.cq, NdkCloseCq, "cq"), STATUS_PENDING);
    assert_eq!(close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, further.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::Closed("cq")]);
    assert_eq!(close!(pair.log, further.pd, NdkClosePd, "pd"), STATUS_SUCCESS);
    // SAFETY: the test is done with the adapter.
    unsafe {
        Rnic::<Manual>::close(std::ptr::NonNull::new(further.adapter).unwrap(), test_kernel::passive())
    };
    pair.tear_down();
}
