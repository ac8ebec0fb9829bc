//! Moving data (WR-1 to WR-7, CQ-1 to CQ-4).

mod inline;
mod moderation;
mod receiver_not_ready;
mod resize;

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::status::*;

use super::consumer::{Buffer, DEPTH, Pair, Seen, Side, call, close, request, virtual_address};
use crate::number::{u64_from, usize_from};

fn send(side: &Side, number: usize, sges: &[NDK_SGE], flags: u32) -> NTSTATUS {
    call!(side.qp, NdkSend, request(number), sges.as_ptr(), u32::try_from(sges.len()).unwrap(), flags)
}

fn receive(side: &Side, number: usize, sges: &[NDK_SGE]) -> NTSTATUS {
    call!(side.qp, NdkReceive, request(number), sges.as_ptr(), u32::try_from(sges.len()).unwrap())
}

/// A pair with a registered buffer on each side: near full of 7, far of 0.
struct Rig {
    pair: Pair,
    near: Buffer,
    far: Buffer,
    near_mr: *mut NDK_MR,
    far_mr: *mut NDK_MR,
    near_token: u32,
    far_token: u32,
}

impl Rig {
    fn new(near_flags: u32, far_flags: u32) -> Self {
        let pair = Pair::connected();
        let (mut near, mut far) = (Buffer::new(vec![7; 5000]), Buffer::new(vec![0; 5000]));
        let (near_mr, near_token) = near.register(&pair.near, near_flags);
        let (far_mr, far_token) = far.register(&pair.far, far_flags);
        Self { pair, near, far, near_mr, far_mr, near_token, far_token }
    }

    fn write(&self, number: usize, flags: u32) -> NTSTATUS {
        let sge = self.near.sge(self.near_token);
        let (at, token) = (u64_from(self.far.address()), self.far_token);
        call!(self.pair.near.qp, NdkWrite, request(number), &sge, 1, at, token, flags)
    }

    fn read(&self, number: usize, token: u32) -> NTSTATUS {
        let sge = self.near.sge(self.near_token);
        let at = u64_from(self.far.address());
        call!(self.pair.near.qp, NdkRead, request(number), &sge, 1, at, token, 0)
    }

    fn tear_down(self) {
        for mr in [self.near_mr, self.far_mr] {
            assert_eq!(close!(self.pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        }
        self.pair.tear_down();
    }
}

#[test]
fn send_fills_the_receive_across_entries() {
    let rig = Rig::new(0, 1);
    let whole = rig.far.sge(rig.far_token);
    let split = |from: usize, length: u32| NDK_SGE {
        Address: NDK_SGE_ADDRESS { VirtualAddress: virtual_address(rig.far.address() + from) },
        Length: length,
        ..whole
    };
    assert_eq!(receive(&rig.pair.far, 1, &[split(0, 100), split(1000, 4000)]), STATUS_SUCCESS);
    let mut message = rig.near.sge(rig.near_token);
    message.Length = 300;
    assert_eq!(send(&rig.pair.near, 2, &[message], 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 300, 2)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 300, 1)]);
    let expected: Vec<u8> =
        (0..5000).map(|i| if i < 100 || (1000..1200).contains(&i) { 7 } else { 0 }).collect();
    assert_eq!(*rig.far.bytes, *expected);
    rig.tear_down();
}

#[test]
fn send_waits_for_its_receive_and_order_is_kept() {
    let rig = Rig::new(0, 1);
    let message = rig.near.sge(rig.near_token);
    assert_eq!(send(&rig.pair.near, 1, &[message], 0), STATUS_SUCCESS);
    assert_eq!(rig.write(2, 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), []);
    assert_eq!(receive(&rig.pair.far, 3, &[rig.far.sge(rig.far_token)]), STATUS_SUCCESS);
    // The region of the far side does not admit the write that came second.
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 5000, 1), (STATUS_ACCESS_VIOLATION, 0, 2)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 5000, 3)]);
    rig.tear_down();
}

#[test]
fn write_and_read_move_the_bytes() {
    let mut rig = Rig::new(1, 7);
    assert_eq!(rig.write(1, 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 5000, 1)]);
    assert_eq!(*rig.far.bytes, [7; 5000]);
    rig.far.bytes.fill(9);
    assert_eq!(rig.read(2, rig.far_token), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 5000, 2)]);
    assert_eq!(*rig.near.bytes, [9; 5000]);
    assert_eq!(rig.pair.far.results(), []);
    let statistics = (rig.pair.near.rnic.statistics(), rig.pair.far.rnic.statistics());
    assert_eq!((statistics.0.out_octets, statistics.0.in_octets), (5000, 5000));
    assert_eq!((statistics.1.out_octets, statistics.1.in_octets), (5000, 5000));
    rig.tear_down();
}

#[test]
fn stale_token_breaks_the_connection_and_cancels_the_targets_receive() {
    let rig = Rig::new(1, 7);
    assert_eq!(receive(&rig.pair.far, 5, &[]), STATUS_SUCCESS);
    assert_eq!(call!(rig.far_mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS);
    assert_eq!(rig.read(1, rig.far_token), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), [(STATUS_ACCESS_VIOLATION, 0, 1)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_CANCELLED, 0, 5)]);
    let mut seen = rig.pair.log.pump();
    seen.sort_by_key(|seen| format!("{seen:?}"));
    assert_eq!(seen, [Seen::Disconnected("far"), Seen::Disconnected("near")]);
    assert_eq!(rig.write(2, 0), STATUS_CONNECTION_INVALID);
    rig.tear_down();
}

