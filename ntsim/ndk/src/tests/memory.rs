//! Memory: tokens, and windows bound to regions.

use core::ptr;
use core::sync::atomic::Ordering;

use sys::ndk::*;
use sys::status::{STATUS_PENDING, STATUS_SUCCESS};

use super::fixture::{Fixture, call, context, on_close, on_request};
use super::provider::{At, fake};
use crate::rules;

/// A QP, with what it needs, and two regions.
struct Memory {
    fixture: Fixture,
    cq: *mut NDK_CQ,
    pd: *mut NDK_PD,
    qp: *mut NDK_QP,
    regions: [*mut NDK_MR; 2],
}

impl Memory {
    fn new() -> Self {
        Self::on(Fixture::new())
    }

    fn on(fixture: Fixture) -> Self {
        let (cq, pd) = (fixture.cq(), fixture.pd());
        let (qp, regions) = (fixture.qp(pd, cq), [fixture.mr(pd), fixture.mr(pd)]);
        Self { fixture, cq, pd, qp, regions }
    }

    fn register(&self, region: *mut NDK_MR) -> u32 {
        let flags = NDK_MR_FLAG_ALLOW_REMOTE_READ;
        let status = call!(region, NdkRegisterMr, ptr::null_mut(), 0, flags, Some(on_request), context(1));
        assert_eq!(status, STATUS_SUCCESS);
        call!(region, NdkGetLocalTokenFromMr)
    }

    fn deregister(&self, region: *mut NDK_MR) {
        assert_eq!(call!(region, NdkDeregisterMr, Some(on_request), context(1)), STATUS_SUCCESS);
    }

    fn send(&self, token: u32) {
        let entry = NDK_SGE {
            Address: NDK_SGE_ADDRESS { VirtualAddress: ptr::null_mut() },
            Length: 1,
            MemoryRegionToken: token,
        };
        assert_eq!(call!(self.qp, NdkSend, context(1), &raw const entry, 1, 0), STATUS_SUCCESS);
        self.drain();
    }

    fn read(&self, token: u32) {
        assert_eq!(call!(self.qp, NdkRead, context(1), ptr::null(), 0, 0, token, 0), STATUS_SUCCESS);
        self.drain();
    }

    fn drain(&self) {
        // SAFETY: zero is a valid value of every member.
        let mut results: [NDK_RESULT_EX; 8] = unsafe { core::mem::zeroed() };
        while call!(self.cq, NdkGetCqResultsEx, results.as_mut_ptr(), 8) != 0 {}
    }

    fn finish(self) -> Vec<&'static str> {
        for region in self.regions {
            call!(region, NdkCloseMr, Some(on_close), context(1));
        }
        call!(self.qp, NdkCloseQp, Some(on_close), context(1));
        call!(self.pd, NdkClosePd, Some(on_close), context(1));
        call!(self.cq, NdkCloseCq, Some(on_close), context(1));
        self.fixture.finish()
    }
}

#[test]
fn tokens_of_registered_memory_admit() {
    let memory = Memory::new();
    let [first, second] = memory.regions.map(|region| memory.register(region));
    memory.send(first);
    memory.read(second);
    assert!(memory.finish().is_empty());
}

#[test]
fn token_of_deregistered_memory_that_still_admits_is_found() {
    let memory = Memory::new();
    let token = memory.register(memory.regions[0]);
    memory.deregister(memory.regions[0]);
    memory.send(token);
    assert_eq!(memory.finish(), [rules::TOKEN_STALE]);
}

#[test]
fn token_of_deregistered_memory_that_still_admits_a_peer_is_found() {
    let memory = Memory::new();
    let token = memory.register(memory.regions[0]);
    memory.deregister(memory.regions[0]);
    memory.read(token);
    assert_eq!(memory.finish(), [rules::TOKEN_STALE]);
}

/// The peer's numbers are its own: one of them may be that of memory here which is gone.
#[test]
fn token_of_a_peer_in_another_machine_is_not_judged() {
    let memory = Memory::on(Fixture::on_host());
    let token = memory.register(memory.regions[0]);
    memory.deregister(memory.regions[0]);
    memory.read(token);
    memory.send(token);
    assert_eq!(memory.finish(), [rules::TOKEN_STALE]);
}

#[test]
fn token_that_is_given_to_other_memory_is_that_memory_s() {
    let memory = Memory::new();
    let token = memory.register(memory.regions[0]);
    memory.deregister(memory.regions[0]);
    fake(memory.regions[1]).provider().next_token(token);
    assert_eq!(memory.register(memory.regions[1]), token);
    memory.send(token);
    assert!(memory.finish().is_empty());
}

