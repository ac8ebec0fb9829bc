//! Posting to a QP and polling a CQ.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use core::ffi::c_void;

use sys::ndk::{NDK_CQ, NDK_QP, NDK_RESULT, NDK_RESULT_EX, NDK_SGE, NDK_SGE_ADDRESS, NDK_SRQ};
use sys::status::NTSTATUS;

use super::{CqDepth, Handle, Inside, call};
use crate::call_log::{self, StartedCall};
use crate::number::usize_from;

/// The depths of a QP's queues.
#[derive(Clone, Copy)]
pub(crate) struct QpDepths {
    pub(crate) receive: u32,
    pub(crate) initiator: u32,
    pub(crate) receive_sges: u32,
    pub(crate) initiator_sges: u32,
    /// Bytes of inline data.
    pub(crate) inline: u32,
}

impl QpDepths {
    /// The depths that suffice for most tests.
    pub(crate) const SMALL: Self =
        Self { receive: 8, initiator: 8, receive_sges: 1, initiator_sges: 1, inline: 0 };
}

/// `length` bytes at the virtual address `address`, reached by `token`.
pub(crate) fn sge(address: usize, length: u32, token: u32) -> NDK_SGE {
    NDK_SGE {
        Address: NDK_SGE_ADDRESS { VirtualAddress: core::ptr::without_provenance_mut(address) },
        Length: length,
        MemoryRegionToken: token,
    }
}

/// Memory of the peer.
#[derive(Clone, Copy)]
pub(crate) struct Remote {
    pub(crate) address: u64,
    pub(crate) token: u32,
}

fn count(sges: &[NDK_SGE]) -> u32 {
    u32::try_from(sges.len()).unwrap_or(u32::MAX)
}

impl Handle<'_, NDK_QP> {
    pub(crate) fn receive(self, context: *mut c_void, sges: &[NDK_SGE]) -> NTSTATUS {
        self.posted(|| call!(self.NdkReceive(context, sges.as_ptr(), count(sges))))
    }

    pub(crate) fn send(self, context: *mut c_void, sges: &[NDK_SGE], flags: u32) -> NTSTATUS {
        self.posted(|| call!(self.NdkSend(context, sges.as_ptr(), count(sges), flags)))
    }

    /// Posts a send of which the call log counts the notifications that come inside it.
    pub(crate) fn send_watched(self, context: *mut c_void, sges: &[NDK_SGE]) -> NTSTATUS {
        let call_log = self.call_log();
        self.posted(|| call_log.watch(|| call!(self.NdkSend(context, sges.as_ptr(), count(sges), 0))))
    }

    pub(crate) fn write(self, context: *mut c_void, sges: &[NDK_SGE], to: Remote, flags: u32) -> NTSTATUS {
        self.posted(|| call!(self.NdkWrite(context, sges.as_ptr(), count(sges), to.address, to.token, flags)))
    }

    pub(crate) fn read(self, context: *mut c_void, sges: &[NDK_SGE], from: Remote, flags: u32) -> NTSTATUS {
        self.posted(|| {
            call!(self.NdkRead(context, sges.as_ptr(), count(sges), from.address, from.token, flags))
        })
    }

    pub(crate) fn flush(self) {
        self.posted(|| call!(self.NdkFlush() or ()));
    }

    pub(super) fn posted<R>(self, post: impl FnOnce() -> R) -> R {
        crate::kernel::at(self.call_log.level(), post)
    }
}

impl<'l> Handle<'l, NDK_SRQ> {
    /// `NdkModifySrq`; zero keeps what is.
    pub(crate) fn modify(self, depth: u32, threshold: u32) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("modify SRQ", Inside::Nothing, |context| {
            call!(self.NdkModifySrq(depth, threshold, Some(call_log::request_completed), context))
        })
    }

    pub(crate) fn receive(self, context: *mut c_void, sges: &[NDK_SGE]) -> NTSTATUS {
        crate::kernel::at(self.call_log.level(), || {
            call!(self.NdkSrqReceive(context, sges.as_ptr(), count(sges)))
        })
    }
}

impl<'l> Handle<'l, NDK_CQ> {
    /// `NdkResizeCq`.
    pub(crate) fn resize(self, depth: CqDepth) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("resize CQ", Inside::Nothing, |context| {
            call!(self.NdkResizeCq(depth.0, Some(call_log::request_completed), context))
        })
    }

    /// `NdkControlCqInterruptModeration`: an interval in microseconds and a count.
    pub(crate) fn moderate(self, interval: u32, count: u32) -> NTSTATUS {
        crate::kernel::at(self.call_log.level(), || {
            call!(self.NdkControlCqInterruptModeration(interval, count))
        })
    }

    /// Arms the CQ: `NDK_CQ_NOTIFY_…`.
    pub(crate) fn arm(self, what: u32) {
        self.object.arm();
        crate::kernel::at(self.call_log.level(), || call!(self.NdkArmCq(what) or ()));
    }

    /// Takes results; says how many.
    pub(crate) fn poll(self, results: &mut [NDK_RESULT]) -> usize {
        let room = u32::try_from(results.len()).unwrap_or(u32::MAX);
        let taken = crate::kernel::at(
            self.call_log.level(),
            || call!(self.NdkGetCqResults(results.as_mut_ptr(), room) or 0),
        );
        usize_from(taken).min(results.len())
    }

    /// Takes a result in its extended form.
    pub(crate) fn poll_extended(self) -> Option<NDK_RESULT_EX> {
        let mut result = core::mem::MaybeUninit::<NDK_RESULT_EX>::zeroed();
        let taken = crate::kernel::at(
            self.call_log.level(),
            || call!(self.NdkGetCqResultsEx(result.as_mut_ptr(), 1) or 0),
        );
        // SAFETY: all zero is a valid value of the structure, and the provider fills it further.
        (taken == 1).then(|| unsafe { result.assume_init() })
    }
}
