//! Listening, connecting, accepting, disconnecting.

use protocol::{Endpoint, Level};
use sys::ndk::{NDK_CONNECTOR, NDK_LISTENER, NDK_QP, NDK_SHARED_ENDPOINT};
use sys::sockaddr::SOCKADDR;
use sys::status::NTSTATUS;

use super::{Handle, call};
use crate::call_log::{self, Call, StartedCall};
use crate::kernel;

/// A socket address as NDK takes it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Address {
    bytes: [u8; 28],
    length: u32,
}

impl Address {
    pub(crate) const fn of(end: &Endpoint) -> Self {
        Self { bytes: end.address, length: end.address_length }
    }

    /// The beginning and the length of the address.
    pub(crate) const fn parts(&self) -> (*const SOCKADDR, u32) {
        (self.bytes.as_ptr().cast(), self.length)
    }
}

/// The numbers of RDMA Reads that may be in flight.
#[derive(Clone, Copy)]
pub(crate) struct ReadLimits {
    pub(crate) inbound: u32,
    pub(crate) outbound: u32,
}

fn length(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

/// The start of `data`, or null if there is none.
fn start(data: &[u8]) -> *const core::ffi::c_void {
    if data.is_empty() { core::ptr::null() } else { data.as_ptr().cast() }
}

/// The action of a request's completion besides completing it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    Nothing,
    /// It closes the object that the request was made on.
    Close,
}

/// Completes a connect by one of two slots, which differ in the disconnect event that they take.
macro_rules! complete_connect {
    ($connector:ident.$slot:ident, $event:ident, $context:ident) => {
        call!($connector.$slot(
            Some(call_log::$event),
            core::ptr::from_ref($connector.object).cast_mut().cast(),
            Some(call_log::request_completed),
            $context
        ))
    };
}

/// The same for an accept.
macro_rules! accept {
    ($connector:ident.$slot:ident($qp:ident, $limits:ident, $data:ident), $event:ident, $context:ident) => {
        call!($connector.$slot(
            $qp.as_ptr(),
            $limits.inbound,
            $limits.outbound,
            start($data),
            length($data),
            Some(call_log::$event),
            core::ptr::from_ref($connector.object).cast_mut().cast(),
            Some(call_log::request_completed),
            $context
        ))
    };
}

impl<'l> Handle<'l, NDK_LISTENER> {
    pub(crate) fn listen(self, address: &Address, inside: Inside) -> Result<StartedCall<'l>, NTSTATUS> {
        let (start, length) = address.parts();
        self.request("listen", inside, |context| {
            call!(self.NdkListen(start, length, Some(call_log::request_completed), context))
        })
    }

    /// Pauses the listener's connect events or lets them run again.
    pub(crate) fn control_connect_events(self, pause: bool) {
        kernel::at(self.call_log.level(), || call!(self.NdkControlConnectEvents(u8::from(pause)) or ()));
    }

    /// The address that is listened on, and the status.
    pub(crate) fn local_address(self) -> (NTSTATUS, Endpoint) {
        fetch_address(self.call_log.level(), |address, length| {
            call!(self.NdkGetLocalAddress(address, length))
        })
    }
}

impl Handle<'_, NDK_SHARED_ENDPOINT> {
    /// The address that is shared, and the status.
    pub(crate) fn local_address(self) -> (NTSTATUS, Endpoint) {
        fetch_address(self.call_log.level(), |address, length| {
            call!(self.NdkGetLocalAddress(address, length))
        })
    }
}

