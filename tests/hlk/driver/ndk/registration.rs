//! Work requests that change what memory may be reached, and the objects that they are about.

use core::ffi::c_void;

use sys::ndk::{NDK_MR, NDK_MW, NDK_PD, NDK_QP, NDK_SGE};
use sys::status::NTSTATUS;

use super::{Creation, Handle, Inside, Interface, Mapping, Then, call};
use crate::call_log::{self, StartedCall};
use crate::number::usize_from;

/// Memory as a bind or a fast registration describes it.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// The virtual address by which it is known.
    pub(crate) address: usize,
    /// Bytes.
    pub(crate) length: u32,
}

impl<'l> Handle<'l, NDK_PD> {
    /// `NdkCreateMr`, for fast registration.
    pub(crate) fn create_fast_mr(self) -> Result<Handle<'l, NDK_MR>, NTSTATUS> {
        let creation: Creation<'l, NDK_MR> =
            self.create("create MR for fast registration", Then::Keep, &[], |_, context, place| {
                call!(self.NdkCreateMr(1, Some(call_log::created), context, place))
            })?;
        creation.wait()
    }
}

impl<'l> Handle<'l, NDK_MR> {
    /// `NdkInitializeFastRegisterMr`.
    pub(crate) fn initialise(self, pages: u32, remote: bool) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("initialise fast registration", Inside::Nothing, |context| {
            let remote = u8::from(remote);
            call!(self.NdkInitializeFastRegisterMr(pages, remote, Some(call_log::request_completed), context))
        })
    }
}

impl Handle<'_, NDK_MW> {
    /// `NdkGetRemoteTokenFromMw`.
    pub(crate) fn remote_token(self) -> u32 {
        crate::kernel::at(self.call_log.level(), || call!(self.NdkGetRemoteTokenFromMw() or 0))
    }
}

impl Handle<'_, NDK_QP> {
    /// `NdkBind`.
    pub(crate) fn bind(
        self,
        context: *mut c_void,
        mr: Handle<'_, NDK_MR>,
        mw: Handle<'_, NDK_MW>,
        extent: Extent,
        flags: u32,
    ) -> NTSTATUS {
        let address = core::ptr::without_provenance_mut(extent.address);
        self.posted(|| {
            call!(self.NdkBind(context, mr.as_ptr(), mw.as_ptr(), address, usize_from(extent.length), flags))
        })
    }

    /// `NdkFastRegister` over the start of what is mapped.
    pub(crate) fn fast_register(
        self,
        context: *mut c_void,
        mr: Handle<'_, NDK_MR>,
        mapping: &Mapping<'_>,
        extent: Extent,
        flags: u32,
    ) -> NTSTATUS {
        let base = core::ptr::without_provenance_mut(extent.address);
        self.posted(|| {
            call!(self.NdkFastRegister(
                context,
                mr.as_ptr(),
                mapping.count(),
                mapping.pages(),
                mapping.offset(),
                usize_from(extent.length),
                base,
                flags
            ))
        })
    }

    /// `NdkInvalidate`.
    pub(crate) fn invalidate<T: Interface>(
        self,
        context: *mut c_void,
        memory: Handle<'_, T>,
        flags: u32,
    ) -> NTSTATUS {
        self.posted(|| call!(self.NdkInvalidate(context, memory.object.pointer(), flags)))
    }

    /// `NdkSendAndInvalidate`.
    pub(crate) fn send_and_invalidate(
        self,
        context: *mut c_void,
        sges: &[NDK_SGE],
        flags: u32,
        token: u32,
    ) -> NTSTATUS {
        let count = u32::try_from(sges.len()).unwrap_or(u32::MAX);
        self.posted(|| call!(self.NdkSendAndInvalidate(context, sges.as_ptr(), count, flags, token)))
    }
}
