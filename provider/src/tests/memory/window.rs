//! Memory windows (OBJ-2, CL-5, CL-6).

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;

use super::{PAGE, Pages, Remote, cancelled, create_fast, fast_register, in_use, initialise, invalidate};
use crate::number::u32_from;
use crate::tests::consumer::{Buffer, Pair, Seen, call, close, request, virtual_address};

const READ: u32 = NDK_OP_FLAG_ALLOW_REMOTE_READ;
const WRITE: u32 = NDK_OP_FLAG_ALLOW_REMOTE_WRITE;

/// A connected pair; the far side has a registered region of 1000 bytes and a window.
struct Rig {
    pair: Pair,
    buffer: Buffer,
    mr: *mut NDK_MR,
    mw: *mut NDK_MW,
}

impl Rig {
    fn new(flags: u32) -> Self {
        let pair = Pair::connected();
        let mut buffer = Buffer::new(vec![5; 1000]);
        let (mr, _) = buffer.register(&pair.far, flags);
        let mut mw = null_mut();
        assert_eq!(call!(pair.far.pd, NdkCreateMw, None, null_mut(), &mut mw), STATUS_SUCCESS);
        Self { pair, buffer, mr, mw }
    }

    fn bind(&self, number: usize, (from, length): (usize, usize), flags: u32) -> NTSTATUS {
        let address = virtual_address(self.buffer.address().wrapping_add(from));
        call!(self.pair.far.qp, NdkBind, request(number), self.mr, self.mw, address, length, flags)
    }

