//! Work requests and their results.

use core::ptr;

use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_INVALID, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};

use super::fixture::{Fixture, Got, call, context, on_close};
use super::pair::Pair;
use super::provider::{complete, deliver, fake};
use crate::{Checks, rules};

/// A pair over a provider that does this with the QP, the context and the flags of a send.
macro_rules! sending {
    (|$qp:pat_param, $context:pat_param, $flags:pat_param| $body:block) => {{
        extern "efiapi" fn send(
            $qp: *mut NDK_QP,
            $context: PVOID,
            _: *const NDK_SGE,
            _: ULONG,
            $flags: ULONG,
        ) -> NTSTATUS $body
        Pair::with(|provider| provider.qp.NdkSend = Some(send))
    }};
}

#[test]
fn results_carry_the_consumer_s_contexts_and_notifications_its_own() {
    let pair = Pair::with(|_| {});
    assert!(pair.poll().is_empty());
    pair.arm();
    pair.receive(7);
    assert_eq!(pair.send(8, 0), STATUS_SUCCESS);
    deliver(pair.qp, STATUS_SUCCESS);
    pair.fixture.provider.run();
    assert_eq!(pair.fixture.log(), [Got("notification", 0xC0, STATUS_SUCCESS)]);
    assert_eq!(pair.poll(), [(0x99, 8, STATUS_SUCCESS), (0x99, 7, STATUS_SUCCESS)]);
    pair.receive(9);
    call!(pair.qp, NdkFlush);
    assert_eq!(pair.poll(), [(0x99, 9, STATUS_CANCELLED)]);
    assert!(pair.finish().is_empty());
}

#[test]
fn plain_poll_takes_results_as_well() {
    let pair = Pair::with(|_| {});
    pair.send(8, 0);
    // SAFETY: zero is a valid value of every member.
    let mut results: [NDK_RESULT; 2] = unsafe { core::mem::zeroed() };
    assert_eq!(call!(pair.cq, NdkGetCqResults, results.as_mut_ptr(), 2), 1);
    assert_eq!((results[0].QPContext.addr(), results[0].RequestContext.addr()), (0x99, 8));
    assert!(pair.finish().is_empty());
}

#[test]
fn data_path_is_the_provider_s_if_only_lifetimes_are_checked() {
    let fixture = Fixture::with_checks(Checks::Lifetimes);
    let (cq, pd) = (fixture.cq(), fixture.pd());
    let qp = fixture.qp(pd, cq);
    let pair = Pair { fixture, cq, pd, qp };
    pair.send(8, 0);
    let raw = fake(cq).state().results.front().copied().unwrap();
    assert_eq!((raw.QPContext.addr(), raw.RequestContext.addr()), (0x99, 8));
    assert_eq!(pair.poll(), [(0x99, 8, STATUS_SUCCESS)]);
    assert!(pair.finish().is_empty());
}

#[test]
fn consumer_has_the_provider_s_tables_if_nothing_is_checked() {
    let fixture = Fixture::with_checks(Checks::None);
    // SAFETY: the adapter is open.
    let dispatch = unsafe { (*fixture.adapter).Dispatch };
    assert!(core::ptr::eq(dispatch, &raw const fixture.provider.adapter));
    assert!(fixture.finish().is_empty());
}

#[test]
fn unchecked_adapter_that_stays_open_is_found() {
    let mut fixture = Fixture::with_checks(Checks::None);
    fixture.adapter = core::ptr::null_mut();
    assert_eq!(fixture.finish(), [rules::OBJECT_LEAKED]);
}

#[test]
fn post_that_pends_is_found() {
    let pair = sending!(|qp, context, _| {
        complete(qp, context, STATUS_SUCCESS, NDK_OPERATION_TYPE::NdkOperationTypeSend);
        STATUS_PENDING
    });
    pair.send(1, 0);
    assert_eq!(pair.finish(), [rules::POST_STATUS]);
}

#[test]
fn results_beyond_the_number_asked_for_are_found() {
    extern "efiapi" fn poll(_: *mut NDK_CQ, _: *mut NDK_RESULT_EX, count: ULONG) -> ULONG {
        if count == 8 { 0 } else { count + 1 }
    }
    let pair = Pair::with(|provider| provider.cq.NdkGetCqResultsEx = Some(poll));
    assert_eq!(call!(pair.cq, NdkGetCqResultsEx, ptr::null_mut(), 0), 0);
    assert_eq!(pair.finish(), [rules::RESULT_COUNT]);
}

#[test]
fn result_with_another_context_is_found() {
    let pair = sending!(|qp, _, _| {
        let operation = NDK_OPERATION_TYPE::NdkOperationTypeSend;
        complete(qp, context(0x1234), STATUS_SUCCESS, operation);
        STATUS_CONNECTION_INVALID
    });
    pair.send(1, 0);
    assert_eq!(pair.poll().len(), 1);
    assert_eq!(pair.finish(), [rules::RESULT_UNKNOWN]);
}

#[test]
fn result_that_names_another_qp_is_found() {
    let pair = Pair::with(|_| {});
    fake(pair.qp).state().qp_context = 0x1234;
    pair.send(1, 0);
    assert_eq!(pair.poll().len(), 1);
    assert_eq!(pair.finish(), [rules::RESULT_QP]);
}

