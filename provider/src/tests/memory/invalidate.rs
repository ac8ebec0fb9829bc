//! Invalidation by what a peer sends, and by a read (CQ-5, WR-3).

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::status::*;

use super::{PAGE, Pages, Remote, create_fast, fast_register, in_use, initialise, invalidate};
use crate::number::{u64_from, usize_from};
use crate::tests::consumer::{Buffer, Pair, Seen, Side, call, close, request, virtual_address};

const BASE: usize = 0x7000_0000;

/// A connected pair; the far side has a fast registration of one page for remote access.
struct Rig {
    pair: Pair,
    mr: *mut NDK_MR,
    token: u32,
    #[expect(dead_code, reason = "the registration names its memory")]
    pages: Box<Pages>,
}

impl Rig {
    fn new(flags: u32) -> Self {
        let pair = Pair::connected();
        let (mr, pages) = (create_fast(&pair.far), Pages::new());
        assert_eq!(initialise(mr, 1, true), STATUS_SUCCESS);
        assert_eq!(fast_register(&pair.far, mr, 1, &[pages.at(0)], (0, PAGE, BASE), flags), STATUS_SUCCESS);
        assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
        let token = call!(mr, NdkGetRemoteTokenFromMr);
        Self { pair, mr, token, pages }
    }

    fn send(&self, number: usize, token: u32) -> NTSTATUS {
        call!(self.pair.near.qp, NdkSendAndInvalidate, request(number), null(), 0, 0, token)
    }

    fn receive(&self, number: usize) {
        assert_eq!(call!(self.pair.far.qp, NdkReceive, request(number), null(), 0), STATUS_SUCCESS);
    }

    fn tear_down(self) {
        assert_eq!(close!(self.pair.log, self.mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        self.pair.tear_down();
    }
}

/// The next result in its extended form: status, context, type, output.
fn extended(side: &Side) -> Option<(NTSTATUS, usize, NDK_OPERATION_TYPE, usize)> {
    // SAFETY: all members are numbers and pointers, for which zero is a value.
    let mut result: NDK_RESULT_EX = unsafe { std::mem::zeroed() };
    let taken = call!(side.cq, NdkGetCqResultsEx, &mut result, 1);
    let context = result.RequestContext.addr();
    (taken == 1).then_some((result.Status, context, result.Type, result.TypeSpecificCompletionOutput))
}

#[test]
fn send_invalidates_the_receivers_token_and_its_result_says_which() {
    let rig = Rig::new(NDK_OP_FLAG_ALLOW_REMOTE_READ);
    rig.receive(2);
    assert_eq!(rig.send(3, rig.token), STATUS_SUCCESS);
    let received = NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate;
    assert_eq!(extended(&rig.pair.far), Some((STATUS_SUCCESS, 2, received, usize_from(rig.token))));
    let sent = extended(&rig.pair.near).map(|(status, number, kind, _)| (status, number, kind));
    assert_eq!(sent, Some((STATUS_SUCCESS, 3, NDK_OPERATION_TYPE::NdkOperationTypeSend)));
    let remote = Remote::new(&rig.pair.near, vec![0; 8]);
    assert_eq!(remote.read(4, BASE, rig.token), [(STATUS_ACCESS_VIOLATION, 0, 4)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
}

#[test]
fn receive_and_invalidate_is_polled_by_get_cq_results_and_a_second_invalidation_fails() {
    let rig = Rig::new(NDK_OP_FLAG_ALLOW_REMOTE_WRITE);
    rig.receive(2);
    assert_eq!(rig.send(3, rig.token), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    assert_eq!(invalidate(&rig.pair.far, 4, rig.mr), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_ACCESS_VIOLATION, 0, 4)]);
    rig.tear_down();
}

#[test]
fn token_stays_valid_until_there_is_a_receive() {
    let rig = Rig::new(NDK_OP_FLAG_ALLOW_REMOTE_READ);
    assert_eq!(rig.send(3, rig.token), STATUS_SUCCESS);
    drop(in_use(&rig.pair.far, rig.token, BASE));
    rig.receive(2);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    rig.tear_down();
}

#[test]
fn token_that_can_not_be_invalidated_breaks_the_connection() {
    let mut buffer = Buffer::new(vec![0; 64]);
    for case in ["stale", "local only", "registered otherwise", "privileged"] {
        let rig = Rig::new(if case == "local only" { 0 } else { NDK_OP_FLAG_ALLOW_REMOTE_READ });
        let (plain, plain_token) = buffer.register(&rig.pair.far, 7);
        let mut privileged = 0;
        call!(rig.pair.far.pd, NdkGetPrivilegedMemoryRegionToken, &mut privileged);
        let token = match case {
            "stale" => rig.token + 1,
            "local only" => rig.token,
            "registered otherwise" => plain_token,
            _ => privileged,
        };
        rig.receive(2);
        assert_eq!(rig.send(3, token), STATUS_SUCCESS);
        assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 0, 3)]);
        assert_eq!(rig.pair.far.results(), [(STATUS_ACCESS_VIOLATION, 0, 2)], "{case}");
        let seen = rig.pair.log.pump();
        assert!(seen.contains(&Seen::Disconnected("far")), "{case}: {seen:?}");
        assert_eq!(close!(rig.pair.log, plain, NdkCloseMr, "mr"), STATUS_SUCCESS);
        rig.tear_down();
    }
}