impl<'l> Handle<'l, NDK_CONNECTOR> {
    /// `NdkConnect`. If it succeeds, the QP is an antecedent of the connector.
    pub(crate) fn connect(
        self,
        qp: Handle<'l, NDK_QP>,
        from: &Address,
        to: &Address,
        limits: ReadLimits,
        private_data: &[u8],
        inside: Inside,
    ) -> Result<StartedCall<'l>, NTSTATUS> {
        let ((from, from_length), (to, to_length)) = (from.parts(), to.parts());
        let connecting = self.request("connect", inside, |context| {
            call!(self.NdkConnect(
                qp.as_ptr(),
                from,
                from_length,
                to,
                to_length,
                limits.inbound,
                limits.outbound,
                start(private_data),
                length(private_data),
                Some(call_log::request_completed),
                context
            ))
        })?;
        self.object.depend_if(qp.object, connecting)?;
        Ok(connecting)
    }

    /// `NdkConnectWithSharedEndpoint`. If it succeeds, QP and endpoint are antecedents of the connector.
    pub(crate) fn connect_from(
        self,
        qp: Handle<'l, NDK_QP>,
        endpoint: Handle<'l, NDK_SHARED_ENDPOINT>,
        to: &Address,
        limits: ReadLimits,
        private_data: &[u8],
    ) -> Result<StartedCall<'l>, NTSTATUS> {
        let (to, to_length) = to.parts();
        let connecting = self.request("connect with shared endpoint", Inside::Nothing, |context| {
            call!(self.NdkConnectWithSharedEndpoint(
                qp.as_ptr(),
                endpoint.as_ptr(),
                to,
                to_length,
                limits.inbound,
                limits.outbound,
                start(private_data),
                length(private_data),
                Some(call_log::request_completed),
                context
            ))
        })?;
        self.object.depend_if(qp.object, connecting)?;
        self.object.depend_if(endpoint.object, connecting)?;
        Ok(connecting)
    }

    pub(crate) fn complete_connect(self, inside: Inside) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("complete connect", inside, |context| {
            complete_connect!(self.NdkCompleteConnect, disconnected, context)
        })
    }

    /// `NdkCompleteConnectEx`.
    pub(crate) fn complete_connect_extended(self) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("complete connect, extended", Inside::Nothing, |context| {
            complete_connect!(self.NdkCompleteConnectEx, disconnected_with_reason, context)
        })
    }

    /// `NdkAccept`. If it succeeds, the QP is an antecedent of the connector.
    pub(crate) fn accept(
        self,
        qp: Handle<'l, NDK_QP>,
        limits: ReadLimits,
        private_data: &[u8],
        inside: Inside,
    ) -> Result<StartedCall<'l>, NTSTATUS> {
        let accepting = self.request("accept", inside, |context| {
            accept!(self.NdkAccept(qp, limits, private_data), disconnected, context)
        })?;
        self.object.depend_if(qp.object, accepting)?;
        Ok(accepting)
    }

    /// `NdkAcceptEx`. If it succeeds, the QP is an antecedent of the connector.
    pub(crate) fn accept_extended(
        self,
        qp: Handle<'l, NDK_QP>,
        limits: ReadLimits,
        private_data: &[u8],
    ) -> Result<StartedCall<'l>, NTSTATUS> {
        let accepting = self.request("accept, extended", Inside::Nothing, |context| {
            accept!(self.NdkAcceptEx(qp, limits, private_data), disconnected_with_reason, context)
        })?;
        self.object.depend_if(qp.object, accepting)?;
        Ok(accepting)
    }

    pub(crate) fn reject(self, private_data: &[u8]) -> NTSTATUS {
        kernel::at(self.call_log.level(), || call!(self.NdkReject(start(private_data), length(private_data))))
    }

    pub(crate) fn disconnect(self, inside: Inside) -> Result<StartedCall<'l>, NTSTATUS> {
        self.request("disconnect", inside, |context| {
            call!(self.NdkDisconnect(Some(call_log::request_completed), context))
        })
    }

    /// The peer's private data: the status, and the length that the provider put out.
    pub(crate) fn connection_data(self, buffer: &mut [u8], limits: &mut ReadLimits) -> (NTSTATUS, u32) {
        let mut used = length(buffer);
        let place = if buffer.is_empty() { core::ptr::null_mut() } else { buffer.as_mut_ptr() };
        let status = kernel::at(self.call_log.level(), || {
            call!(self.NdkGetConnectionData(
                &raw mut limits.inbound,
                &raw mut limits.outbound,
                place.cast(),
                &raw mut used
            ))
        });
        (status, used)
    }

    pub(crate) fn local_address(self) -> (NTSTATUS, Endpoint) {
        fetch_address(self.call_log.level(), |address, length| {
            call!(self.NdkGetLocalAddress(address, length))
        })
    }

    pub(crate) fn peer_address(self) -> (NTSTATUS, Endpoint) {
        fetch_address(self.call_log.level(), |address, length| call!(self.NdkGetPeerAddress(address, length)))
    }
}

fn fetch_address(
    level: Level,
    fetch: impl FnOnce(*mut SOCKADDR, *mut u32) -> NTSTATUS,
) -> (NTSTATUS, Endpoint) {
    #[repr(C, align(8))]
    struct Place([u8; 28]);
    let mut place = Place([0; 28]);
    let mut used = 28;
    let status = kernel::at(level, || fetch(place.0.as_mut_ptr().cast(), &raw mut used));
    (status, Endpoint { if_index: 0, address_length: used, address: place.0 })
}

impl<'l, T: super::Interface> Handle<'l, T> {
    /// Makes a request on this object.
    pub(super) fn request(
        self,
        step: &'static str,
        inside: Inside,
        function: impl FnOnce(*mut core::ffi::c_void) -> NTSTATUS,
    ) -> Result<StartedCall<'l>, NTSTATUS> {
        let call = Call::new(step, self.object);
        let call = if inside == Inside::Close { call.closes_inside(self.object) } else { call };
        self.call_log.start(call, function)
    }
}
