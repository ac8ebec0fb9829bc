//! Invalidation by messages and reads over a network (RD-2, WR-3).

use std::cell::Cell;
use std::ptr::null;
use std::rc::Rc;

use sys::ndk::*;
use sys::status::*;
use test_kernel::network::{self, Action};
use test_kernel::pump;

use super::{PAGE, Pages, create_fast, fast_register, in_use, initialise};
use crate::number::u64_from;
use crate::tests::consumer::{Buffer, Pair, Seen, Side, call, close, request, virtual_address};
use crate::tests::wire::{SETTINGS, establish, meet, retaken, run, shared, tear_down};

const BASE: usize = 0x7000_0000;

/// A region with a fast registration of one page.
fn registered(side: &Side, pages: &Pages, flags: u32) -> *mut NDK_MR {
    let mr = create_fast(side);
    assert_eq!(initialise(mr, 1, true), STATUS_SUCCESS);
    assert_eq!(fast_register(side, mr, 1, &[pages.at(0)], (0, PAGE, BASE), flags), STATUS_SUCCESS);
    assert_eq!(side.results(), [(STATUS_SUCCESS, 0, 1)]);
    mr
}

/// RD-2: the receive has its result when the token has ended, and no transfer uses the memory.
#[test]
fn send_over_network_invalidates_the_receivers_token() {
    for waits in [false, true] {
        let mut pair = Pair::over_network(SETTINGS);
        establish(&mut pair);
        let pages = Pages::new();
        let mr = registered(&pair.far, &pages, NDK_OP_FLAG_ALLOW_REMOTE_READ);
        let token = call!(mr, NdkGetRemoteTokenFromMr);
        assert_eq!(call!(pair.far.qp, NdkReceive, request(2), null(), 0), STATUS_SUCCESS);
        let send = || call!(pair.near.qp, NdkSendAndInvalidate, request(3), null(), 0, 0, token);
        if waits {
            let held = in_use(&pair.far, token, BASE);
            assert_eq!(send(), STATUS_SUCCESS);
            run(&pair);
            assert_eq!(pair.far.results(), []);
            drop(held);
        } else {
            assert_eq!(send(), STATUS_SUCCESS);
        }
        run(&pair);
        assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 3)]);
        assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 2)]);
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        tear_down(pair);
    }
}

/// RD-9, WR-3: a read with local invalidate ends its sink when it is done; a second one finds it gone.
#[test]
fn read_over_network_invalidates_its_sink_when_it_is_done() {
    let mut pair = Pair::over_network(SETTINGS);
    establish(&mut pair);
    let pages = Pages::new();
    let mr = registered(&pair.near, &pages, NDK_OP_FLAG_ALLOW_LOCAL_WRITE);
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
    assert_eq!(read(2), STATUS_SUCCESS);
    run(&pair);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 100, 2)]);
    assert_eq!(pages.bytes()[..101], [&[7; 100][..], &[0]].concat());
    assert_eq!(read(3), STATUS_SUCCESS);
    run(&pair);
    assert_eq!(pair.near.results(), [(STATUS_ACCESS_VIOLATION, 0, 3)]);
    for mr in [mr, source_mr] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    tear_down(pair);
}

/// RD-2: the last transfer that uses the memory may end at any point of the message's arrival.
#[test]
fn memory_that_drains_at_any_point_of_the_arrival_completes_the_receive() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 20, "{point}");
            break;
        }
        let mut pair = Pair::over_network(SETTINGS);
        establish(&mut pair);
        let pair = shared(pair);
        let pages = Pages::new();
        let mr = registered(&pair.far, &pages, NDK_OP_FLAG_ALLOW_REMOTE_READ);
        let token = call!(mr, NdkGetRemoteTokenFromMr);
        assert_eq!(call!(pair.far.qp, NdkReceive, request(2), null(), 0), STATUS_SUCCESS);
        let held = Rc::new(Cell::new(Some(in_use(&pair.far, token, BASE))));
        let send = call!(pair.near.qp, NdkSendAndInvalidate, request(3), null(), 0, 0, token);
        assert_eq!(send, STATUS_SUCCESS);
        let other = held.clone();
        let drains = move || {
            drop(other.take());
            pump();
        };
        meets = meet(point, drains, || {
            assert!(network::step_if(|action| matches!(action, Action::Arrive(_))));
        });
        drop(held.take());
        run(pair);
        assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 2)], "{point}");
        assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 0, 3)]);
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        tear_down(retaken(pair));
    }
}

/// TD-4: a request that needs no network is done, and then the stream ends.
#[test]
fn disconnect_at_any_point_of_a_fast_registration_ends() {
    let mut meets = true;
    for point in 0.. {
        if !meets {
            assert!(point > 20, "{point}");
            break;
        }
        let mut pair = Pair::over_network(SETTINGS);
        establish(&mut pair);
        let pair = shared(pair);
        let pages = Pages::new();
        let mr = create_fast(&pair.near);
        assert_eq!(initialise(mr, 1, true), STATUS_SUCCESS);
        let disconnect = || {
            assert_eq!(pair.disconnect(pair.near.connector, "near"), STATUS_PENDING);
        };
        meets = meet(point, disconnect, || {
            let flags = NDK_OP_FLAG_ALLOW_REMOTE_READ;
            let _accepted = fast_register(&pair.near, mr, 1, &[pages.at(0)], (0, PAGE, BASE), flags);
        });
        if !meets {
            disconnect();
        }
        let seen = run(pair);
        assert!(seen.contains(&Seen::RequestCompleted("near", STATUS_SUCCESS)), "{point}: {seen:?}");
        pair.near.results();
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        tear_down(retaken(pair));
    }
}