#[test]
fn receive_and_invalidate_completes_when_no_transfer_uses_the_memory() {
    let rig = Rig::new(NDK_OP_FLAG_ALLOW_REMOTE_READ);
    let used = in_use(&rig.pair.far, rig.token, BASE);
    rig.receive(2);
    rig.receive(4);
    assert_eq!(rig.send(3, rig.token), STATUS_SUCCESS);
    assert_eq!(call!(rig.pair.near.qp, NdkSend, request(5), null(), 0, 0), STATUS_SUCCESS);
    rig.pair.log.pump();
    assert_eq!((rig.pair.near.results(), rig.pair.far.results()), (vec![], vec![]));
    drop(used);
    rig.pair.log.pump();
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2), (STATUS_SUCCESS, 0, 4)]);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 0, 3), (STATUS_SUCCESS, 0, 5)]);
    rig.tear_down();
}

#[test]
fn message_whose_sender_is_flushed_while_it_waits_has_its_one_result() {
    let rig = Rig::new(NDK_OP_FLAG_ALLOW_REMOTE_READ);
    let used = in_use(&rig.pair.far, rig.token, BASE);
    rig.receive(2);
    assert_eq!(rig.send(3, rig.token), STATUS_SUCCESS);
    call!(rig.pair.near.qp, NdkFlush);
    assert_eq!(rig.pair.near.results(), [(STATUS_CANCELLED, 0, 3)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_CANCELLED, 0, 2)]);
    drop(used);
    rig.pair.log.pump();
    assert_eq!((rig.pair.near.results(), rig.pair.far.results()), (vec![], vec![]));
    rig.tear_down();
}

#[test]
fn flush_of_the_receiver_waits_for_the_message_that_arrives() {
    let rig = Rig::new(NDK_OP_FLAG_ALLOW_REMOTE_READ);
    let used = in_use(&rig.pair.far, rig.token, BASE);
    rig.receive(2);
    rig.receive(4);
    assert_eq!(rig.send(3, rig.token), STATUS_SUCCESS);
    call!(rig.pair.far.qp, NdkFlush);
    assert_eq!(rig.pair.far.results(), []);
    drop(used);
    rig.pair.log.pump();
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2), (STATUS_CANCELLED, 0, 4)]);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 0, 3)]);
    rig.tear_down();
}

#[test]
fn read_invalidates_its_first_token_if_it_is_asked_to() {
    let pair = Pair::connected();
    let (mr, pages) = (create_fast(&pair.near), Pages::new());
    assert_eq!(initialise(mr, 1, false), STATUS_SUCCESS);
    let flags = NDK_OP_FLAG_ALLOW_LOCAL_WRITE;
    assert_eq!(fast_register(&pair.near, mr, 1, &[pages.at(0)], (0, PAGE, BASE), flags), STATUS_SUCCESS);
    let mut source = Buffer::new(vec![7; 100]);
    let (source_mr, source_token) = source.register(&pair.far, 2);
    let sge = NDK_SGE {
        Address: NDK_SGE_ADDRESS { VirtualAddress: virtual_address(BASE) },
        Length: 100,
        MemoryRegionToken: call!(mr, NdkGetLocalTokenFromMr),
    };
    let flags = NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE;
    let at = u64_from(source.address());
    let read = |number| call!(pair.near.qp, NdkRead, request(number), &sge, 1, at, source_token, flags);
    assert_eq!([read(2_usize), read(3)], [STATUS_SUCCESS; 2]);
    let results = pair.near.results();
    assert_eq!(results[1..], [(STATUS_SUCCESS, 100, 2), (STATUS_ACCESS_VIOLATION, 0, 3)]);
    assert_eq!(pages.bytes()[..101], [&[7; 100][..], &[0]].concat());
    let supported = super::info().AdapterFlags & NDK_ADAPTER_FLAG_RDMA_READ_LOCAL_INVALIDATE_SUPPORTED;
    assert_ne!(supported, 0);
    for mr in [mr, source_mr] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

#[test]
fn read_can_not_invalidate_what_was_registered_otherwise() {
    let pair = Pair::connected();
    let (mut sink, mut source) = (Buffer::new(vec![0; 8]), Buffer::new(vec![7; 8]));
    let (sink_mr, sink_token) = sink.register(&pair.near, 1);
    let (source_mr, source_token) = source.register(&pair.far, 2);
    let (sge, flags) = (sink.sge(sink_token), NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE);
    let at = u64_from(source.address());
    let status = call!(pair.near.qp, NdkRead, null_mut(), &sge, 1, at, source_token, flags);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_ACCESS_VIOLATION, 0, 0)]);
    for mr in [sink_mr, source_mr] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}