#[test]
fn privileged_token_is_never_valid_remotely() {
    let rig = Rig::new(1, 7);
    let mut privileged = 0;
    call!(rig.pair.far.pd, NdkGetPrivilegedMemoryRegionToken, &mut privileged);
    assert_eq!(rig.read(1, privileged), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), [(STATUS_ACCESS_VIOLATION, 0, 1)]);
    rig.tear_down();
}

#[test]
fn message_longer_than_its_receive_succeeds_at_the_sender_and_overruns_the_receiver() {
    let rig = Rig::new(0, 1);
    let mut short = rig.far.sge(rig.far_token);
    short.Length = 10;
    receive(&rig.pair.far, 1, &[short]);
    send(&rig.pair.near, 2, &[rig.near.sge(rig.near_token)], 0);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 5000, 2)]);
    assert_eq!(rig.pair.far.results(), [(STATUS_BUFFER_OVERFLOW, 0, 1)]);
    assert_eq!(*rig.far.bytes, [0; 5000]);
    rig.tear_down();
}

#[test]
fn queue_takes_its_depth_and_refuses_the_next_without_a_result() {
    let pair = Pair::connected();
    for number in 0..usize_from(DEPTH) {
        assert_eq!(send(&pair.near, number, &[], 0), STATUS_SUCCESS);
        assert_eq!(call!(pair.near.qp, NdkReceive, request(100 + number), null(), 0), STATUS_SUCCESS);
    }
    assert_eq!(send(&pair.near, 99, &[], 0), STATUS_INSUFFICIENT_RESOURCES);
    assert_eq!(call!(pair.near.qp, NdkReceive, request(99), null(), 0), STATUS_INSUFFICIENT_RESOURCES);
    call!(pair.near.qp, NdkFlush);
    let results = pair.near.results();
    assert_eq!(results.len(), 2 * usize_from(DEPTH));
    assert!(results.iter().all(|(status, _, number)| *status == STATUS_CANCELLED && *number != 99));
    // A flush is no end: the connection goes on.
    assert_eq!(receive(&pair.far, 1, &[]), STATUS_SUCCESS);
    assert_eq!(send(&pair.near, 2, &[], 0), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 2)]);
    pair.tear_down();
}

#[test]
fn posts_on_an_unconnected_queue_pair_are_refused_and_its_receives_flushed() {
    let pair = Pair::new();
    assert_eq!(send(&pair.near, 1, &[], 0), STATUS_CONNECTION_INVALID);
    assert_eq!(receive(&pair.near, 2, &[]), STATUS_SUCCESS);
    call!(pair.near.qp, NdkFlush);
    assert_eq!(pair.near.results(), [(STATUS_CANCELLED, 0, 2)]);
    pair.tear_down();
}

#[test]
fn silent_success_has_no_result_and_a_silent_failure_has_one() {
    let rig = Rig::new(1, 5);
    assert_eq!(rig.write(1, NDK_OP_FLAG_SILENT_SUCCESS), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), []);
    assert_eq!(*rig.far.bytes, [7; 5000]);
    call!(rig.far_mr, NdkDeregisterMr, None, null_mut());
    assert_eq!(rig.write(2, NDK_OP_FLAG_SILENT_SUCCESS), STATUS_SUCCESS);
    assert_eq!(rig.pair.near.results(), [(STATUS_ACCESS_VIOLATION, 0, 2)]);
    rig.tear_down();
}

#[test]
fn deferred_requests_are_started_by_the_next_one_also_if_that_is_refused() {
    for refused in [false, true] {
        let rig = Rig::new(1, 5);
        assert_eq!(rig.write(1, NDK_OP_FLAG_DEFER), STATUS_SUCCESS);
        assert_eq!(rig.pair.near.results(), []);
        let flags = if refused { 0x8000 } else { 0 };
        let expected = if refused { STATUS_INVALID_PARAMETER } else { STATUS_SUCCESS };
        assert_eq!(rig.write(2, flags), expected);
        let results = if refused { 1 } else { 2 };
        assert_eq!(rig.pair.near.results().len(), results, "the deferred one is started");
        rig.tear_down();
    }
}

#[test]
fn arm_is_notified_once_and_a_late_one_at_once() {
    let pair = Pair::connected();
    let cq = pair.far.cq;
    let one = |number| {
        receive(&pair.far, number, &[]);
        send(&pair.near, number, &[], 0);
    };
    one(1);
    assert_eq!(pair.log.pump(), [], "the CQ is not armed");
    call!(cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_SUCCESS)], "a result was there");
    one(2);
    assert_eq!(pair.log.pump(), [], "the arm was used up");
    pair.far.results();
    call!(cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    assert_eq!(pair.log.pump(), [], "all results were taken");
    one(3);
    assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_SUCCESS)]);
    pair.tear_down();
}

#[test]
fn solicited_and_error_arms_wait_for_theirs() {
    let pair = Pair::connected();
    call!(pair.far.cq, NdkArmCq, NDK_CQ_NOTIFY_SOLICITED);
    call!(pair.near.cq, NdkArmCq, NDK_CQ_NOTIFY_ERRORS);
    receive(&pair.far, 1, &[]);
    send(&pair.near, 1, &[], 0);
    assert_eq!(pair.log.pump(), []);
    receive(&pair.far, 2, &[]);
    send(&pair.near, 2, &[], NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT);
    assert_eq!(pair.log.pump().len(), 1);
    send(&pair.near, 3, &[], 0);
    call!(pair.near.qp, NdkFlush);
    assert_eq!(pair.log.pump().len(), 1);
    pair.tear_down();
}
