//! A QP, and what a consumer does with it.

use core::ptr;

use ntsim_core::number::ToUsize;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::ULONG;

use super::fixture::{Fixture, call, context, on_close};
use super::provider;

/// A QP with its PD and its CQ.
pub(super) struct Pair {
    pub(super) fixture: Fixture,
    pub(super) cq: *mut NDK_CQ,
    pub(super) pd: *mut NDK_PD,
    pub(super) qp: *mut NDK_QP,
}

impl Pair {
    pub(super) fn with(change: impl FnOnce(&mut provider::Provider)) -> Self {
        let fixture = Fixture::with(change);
        let (cq, pd) = (fixture.cq(), fixture.pd());
        let qp = fixture.qp(pd, cq);
        Self { fixture, cq, pd, qp }
    }

    pub(super) fn send(&self, number: usize, flags: ULONG) -> NTSTATUS {
        call!(self.qp, NdkSend, context(number), ptr::null(), 0, flags)
    }

    pub(super) fn receive(&self, number: usize) {
        assert_eq!(call!(self.qp, NdkReceive, context(number), ptr::null(), 0), STATUS_SUCCESS);
    }

    pub(super) fn arm(&self) {
        call!(self.cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    }

    /// Takes up to eight results: contexts of QP and request, and status.
    pub(super) fn poll(&self) -> Vec<(usize, usize, NTSTATUS)> {
        // SAFETY: zero is a valid value of every member.
        let mut results: [NDK_RESULT_EX; 8] = unsafe { core::mem::zeroed() };
        let taken = call!(self.cq, NdkGetCqResultsEx, results.as_mut_ptr(), 8);
        let taken = results.iter().take(taken.to_usize());
        taken.map(|one| (one.QPContext.addr(), one.RequestContext.addr(), one.Status)).collect()
    }

    pub(super) fn finish(self) -> Vec<&'static str> {
        call!(self.qp, NdkCloseQp, Some(on_close), context(1));
        call!(self.pd, NdkClosePd, Some(on_close), context(1));
        while !self.poll().is_empty() {}
        call!(self.cq, NdkCloseCq, Some(on_close), context(1));
        self.fixture.finish()
    }
}
