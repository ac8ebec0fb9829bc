//! Functions of an adapter and of a PD that create objects.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use core::ptr::null_mut;

use protocol::AdapterLimits;
use sys::ndk::{
    NDK_ADAPTER, NDK_ADAPTER_INFO, NDK_CONNECTOR, NDK_CQ, NDK_LISTENER, NDK_MR, NDK_MW, NDK_PD, NDK_QP,
    NDK_SHARED_ENDPOINT, NDK_SRQ,
};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::GROUP_AFFINITY;

use super::{Address, Handle, QpDepths, call};
use crate::call_log::{self, Call, Object, StartedCall};
use crate::kernel;
use crate::number::u64_from;

/// The number of results that a CQ holds.
#[derive(Clone, Copy)]
pub(crate) struct CqDepth(pub(crate) u32);

/// An object that is being created.
pub(crate) struct Creation<'l, T> {
    handle: Handle<'l, T>,
    started: StartedCall<'l>,
}

impl<'l, T> Creation<'l, T> {
    /// The object, once it exists.
    pub(crate) fn wait(self) -> Result<Handle<'l, T>, NTSTATUS> {
        self.started.wait().map(|()| self.handle)
    }

    pub(crate) fn started(&self) -> StartedCall<'l> {
        self.started
    }

    /// The record, whether or not the object exists.
    pub(crate) fn object(&self) -> &'l Object {
        self.handle.object
    }
}

/// The completion of a create either keeps or closes the object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    CloseInside,
}

impl<'l, P: super::Interface> Handle<'l, P> {
    /// Creates an object from this one; `antecedents` are what it must not outlive besides.
    pub(super) fn create<T: super::Interface>(
        self,
        step: &'static str,
        then: Then,
        antecedents: &[&Object],
        function: impl FnOnce(&'l Object, *mut core::ffi::c_void, *mut *mut T) -> NTSTATUS,
    ) -> Result<Creation<'l, T>, NTSTATUS> {
        let object = self.call_log.object(T::KIND, antecedents)?;
        object.depend_on(self.object)?;
        let call: Call = Call::new(step, self.object).creates(object);
        let call = if then == Then::CloseInside { call.closes_inside(object) } else { call };
        let started = self.call_log.start_create(call, |context, place| function(object, context, place))?;
        Ok(Creation { handle: Handle::new(self.call_log, object), started })
    }
}

impl<'l> Handle<'l, NDK_ADAPTER> {
    /// `NdkQueryAdapterInfo`. IRQL = PASSIVE_LEVEL.
    pub(crate) fn info(self) -> Result<NDK_ADAPTER_INFO, NTSTATUS> {
        let mut info = core::mem::MaybeUninit::<NDK_ADAPTER_INFO>::zeroed();
        let mut size = u32::try_from(size_of::<NDK_ADAPTER_INFO>()).unwrap_or(u32::MAX);
        match call!(self.NdkQueryAdapterInfo(info.as_mut_ptr(), &raw mut size)) {
            // SAFETY: all zero is a valid value of the structure, and the provider fills it further.
            STATUS_SUCCESS => Ok(unsafe { info.assume_init() }),
            failure => Err(failure),
        }
    }

    pub(crate) fn start_cq(self, depth: CqDepth, then: Then) -> Result<Creation<'l, NDK_CQ>, NTSTATUS> {
        self.start_cq_for(depth, None, then)
    }

    fn start_cq_for(
        self,
        depth: CqDepth,
        affinity: Option<&mut GROUP_AFFINITY>,
        then: Then,
    ) -> Result<Creation<'l, NDK_CQ>, NTSTATUS> {
        let affinity = affinity.map_or(null_mut(), core::ptr::from_mut);
        self.create("create CQ", then, &[], |cq, context, place| {
            call!(self.NdkCreateCq(
                depth.0,
                Some(call_log::notified),
                core::ptr::from_ref(cq).cast_mut().cast(),
                affinity,
                Some(call_log::created),
                context,
                place
            ))
        })
    }

    pub(crate) fn create_cq(self, depth: CqDepth) -> Result<Handle<'l, NDK_CQ>, NTSTATUS> {
        self.start_cq(depth, Then::Keep)?.wait()
    }

    /// A CQ whose notifications are to run on the processors of `affinity`.
    pub(crate) fn create_cq_for(
        self,
        depth: CqDepth,
        affinity: Option<&mut GROUP_AFFINITY>,
    ) -> Result<Handle<'l, NDK_CQ>, NTSTATUS> {
        self.start_cq_for(depth, affinity, Then::Keep)?.wait()
    }

    pub(crate) fn start_pd(self, then: Then) -> Result<Creation<'l, NDK_PD>, NTSTATUS> {
        self.create("create PD", then, &[], |_, context, place| {
            call!(self.NdkCreatePd(Some(call_log::created), context, place))
        })
    }

    pub(crate) fn create_pd(self) -> Result<Handle<'l, NDK_PD>, NTSTATUS> {
        self.start_pd(Then::Keep)?.wait()
    }

    pub(crate) fn start_connector(self, then: Then) -> Result<Creation<'l, NDK_CONNECTOR>, NTSTATUS> {
        self.create("create connector", then, &[], |_, context, place| {
            call!(self.NdkCreateConnector(Some(call_log::created), context, place))
        })
    }

    pub(crate) fn create_connector(self) -> Result<Handle<'l, NDK_CONNECTOR>, NTSTATUS> {
        self.start_connector(Then::Keep)?.wait()
    }

    pub(crate) fn start_listener(self, then: Then) -> Result<Creation<'l, NDK_LISTENER>, NTSTATUS> {
        self.create("create listener", then, &[], |listener, context, place| {
            call!(self.NdkCreateListener(
                Some(call_log::connect_event),
                core::ptr::from_ref(listener).cast_mut().cast(),
                Some(call_log::created),
                context,
                place
            ))
        })
    }

    pub(crate) fn create_listener(self) -> Result<Handle<'l, NDK_LISTENER>, NTSTATUS> {
        self.start_listener(Then::Keep)?.wait()
    }
}