    /// Binds, and returns the token.
    fn bound(&self, range: (usize, usize), flags: u32) -> u32 {
        assert_eq!(self.bind(1, range, flags), STATUS_SUCCESS);
        assert_eq!(self.pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
        self.token()
    }

    fn token(&self) -> u32 {
        call!(self.mw, NdkGetRemoteTokenFromMw)
    }

    fn tear_down(self) {
        assert_eq!(close!(self.pair.log, self.mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
        assert_eq!(close!(self.pair.log, self.mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        self.pair.tear_down();
    }
}

#[test]
fn window_admits_its_range_of_the_region_only() {
    for (from, length, status) in [
        (100, 50, STATUS_SUCCESS),
        (149, 1, STATUS_SUCCESS),
        (99, 1, STATUS_ACCESS_VIOLATION),
        (100, 51, STATUS_ACCESS_VIOLATION),
    ] {
        let rig = Rig::new(1);
        let token = rig.bound((100, 50), WRITE);
        let remote = Remote::new(&rig.pair.near, vec![9; length]);
        let bytes = if status == STATUS_SUCCESS { u32_from(length) } else { 0 };
        assert_eq!(remote.write(2, rig.buffer.address() + from, token), [(status, bytes, 2)]);
        let inside = |at| status == STATUS_SUCCESS && (from..from + length).contains(&at);
        assert!((0..1000).all(|at| rig.buffer.bytes[at] == if inside(at) { 9 } else { 5 }));
        remote.close(&rig.pair.log);
        rig.tear_down();
    }
}

#[test]
fn window_admits_peers_only_and_only_what_it_was_bound_for() {
    let rig = Rig::new(7);
    let token = rig.bound((0, 1000), READ);
    let remote = Remote::new(&rig.pair.near, vec![0; 8]);
    assert_eq!(remote.read(2, rig.buffer.address(), token), [(STATUS_SUCCESS, 8, 2)]);
    assert_eq!(remote.write(3, rig.buffer.address(), token), [(STATUS_ACCESS_VIOLATION, 0, 3)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
    let rig = Rig::new(7);
    let sge = rig.buffer.sge(rig.bound((0, 1000), READ | WRITE));
    assert_eq!(call!(rig.pair.near.qp, NdkReceive, null_mut(), std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(2), &sge, 1, 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_ACCESS_VIOLATION, 0, 2)]);
    rig.tear_down();
}

#[test]
fn bind_that_the_region_does_not_admit_is_refused_inline() {
    let rig = Rig::new(2);
    assert_eq!(rig.bind(1, (0, 10), WRITE), STATUS_ACCESS_VIOLATION, "not registered for local writes");
    assert_eq!(rig.bind(1, (0, 1001), READ), STATUS_ACCESS_VIOLATION);
    assert_eq!(rig.bind(1, (usize::MAX, 1), READ), STATUS_ACCESS_VIOLATION);
    assert_eq!(rig.bind(1, (0, 0), READ), STATUS_INVALID_PARAMETER);
    let near = call!(rig.pair.near.qp, NdkBind, null_mut(), rig.mr, rig.mw, null_mut(), 1, READ);
    assert_eq!(near, STATUS_ACCESS_VIOLATION, "another domain");
    assert_eq!(call!(rig.mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS, "no bind holds the region");
    assert_eq!(rig.bind(1, (0, 10), READ), STATUS_ACCESS_VIOLATION, "not registered any more");
    assert_eq!(rig.pair.far.results(), []);
    rig.tear_down();
}

#[test]
fn rebinding_invalidates_the_earlier_token_in_the_order_of_the_queue() {
    let rig = Rig::new(1);
    let first = rig.bound((0, 100), READ);
    // A send without a receive holds up the queue.
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(2), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!(rig.bind(3, (200, 100), READ), STATUS_SUCCESS);
    let second = rig.token();
    assert_ne!(second, first);
    let (remote, at) = (Remote::new(&rig.pair.near, vec![0; 8]), rig.buffer.address());
    assert_eq!(remote.read(4, at, first), [(STATUS_SUCCESS, 8, 4)]);
    assert_eq!(call!(rig.pair.near.qp, NdkReceive, request(5), std::ptr::null(), 0), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2), (STATUS_SUCCESS, 0, 3)]);
    assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 0, 5)]);
    assert_eq!(remote.read(6, at + 200, second), [(STATUS_SUCCESS, 8, 6)]);
    assert_eq!(remote.read(7, at, first), [(STATUS_ACCESS_VIOLATION, 0, 7)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
}

#[test]
fn rebinding_waits_for_the_transfers_through_the_earlier_token() {
    let rig = Rig::new(1);
    let first = rig.bound((0, 100), READ);
    let used = in_use(&rig.pair.far, first, rig.buffer.address());
    assert_eq!(rig.bind(2, (200, 100), READ), STATUS_SUCCESS);
    rig.pair.log.pump();
    assert_eq!(rig.pair.far.results(), []);
    drop(used);
    rig.pair.log.pump();
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    drop(in_use(&rig.pair.far, rig.token(), rig.buffer.address() + 200));
    rig.tear_down();
}

#[test]
fn invalidated_window_admits_nothing() {
    let rig = Rig::new(1);
    let token = rig.bound((0, 100), READ);
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mw), STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    let remote = Remote::new(&rig.pair.near, vec![0; 8]);
    assert_eq!(remote.read(3, rig.buffer.address(), token), [(STATUS_ACCESS_VIOLATION, 0, 3)]);
    remote.close(&rig.pair.log);
    rig.tear_down();
}

#[test]
fn peer_can_invalidate_a_window() {
    let rig = Rig::new(1);
    let token = rig.bound((0, 100), READ);
    assert_eq!(call!(rig.pair.far.qp, NdkReceive, request(2), std::ptr::null(), 0), STATUS_SUCCESS);
    let qp = rig.pair.near.qp;
    let status = call!(qp, NdkSendAndInvalidate, request(3), std::ptr::null(), 0, 0, token);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
    assert_eq!(call!(rig.mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS, "nothing is bound");
    rig.tear_down();
}

#[test]
fn region_with_a_bound_window_is_busy() {
    let rig = Rig::new(1);
    rig.bound((0, 100), READ);
    assert_eq!(call!(rig.mr, NdkDeregisterMr, None, null_mut()), STATUS_DEVICE_BUSY);
    drop(in_use(&rig.pair.far, rig.token(), rig.buffer.address()));
    assert_eq!(invalidate(&rig.pair.far, 2, rig.mw), STATUS_SUCCESS);
    assert_eq!(call!(rig.mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS);
    rig.tear_down();
}

#[test]
fn flushed_bind_is_taken_back() {
    let rig = Rig::new(1);
    assert_eq!(call!(rig.pair.far.qp, NdkSend, request(2), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!([rig.bind(3, (0, 10), READ), rig.bind(4, (0, 10), READ)], [STATUS_SUCCESS; 2]);
    assert_eq!(call!(rig.mr, NdkDeregisterMr, None, null_mut()), STATUS_DEVICE_BUSY);
    let posted = rig.token();
    call!(rig.pair.far.qp, NdkFlush);
    assert!(rig.pair.far.results().iter().all(cancelled));
    assert_ne!(rig.token(), posted);
    assert_eq!(call!(rig.mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS);
    rig.tear_down();
}

#[test]
fn region_that_is_closed_first_waits_for_its_window_which_admits_nothing_meanwhile() {
    let rig = Rig::new(1);
    let token = rig.bound((0, 100), READ);
    assert_eq!(close!(rig.pair.log, rig.mr, NdkCloseMr, "mr"), STATUS_PENDING);
    assert_eq!(rig.pair.log.pump(), []);
    // The region's own registration has ended, and with it what the window admits.
    let remote = Remote::new(&rig.pair.near, vec![0; 8]);
    assert_eq!(remote.read(3, rig.buffer.address(), token), [(STATUS_ACCESS_VIOLATION, 0, 3)]);
    remote.close(&rig.pair.log);
    rig.pair.log.pump();
    assert_eq!(close!(rig.pair.log, rig.mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
    assert_eq!(rig.pair.log.pump(), [Seen::Closed("mr")]);
    rig.pair.tear_down();
}

#[test]
fn window_in_use_closes_when_the_transfer_has_ended_and_then_its_region() {
    let rig = Rig::new(1);
    let used = in_use(&rig.pair.far, rig.bound((0, 100), READ), rig.buffer.address());
    assert_eq!(close!(rig.pair.log, rig.mr, NdkCloseMr, "mr"), STATUS_PENDING);
    assert_eq!(close!(rig.pair.log, rig.mw, NdkCloseMw, "mw"), STATUS_PENDING);
    assert_eq!(rig.pair.log.pump(), []);
    rig.pair.log.inside(|seen| {
        if *seen == Seen::Closed("mw") {
            assert_eq!(test_kernel::pump(), 0, "the region waits for this to return");
        }
    });
    drop(used);
    assert_eq!(rig.pair.log.pump(), [Seen::Closed("mw"), Seen::Closed("mr")]);
    rig.pair.tear_down();
}

#[test]
fn window_over_a_fast_region_ends_with_the_regions_registration() {
    let pair = Pair::connected();
    let (fast, pages, mut mw) = (create_fast(&pair.far), Pages::new(), null_mut());
    assert_eq!(initialise(fast, 1, true), STATUS_SUCCESS);
    assert_eq!(call!(pair.far.pd, NdkCreateMw, None, null_mut(), &mut mw), STATUS_SUCCESS);
    let base = 0x7000_0000;
    let bind = |number: usize| {
        call!(pair.far.qp, NdkBind, request(number), fast, mw, virtual_address(base), 100, READ)
    };
    let register = || fast_register(&pair.far, fast, 1, &[pages.at(0)], (0, PAGE, base), READ);
    // The bind follows the registration before that is valid.
    assert_eq!(call!(pair.far.qp, NdkSend, request(9), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    assert_eq!([register(), bind(2)], [STATUS_SUCCESS; 2]);
    assert_eq!(call!(pair.near.qp, NdkReceive, request(8), std::ptr::null(), 0), STATUS_SUCCESS);
    assert!(pair.far.results().iter().all(|(status, ..)| *status == STATUS_SUCCESS));
    pair.near.results();
    let (remote, token) = (Remote::new(&pair.near, vec![0; 8]), call!(mw, NdkGetRemoteTokenFromMw));
    assert_eq!(remote.read(3, base, token), [(STATUS_SUCCESS, 8, 3)]);
    assert_eq!(invalidate(&pair.far, 4, fast), STATUS_SUCCESS);
    assert_eq!(register(), STATUS_SUCCESS);
    assert_eq!(pair.far.results().len(), 2);
    assert_eq!(remote.read(5, base, token), [(STATUS_ACCESS_VIOLATION, 0, 5)]);
    remote.close(&pair.log);
    assert_eq!(close!(pair.log, mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, fast, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn bind_before_its_fast_region_is_registered_fails_in_its_turn() {
    let pair = Pair::connected();
    let (fast, mut mw) = (create_fast(&pair.far), null_mut());
    assert_eq!(initialise(fast, 1, true), STATUS_SUCCESS);
    assert_eq!(call!(pair.far.pd, NdkCreateMw, None, null_mut(), &mut mw), STATUS_SUCCESS);
    let status = call!(pair.far.qp, NdkBind, request(1), fast, mw, virtual_address(0x1000), 10, READ);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_ACCESS_VIOLATION, 0, 1)]);
    assert_eq!(close!(pair.log, mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, fast, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}