#[test]
fn token_may_go_to_other_memory_before_its_deregistration_has_completed() {
    let memory = Memory::new();
    let token = memory.register(memory.regions[0]);
    let provider = fake(memory.regions[0]).provider();
    provider.asynchronous.store(true, Ordering::Relaxed);
    let status = call!(memory.regions[0], NdkDeregisterMr, Some(on_request), context(1));
    assert_eq!(status, STATUS_PENDING);
    provider.asynchronous.store(false, Ordering::Relaxed);
    provider.next_token(token);
    assert_eq!(memory.register(memory.regions[1]), token);
    provider.run();
    memory.send(token);
    assert!(memory.finish().is_empty());
}

#[test]
fn token_of_invalidated_memory_that_still_admits_is_found_until_it_is_registered_again() {
    let memory = Memory::new();
    let region = memory.regions[0];
    let status = call!(region, NdkInitializeFastRegisterMr, 16, 1, Some(on_request), context(1));
    assert_eq!(status, STATUS_SUCCESS);
    let token = call!(region, NdkGetRemoteTokenFromMr);
    let register = || {
        let none = ptr::null_mut();
        call!(memory.qp, NdkFastRegister, context(1), region, 0, ptr::null(), 0, 0, none, 0)
    };
    assert_eq!(register(), STATUS_SUCCESS);
    memory.drain();
    assert_eq!(call!(memory.qp, NdkInvalidate, context(1), region.cast(), 0), STATUS_SUCCESS);
    memory.drain();
    assert_eq!(register(), STATUS_SUCCESS);
    memory.send(token);
    assert_eq!(call!(memory.qp, NdkInvalidate, context(1), region.cast(), 0), STATUS_SUCCESS);
    memory.drain();
    memory.send(token);
    assert_eq!(memory.finish(), [rules::TOKEN_STALE]);
}

#[test]
fn one_token_for_two_regions_is_found() {
    let memory = Memory::new();
    let token = memory.register(memory.regions[0]);
    fake(memory.regions[1]).provider().next_token(token);
    memory.register(memory.regions[1]);
    assert_eq!(memory.finish(), [rules::TOKEN_SHARED]);
}

#[test]
fn privileged_token_admits_locally_and_is_found_to_admit_a_peer() {
    let memory = Memory::new();
    let mut token = 0;
    call!(memory.pd, NdkGetPrivilegedMemoryRegionToken, &raw mut token);
    memory.send(token);
    memory.read(token);
    assert_eq!(memory.finish(), [rules::TOKEN_PRIVILEGED_REMOTE]);
}

#[test]
fn region_closes_only_after_the_window_that_is_bound_to_it() {
    let memory = Memory::new();
    let window = memory.fixture.mw(memory.pd);
    let region = memory.regions[0];
    let status = call!(memory.qp, NdkBind, context(1), region, window, ptr::null_mut(), 0, 0);
    assert_eq!(status, STATUS_SUCCESS);
    memory.drain();
    assert_eq!(call!(region, NdkCloseMr, Some(on_close), context(1)), STATUS_PENDING);
    assert_eq!(call!(window, NdkCloseMw, Some(on_close), context(1)), STATUS_SUCCESS);
    let rest = Memory { regions: [memory.regions[1], memory.fixture.mr(memory.pd)], ..memory };
    assert!(rest.finish().is_empty());
}

#[test]
fn region_that_closes_before_the_window_that_is_bound_to_it_is_found() {
    let memory = Memory::new();
    let window = memory.fixture.mw(memory.pd);
    let region = memory.regions[0];
    call!(memory.qp, NdkBind, context(1), region, window, ptr::null_mut(), 0, 0);
    memory.drain();
    fake(window).forget_parent(At::of(region));
    assert_eq!(call!(region, NdkCloseMr, Some(on_close), context(1)), STATUS_SUCCESS);
    call!(window, NdkCloseMw, Some(on_close), context(1));
    let rest = Memory { regions: [memory.regions[1], memory.fixture.mr(memory.pd)], ..memory };
    assert_eq!(rest.finish(), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn region_may_close_once_the_window_is_invalidated() {
    let memory = Memory::new();
    let window = memory.fixture.mw(memory.pd);
    let region = memory.regions[0];
    call!(memory.qp, NdkBind, context(1), region, window, ptr::null_mut(), 0, 0);
    memory.drain();
    call!(memory.qp, NdkInvalidate, context(1), window.cast(), 0);
    fake(window).forget_parent(At::of(region));
    assert_eq!(call!(region, NdkCloseMr, Some(on_close), context(1)), STATUS_SUCCESS);
    memory.drain();
    call!(window, NdkCloseMw, Some(on_close), context(1));
    let rest = Memory { regions: [memory.regions[1], memory.fixture.mr(memory.pd)], ..memory };
    assert!(rest.finish().is_empty());
}
