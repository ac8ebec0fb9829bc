//! Memory regions.

use sys::ndk::NDK_MR;
use sys::status::NTSTATUS;
use sys::wdm::MDL;

use super::{Handle, call};
use crate::ledger::{self, Call, Ticket};

impl<'l> Handle<'l, NDK_MR> {
    /// `NdkRegisterMr` over the first `length` bytes of `mdl`, which must stay locked until the
    /// deregistration.
    pub(crate) fn register(self, mdl: *mut MDL, length: u32, flags: u32) -> Result<Ticket<'l>, NTSTATUS> {
        let call = Call::new("register MR", self.object);
        self.ledger.start(call, |context| {
            call!(self.NdkRegisterMr(mdl, length as usize, flags, Some(ledger::request_completed), context))
        })
    }

    /// The same, with the MR closed from inside the completion.
    pub(crate) fn register_then_close(
        self,
        mdl: *mut MDL,
        length: u32,
        flags: u32,
    ) -> Result<Ticket<'l>, NTSTATUS> {
        let call = Call::new("register MR", self.object).closes_inside(self.object);
        self.ledger.start(call, |context| {
            call!(self.NdkRegisterMr(mdl, length as usize, flags, Some(ledger::request_completed), context))
        })
    }

    pub(crate) fn deregister(self) -> Result<Ticket<'l>, NTSTATUS> {
        let call = Call::new("deregister MR", self.object);
        self.ledger.start(call, |context| {
            call!(self.NdkDeregisterMr(Some(ledger::request_completed), context))
        })
    }

    pub(crate) fn remote_token(self) -> u32 {
        call!(self.NdkGetRemoteTokenFromMr() or 0)
    }

    pub(crate) fn local_token(self) -> u32 {
        call!(self.NdkGetLocalTokenFromMr() or 0)
    }
}
