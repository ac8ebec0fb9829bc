//! Fast registration and invalidation (WR-8, CQ-5).

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;

use super::{PAGE, Pages, Remote, cancelled, create_fast, fast_register, in_use, initialise, invalidate};
use crate::number::{u32_from, usize_from};
use crate::tests::consumer::{Buffer, DEPTH, Pair, Seen, call, close, request, virtual_address};

const ALL: u32 = NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_ALLOW_REMOTE_WRITE;

/// A base that is congruent to the offset.
const BASE: usize = 0x7000_0000;

/// A connection with a fast region on its far side, that the far side registers and the near side uses.
struct Rig {
    pair: Pair,
    mr: *mut NDK_MR,
    pages: Box<Pages>,
}

impl Rig {
    fn new() -> Self {
        let pair = Pair::connected();
        let mr = create_fast(&pair.far);
        assert_eq!(initialise(mr, 4, true), STATUS_SUCCESS);
        Self { pair, mr, pages: Pages::new() }
    }

    fn token(&self) -> u32 {
        call!(self.mr, NdkGetRemoteTokenFromMr)
    }

    /// Registers the pages 0 and 2, from byte 16 on.
    fn register(&self) -> NTSTATUS {
        let pages = [self.pages.at(0), self.pages.at(2)];
        fast_register(&self.pair.far, self.mr, 1, &pages, (16, 2 * PAGE - 16, BASE + 16), ALL)
    }

    fn registered() -> (Self, u32) {
        let rig = Self::new();
        assert_eq!(rig.register(), STATUS_SUCCESS);
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
        let token = rig.token();
        (rig, token)
    }