#[test]
fn result_in_another_cq_is_found() {
    let pair = Pair::with(|_| {});
    let cq = pair.fixture.cq();
    let other = pair.fixture.qp(pair.pd, cq);
    let wrong = fake(pair.qp).state().initiator_cq;
    // A QP of both CQs, so that both know it.
    call!(other, NdkCloseQp, Some(on_close), context(1));
    let mut both = ptr::null_mut();
    let none = ptr::null_mut();
    let create = Some(super::fixture::on_create as NDK_FN_CREATE_COMPLETION);
    call!(pair.pd, NdkCreateQp, pair.cq, cq, none, 1, 1, 1, 1, 0, create, none, &raw mut both);
    fake::<NDK_QP>(both).state().initiator_cq = wrong;
    call!(both, NdkSend, context(1), ptr::null(), 0, 0);
    assert_eq!(pair.poll().len(), 1);
    call!(both, NdkCloseQp, Some(on_close), context(1));
    call!(cq, NdkCloseCq, Some(on_close), context(1));
    assert_eq!(pair.finish(), [rules::RESULT_QP]);
}

#[test]
fn result_of_another_type_is_found() {
    let pair = sending!(|qp, context, _| {
        complete(qp, context, STATUS_SUCCESS, NDK_OPERATION_TYPE::NdkOperationTypeWrite)
    });
    pair.send(1, 0);
    assert_eq!(pair.finish(), [rules::RESULT_TYPE]);
}

#[test]
fn two_results_for_one_request_are_found() {
    let pair = sending!(|qp, context, _| {
        complete(qp, context, STATUS_SUCCESS, NDK_OPERATION_TYPE::NdkOperationTypeSend);
        complete(qp, context, STATUS_SUCCESS, NDK_OPERATION_TYPE::NdkOperationTypeSend)
    });
    pair.send(1, 0);
    assert_eq!(pair.finish(), [rules::RESULT_TWICE]);
}

#[test]
fn result_for_a_refused_request_is_found() {
    let pair = sending!(|qp, context, _| {
        complete(qp, context, STATUS_SUCCESS, NDK_OPERATION_TYPE::NdkOperationTypeSend);
        STATUS_CONNECTION_INVALID
    });
    pair.send(1, 0);
    assert_eq!(pair.finish(), [rules::RESULT_OF_REFUSED]);
}

#[test]
fn result_for_silent_success_is_found() {
    let pair = sending!(|qp, context, _| {
        complete(qp, context, STATUS_SUCCESS, NDK_OPERATION_TYPE::NdkOperationTypeSend)
    });
    pair.send(1, NDK_OP_FLAG_SILENT_SUCCESS);
    assert_eq!(pair.finish(), [rules::RESULT_SILENT]);
}

#[test]
fn results_out_of_order_are_found() {
    let pair = Pair::with(|_| {});
    pair.receive(1);
    pair.receive(2);
    fake(pair.qp).state().receives.swap(0, 1);
    deliver(pair.qp, STATUS_SUCCESS);
    assert_eq!(pair.poll(), [(0x99, 2, STATUS_SUCCESS)]);
    assert_eq!(pair.finish(), [rules::RESULT_ORDER]);
}

#[test]
fn request_without_a_result_is_found_when_its_qp_is_closed_and_the_cq_empty() {
    let pair = Pair::with(|_| {});
    pair.receive(1);
    fake(pair.qp).state().receives.clear();
    assert_eq!(pair.finish(), [rules::RESULT_MISSING]);
}

#[test]
fn results_that_a_full_cq_has_lost_are_not_the_provider_s_to_answer_for() {
    let pair = Pair::with(|_| {});
    for number in 0..16 {
        pair.send(number, 0);
    }
    pair.receive(16);
    fake(pair.qp).state().receives.clear();
    assert!(pair.finish().is_empty());
}

#[test]
fn deferred_request_that_is_not_started_when_a_later_one_is_refused_is_found() {
    // Keeps deferred requests back, and refuses the others.
    let pair = sending!(|_, _, flags| {
        if flags & NDK_OP_FLAG_DEFER == 0 { STATUS_CONNECTION_INVALID } else { STATUS_SUCCESS }
    });
    assert_eq!(pair.send(1, NDK_OP_FLAG_DEFER), STATUS_SUCCESS);
    assert_eq!(pair.send(2, 0), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.finish(), [rules::RESULT_MISSING]);
}

#[test]
fn receives_of_an_srq_complete_through_its_qps_in_any_order() {
    let fixture = Fixture::new();
    let (cq, pd) = (fixture.cq(), fixture.pd());
    let srq = fixture.srq(pd);
    let mut qp = ptr::null_mut();
    let create = Some(super::fixture::on_create as NDK_FN_CREATE_COMPLETION);
    let status =
        call!(pd, NdkCreateQpWithSrq, cq, cq, srq, context(0x99), 8, 1, 0, create, context(1), &raw mut qp);
    assert_eq!(status, STATUS_SUCCESS);
    for number in [1, 2] {
        assert_eq!(call!(srq, NdkSrqReceive, context(number), ptr::null(), 0), STATUS_SUCCESS);
    }
    let pair = Pair { fixture, cq, pd, qp };
    let receives: Vec<_> = fake(srq).state().receives.iter().copied().collect();
    fake(qp).state().receives.extend(receives.into_iter().rev());
    deliver(qp, STATUS_SUCCESS);
    deliver(qp, STATUS_SUCCESS);
    assert_eq!(pair.poll(), [(0x99, 2, STATUS_SUCCESS), (0x99, 1, STATUS_SUCCESS)]);
    assert_eq!(call!(srq, NdkCloseSrq, Some(on_close), context(1)), STATUS_PENDING);
    assert!(pair.finish().is_empty());
}