impl<'l> Handle<'l, NDK_PD> {
    pub(crate) fn start_mr(self, then: Then) -> Result<Creation<'l, NDK_MR>, NTSTATUS> {
        self.create("create MR", then, &[], |_, context, place| {
            call!(self.NdkCreateMr(0, Some(call_log::created), context, place))
        })
    }

    pub(crate) fn create_mr(self) -> Result<Handle<'l, NDK_MR>, NTSTATUS> {
        self.start_mr(Then::Keep)?.wait()
    }

    /// Creates a QP whose initiator and receive queues both report to `cq`.
    pub(crate) fn start_qp(
        self,
        cq: Handle<'l, NDK_CQ>,
        depths: QpDepths,
        then: Then,
    ) -> Result<Creation<'l, NDK_QP>, NTSTATUS> {
        self.create("create QP", then, &[cq.object], |qp, context, place| {
            call!(self.NdkCreateQp(
                cq.as_ptr(),
                cq.as_ptr(),
                core::ptr::from_ref(qp).cast_mut().cast(),
                depths.receive,
                depths.initiator,
                depths.receive_sges,
                depths.initiator_sges,
                depths.inline,
                Some(call_log::created),
                context,
                place
            ))
        })
    }

    pub(crate) fn create_qp(
        self,
        cq: Handle<'l, NDK_CQ>,
        depths: QpDepths,
    ) -> Result<Handle<'l, NDK_QP>, NTSTATUS> {
        self.start_qp(cq, depths, Then::Keep)?.wait()
    }
}

impl<'l> Handle<'l, NDK_PD> {
    /// `NdkCreateMw`.
    pub(crate) fn start_mw(self, then: Then) -> Result<Creation<'l, NDK_MW>, NTSTATUS> {
        self.create("create MW", then, &[], |_, context, place| {
            call!(self.NdkCreateMw(Some(call_log::created), context, place))
        })
    }
}

impl<'l> Handle<'l, NDK_ADAPTER> {
    /// `NdkCreateSharedEndpoint`.
    pub(crate) fn start_shared_endpoint(
        self,
        address: &Address,
        then: Then,
    ) -> Result<Creation<'l, NDK_SHARED_ENDPOINT>, NTSTATUS> {
        let (start, length) = address.parts();
        self.create("create shared endpoint", then, &[], |_, context, place| {
            call!(self.NdkCreateSharedEndpoint(start, length, Some(call_log::created), context, place))
        })
    }
}

impl<'l> Handle<'l, NDK_PD> {
    /// `NdkCreateSrq`, notified when fewer than `threshold` receives are left.
    pub(crate) fn start_srq(
        self,
        depth: u32,
        threshold: u32,
        then: Then,
    ) -> Result<Creation<'l, NDK_SRQ>, NTSTATUS> {
        self.create("create SRQ", then, &[], |srq, context, place| {
            call!(self.NdkCreateSrq(
                depth,
                1,
                threshold,
                Some(call_log::srq_notified),
                core::ptr::from_ref(srq).cast_mut().cast(),
                null_mut(),
                Some(call_log::created),
                context,
                place
            ))
        })
    }

    /// `NdkCreateQpWithSrq`, both queues of which report to `cq`.
    pub(crate) fn create_qp_with_srq(
        self,
        cq: Handle<'l, NDK_CQ>,
        srq: Handle<'l, NDK_SRQ>,
        depths: QpDepths,
    ) -> Result<Handle<'l, NDK_QP>, NTSTATUS> {
        let creation =
            self.create("create QP with SRQ", Then::Keep, &[cq.object, srq.object], |qp, context, place| {
                call!(self.NdkCreateQpWithSrq(
                    cq.as_ptr(),
                    cq.as_ptr(),
                    srq.as_ptr(),
                    core::ptr::from_ref(qp).cast_mut().cast(),
                    depths.initiator,
                    depths.initiator_sges,
                    depths.inline,
                    Some(call_log::created),
                    context,
                    place
                ))
            })?;
        creation.wait()
    }

    /// `NdkGetPrivilegedMemoryRegionToken`.
    pub(crate) fn privileged_token(self) -> u32 {
        let mut token = 0;
        kernel::at(self.call_log.level(), || {
            call!(self.NdkGetPrivilegedMemoryRegionToken(&raw mut token) or ());
        });
        token
    }
}

/// The adapter's limits for the report to the runner.
pub(crate) fn limits(info: &NDK_ADAPTER_INFO) -> AdapterLimits {
    AdapterLimits {
        version: (u32::from(info.Version.Major) << 16) | u32::from(info.Version.Minor),
        max_transfer_length: info.MaxTransferLength,
        max_registration_size: u64_from(info.MaxRegistrationSize),
        max_caller_data: info.MaxCallerData,
        max_callee_data: info.MaxCalleeData,
        max_initiator_queue_depth: info.MaxInitiatorQueueDepth,
        max_receive_queue_depth: info.MaxReceiveQueueDepth,
    }
}
