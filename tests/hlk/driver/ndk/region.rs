//! Memory regions.

use sys::ndk::NDK_MR;
use sys::status::NTSTATUS;
use sys::wdm::MDL;

use super::{Handle, Inside, call};
use crate::call_log::{self, StartedCall};
use crate::kernel;
use crate::number::usize_from;

impl<'l> Handle<'l, NDK_MR> {
    /// `NdkRegisterMr` over the first `length` bytes of `mdl`, which must stay locked until the
    /// deregistration.
    pub(crate) fn register(
        self,
        mdl: *mut MDL,
        length: u32,
        flags: u32,
        inside: Inside,
    ) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("register MR", inside, |context| {
            call!(self.NdkRegisterMr(
                mdl,
                usize_from(length),
                flags,
                Some(call_log::request_completed),
                context
            ))
        })
    }

    /// `NdkDeregisterMr`.
    pub(crate) fn deregister(self, inside: Inside) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("deregister MR", inside, |context| {
            call!(self.NdkDeregisterMr(Some(call_log::request_completed), context))
        })
    }

    /// The token that a peer needs.
    pub(crate) fn remote_token(self) -> u32 {
        kernel::at(self.call_log.level(), || call!(self.NdkGetRemoteTokenFromMr() or 0))
    }

    /// The token that SGEs need.
    pub(crate) fn local_token(self) -> u32 {
        kernel::at(self.call_log.level(), || call!(self.NdkGetLocalTokenFromMr() or 0))
    }
}