    fn tear_down(self) {
        assert_eq!(close!(self.pair.log, self.mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        self.pair.tear_down();
    }
}

#[test]
fn fast_registration_admits_its_pages_at_its_base() {
    let (rig, token) = Rig::registered();
    let remote = Remote::new(&rig.pair.near, vec![9; 2 * PAGE - 16]);
    assert_eq!(remote.write(2, BASE + 16, token), [(STATUS_SUCCESS, u32_from(2 * PAGE - 16), 2)]);
    let bytes = rig.pages.bytes();
    let expected = |at: usize| at >= 16 && at / PAGE != 1 && at / PAGE != 3;
    assert!((0..4 * PAGE).all(|at| bytes[at] == if expected(at) { 9 } else { 0 }));
    assert_eq!(remote.write(3, BASE + 15, token), [(STATUS_ACCESS_VIOLATION, 0, 3)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
}

#[test]
fn fast_region_serves_local_requests_behind_it_in_the_queue() {
    let pair = Pair::connected();
    let (mr, pages) = (create_fast(&pair.near), Pages::new());
    assert_eq!(initialise(mr, 1, false), STATUS_SUCCESS);
    let token = call!(mr, NdkGetLocalTokenFromMr);
    assert_eq!(fast_register(&pair.near, mr, 1, &[pages.at(1)], (0, PAGE, BASE), 0), STATUS_SUCCESS);
    let address = NDK_SGE_ADDRESS { VirtualAddress: virtual_address(BASE) };
    let sge = NDK_SGE { Address: address, Length: 100, MemoryRegionToken: token };
    assert_eq!(call!(pair.far.qp, NdkReceive, null_mut(), std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(call!(pair.near.qp, NdkSend, request(2), &sge, 0, 0), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 1), (STATUS_SUCCESS, 0, 2)]);
    let mut sink = Buffer::new(vec![1; 100]);
    let (sink_mr, sink_token) = sink.register(&pair.far, 1);
    assert_eq!(call!(pair.far.qp, NdkReceive, null_mut(), &sink.sge(sink_token), 1), STATUS_SUCCESS);
    assert_eq!(call!(pair.near.qp, NdkSend, request(3), &sge, 1, 0), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 100, 3)]);
    assert_eq!(*sink.bytes, [0; 100]);
    for mr in [mr, sink_mr] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

#[test]
fn initialising_is_for_fast_regions_up_to_the_limit() {
    let pair = Pair::new();
    let most = super::info().FRMRPageCount;
    assert!(most >= 16, "the interface asks for 16");
    let mr = create_fast(&pair.near);
    assert_eq!(initialise(mr, most, true), STATUS_SUCCESS);
    assert_eq!(initialise(mr, most + 1, true), STATUS_IMPLEMENTATION_LIMIT);
    assert_eq!(initialise(mr, 0, true), STATUS_INVALID_PARAMETER);
    let plain = pair.near.create_mr();
    assert_eq!(initialise(plain, 16, true), STATUS_INVALID_DEVICE_STATE);
    for mr in [mr, plain] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

#[test]
fn region_can_be_initialised_anew_while_nothing_is_registered() {
    let (rig, _) = Rig::registered();
    assert_eq!(initialise(rig.mr, 2, true), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mr), STATUS_SUCCESS);
    assert_eq!(initialise(rig.mr, 1, true), STATUS_SUCCESS);
    assert_eq!(rig.register(), STATUS_INVALID_PARAMETER, "two pages are too many now");
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    rig.tear_down();
}

#[test]
fn fast_registration_with_undocumented_arguments_is_refused_inline() {
    let pair = Pair::connected();
    let (mr, pages) = (create_fast(&pair.far), Pages::new());
    let page = pages.at(0);
    let post = |pages: &[usize], layout, flags| fast_register(&pair.far, mr, 1, pages, layout, flags);
    assert_eq!(post(&[page], (0, PAGE, BASE), 0), STATUS_INVALID_DEVICE_STATE, "not initialised");
    assert_eq!(initialise(mr, 2, false), STATUS_SUCCESS);
    for (list, layout) in [
        (&[page][..], (0, PAGE + 1, BASE)),
        (&[page], (1, PAGE, BASE + 1)),
        (&[page], (0, 0, BASE)),
        (&[page], (8, 16, BASE)),
        (&[page], (8, 16, 0)),
        (&[page], (PAGE, 16, BASE)),
        (&[page], (0, 16, 16)),
        (&[page + 8], (0, 16, BASE)),
        (&[], (0, 16, BASE)),
        (&[page; 3], (0, 16, BASE)),
    ] {
        assert_eq!(post(list, layout, 0), STATUS_INVALID_PARAMETER, "{layout:x?}");
    }
    for flags in [NDK_OP_FLAG_ALLOW_REMOTE_READ, NDK_OP_FLAG_ALLOW_REMOTE_WRITE] {
        assert_eq!(post(&[page], (0, 16, BASE), flags), STATUS_ACCESS_VIOLATION, "for local use only");
    }
    let elsewhere = fast_register(&pair.near, mr, 1, &[page], (0, 16, BASE), 0);
    assert_eq!(elsewhere, STATUS_ACCESS_VIOLATION, "another domain");
    assert_eq!((pair.near.results(), pair.far.results()), (vec![], vec![]));
    let flags = NDK_OP_FLAG_ALLOW_LOCAL_WRITE | NDK_OP_FLAG_RDMA_READ_SINK;
    assert_eq!(post(&[page], (0, PAGE, 0), flags), STATUS_SUCCESS, "zero is an address like any other");
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn posts_on_an_unconnected_queue_pair_are_refused_and_taken_back() {
    let pair = Pair::new();
    let (mr, pages) = (create_fast(&pair.near), Pages::new());
    assert_eq!(initialise(mr, 1, true), STATUS_SUCCESS);
    for _ in 0..5 {
        let status = fast_register(&pair.near, mr, 1, &[pages.at(0)], (0, PAGE, BASE), ALL);
        assert_eq!(status, STATUS_CONNECTION_INVALID);
    }
    assert_eq!(invalidate(&pair.near, 2, mr), STATUS_CONNECTION_INVALID);
    assert_eq!(pair.near.results(), []);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn token_is_kept_through_all_registrations_and_admits_what_the_valid_one_says() {
    let rig = Rig::new();
    let token = rig.token();
    let remote = Remote::new(&rig.pair.near, vec![9; 8]);
    for number in 1..5 {
        assert_eq!(rig.register(), STATUS_SUCCESS);
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
        assert_eq!(remote.write(number, BASE + 16, token), [(STATUS_SUCCESS, 8, number)]);
        assert_eq!(invalidate(&rig.pair.far, 2, rig.mr), STATUS_SUCCESS);
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
        assert_eq!([rig.token(), call!(rig.mr, NdkGetLocalTokenFromMr)], [token; 2]);
    }
    assert_eq!(remote.write(9, BASE + 16, token), [(STATUS_ACCESS_VIOLATION, 0, 9)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
}

#[test]
fn token_is_kept_when_a_peer_invalidates() {
    let rig = Rig::new();
    let token = rig.token();
    for _ in 0..3 {
        assert_eq!(rig.register(), STATUS_SUCCESS);
        assert_eq!(call!(rig.pair.far.qp, NdkReceive, request(2), std::ptr::null(), 0), STATUS_SUCCESS);
        let qp = rig.pair.near.qp;
        let status = call!(qp, NdkSendAndInvalidate, request(3), std::ptr::null(), 0, 0, token);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 1), (STATUS_SUCCESS, 0, 2)]);
        assert_eq!(rig.token(), token);
        rig.pair.near.results();
    }
    rig.tear_down();
}

#[test]
fn token_that_waits_in_the_queue_for_its_next_registration_admits_the_valid_one() {
    let (rig, token) = Rig::registered();
    // A send without a receive holds up the queue.
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(2), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!(invalidate(&rig.pair.far, 3, rig.mr), STATUS_SUCCESS);
    assert_eq!(rig.register(), STATUS_SUCCESS);
    assert_eq!((rig.token(), rig.pair.far.results()), (token, vec![]));
    let remote = Remote::new(&rig.pair.near, vec![9; 8]);
    assert_eq!(remote.write(4, BASE + 16, token), [(STATUS_SUCCESS, 8, 4)]);
    assert_eq!(call!(rig.pair.near.qp, NdkReceive, request(5), std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results().len(), 3);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 0, 5)]);
    assert_eq!(remote.write(6, BASE + 16, token), [(STATUS_SUCCESS, 8, 6)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
}

#[test]
fn next_owner_of_a_slot_has_another_token() {
    let pair = Pair::new();
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..600 {
        let mr = create_fast(&pair.near);
        assert!(tokens.insert(call!(mr, NdkGetRemoteTokenFromMr)));
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

/// An unaligned mebibyte needs one registration.
#[test]
fn pages_of_an_unaligned_mebibyte_are_registered_at_once() {
    const MEBIBYTE: usize = 1 << 20;
    let most = usize_from(super::info().FRMRPageCount);
    assert!(most * PAGE > MEBIBYTE, "{most}");
    let pair = Pair::connected();
    let (mr, pages) = (create_fast(&pair.far), Pages::new());
    assert_eq!(initialise(mr, u32_from(most), true), STATUS_SUCCESS);
    let list: Vec<_> = (0..MEBIBYTE / PAGE + 1).map(|page| pages.at(page % 4)).collect();
    let layout = (PAGE - 1, MEBIBYTE, BASE + PAGE - 1);
    assert_eq!(fast_register(&pair.far, mr, 1, &list, layout, ALL), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    let remote = Remote::new(&pair.near, vec![9; 1]);
    let last = BASE + PAGE - 1 + MEBIBYTE - 1;
    assert_eq!(remote.write(2, last, call!(mr, NdkGetRemoteTokenFromMr)), [(STATUS_SUCCESS, 1, 2)]);
    assert_eq!(pages.bytes()[PAGE - 2], 9);
    remote.close(&pair.log);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn invalidated_region_is_refused_and_a_second_invalidation_fails() {
    let (rig, token) = Rig::registered();
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mr), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    let remote = Remote::new(&rig.pair.near, vec![9; 8]);
    assert_eq!(remote.write(3, BASE + 16, token), [(STATUS_ACCESS_VIOLATION, 0, 3)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
    let (rig, _) = Rig::registered();
    for (number, status) in [(2, STATUS_SUCCESS), (3, STATUS_ACCESS_VIOLATION)] {
        assert_eq!(invalidate(&rig.pair.far, number, rig.mr), STATUS_SUCCESS);
        assert_eq!(rig.pair.far.results(), [(status, 0, number)]);
    }
    rig.tear_down();
}

#[test]
fn second_registration_without_an_invalidation_fails() {
    let (rig, token) = Rig::registered();
    assert_eq!(rig.register(), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_INVALID_DEVICE_STATE, 0, 1)]);
    assert_eq!(rig.token(), token, "the first is valid still");
    rig.tear_down();
}

#[test]
fn region_that_is_not_fast_is_refused_by_work_requests() {
    let pair = Pair::connected();
    let mut buffer = Buffer::new(vec![0; 64]);
    let (mr, _) = buffer.register(&pair.near, 5);
    assert_eq!(invalidate(&pair.near, 1, mr), STATUS_INVALID_DEVICE_STATE);
    let pages = Pages::new();
    let status = fast_register(&pair.near, mr, 1, &[pages.at(0)], (0, PAGE, BASE), 0);
    assert_eq!(status, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(invalidate(&pair.near, 1, pair.near.cq), STATUS_INVALID_PARAMETER);
    let fast = create_fast(&pair.near);
    assert_eq!(call!(fast, NdkDeregisterMr, None, null_mut()), STATUS_INVALID_DEVICE_STATE);
    let mdl = std::ptr::from_mut(&mut *buffer.mdl);
    assert_eq!(call!(fast, NdkRegisterMr, mdl, 64, 0, None, null_mut()), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(pair.near.results(), []);
    for mr in [mr, fast] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

#[test]
fn flushed_registration_is_taken_back() {
    let rig = Rig::new();
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(9), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    for _ in 0..2 {
        assert_eq!([rig.register(), rig.register()], [STATUS_SUCCESS; 2]);
        assert_eq!(rig.register(), STATUS_INSUFFICIENT_RESOURCES, "one valid and one posted are the most");
        let posted = rig.token();
        call!(rig.pair.far.qp, NdkFlush);
        assert!(rig.pair.far.results().iter().all(cancelled));
        assert_eq!(rig.token(), posted);
        assert_eq!(call!(rig.pair.far.qp, NdkSend, request(9), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    }
    call!(rig.pair.far.qp, NdkFlush);
    rig.pair.far.results();
    assert_eq!(rig.register(), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    rig.tear_down();
}

#[test]
fn registration_that_is_refused_or_taken_back_leaves_the_token_of_the_one_before() {
    let (rig, token) = Rig::registered();
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(9), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mr), STATUS_SUCCESS);
    assert_eq!(rig.register(), STATUS_SUCCESS);
    let next = rig.token();
    assert_eq!(rig.register(), STATUS_INSUFFICIENT_RESOURCES);
    assert_eq!(rig.token(), next);
    call!(rig.pair.far.qp, NdkFlush);
    assert_eq!(rig.token(), token);
    let remote = Remote::new(&rig.pair.near, vec![9; 8]);
    assert_eq!(remote.write(2, BASE + 16, token), [(STATUS_SUCCESS, 8, 2)]);
    remote.close(&rig.pair.log);
    rig.pair.far.results();
    rig.tear_down();
    // The queue is full: the one that was accepted keeps its token.
    let rig = Rig::new();
    for number in 1..usize_from(DEPTH) {
        let qp = rig.pair.far.qp;
        assert_eq!(call!(qp, NdkSend, request(number), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    }
    assert_eq!(rig.register(), STATUS_SUCCESS);
    let token = rig.token();
    assert_eq!(rig.register(), STATUS_INSUFFICIENT_RESOURCES);
    assert_eq!(rig.token(), token);
    call!(rig.pair.far.qp, NdkFlush);
    rig.tear_down();
}

#[test]
fn invalidation_completes_when_no_transfer_uses_the_memory() {
    let (rig, token) = Rig::registered();
    let used = in_use(&rig.pair.far, token, BASE + 16);
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mr), STATUS_SUCCESS);
    assert_eq!(rig.register(), STATUS_SUCCESS);
    assert_eq!((rig.pair.log.pump(), rig.pair.far.results()), (vec![], vec![]));
    // Another try does not mistake what it began for what it is to begin.
    assert_eq!(call!(rig.pair.near.qp, NdkReceive, request(5), std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), []);
    drop(used);
    rig.pair.log.pump();
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2), (STATUS_SUCCESS, 0, 1)]);
    rig.tear_down();
}

#[test]
fn waiting_invalidation_can_be_flushed_and_its_objects_closed() {
    let (rig, token) = Rig::registered();
    let used = in_use(&rig.pair.far, token, BASE + 16);
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mr), STATUS_SUCCESS);
    assert_eq!(close!(rig.pair.log, rig.pair.far.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(rig.pair.far.results(), [(STATUS_CANCELLED, 0, 2)]);
    assert_eq!(close!(rig.pair.log, rig.mr, NdkCloseMr, "mr"), STATUS_PENDING);
    close!(rig.pair.log, rig.pair.far.connector, NdkCloseConnector, "far");
    let seen = rig.pair.log.pump();
    assert!(!seen.contains(&Seen::Closed("mr")) && !seen.contains(&Seen::Closed("qp")), "{seen:?}");
    drop(used);
    let mut seen = rig.pair.log.pump();
    seen.sort_by_key(|seen| format!("{seen:?}"));
    assert_eq!(seen, [Seen::Closed("mr"), Seen::Closed("qp")]);
}

#[test]
fn region_that_is_closed_with_its_registration_posted_waits_for_it() {
    let rig = Rig::new();
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(9), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!(rig.register(), STATUS_SUCCESS);
    assert_eq!(close!(rig.pair.log, rig.mr, NdkCloseMr, "mr"), STATUS_PENDING);
    assert_eq!(call!(rig.pair.near.qp, NdkReceive, request(5), std::ptr::null(), 0), STATUS_SUCCESS);
    let results = rig.pair.far.results();
    assert_eq!(results, [(STATUS_SUCCESS, 0, 9), (STATUS_INVALID_DEVICE_STATE, 0, 1)]);
    let seen = rig.pair.log.pump();
    assert!(seen.contains(&Seen::Closed("mr")), "{seen:?}");
    rig.pair.tear_down();
}
