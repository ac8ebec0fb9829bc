//! The place of one request of a connector on a connection: filled once, answered once.

#![forbid(unsafe_code)]

use sys::status::NTSTATUS;

use super::connector::Connector;
use crate::consumer::Request;
use crate::kernel::Kernel;

/// The request of one kind that a side of a connection may have: its connect or accept, or its disconnect. A
/// connection has each at most once, so none can take the place of another (RQ-2).
pub(crate) enum Slot<K: Kernel> {
    /// Not called yet.
    Empty,
    /// The call answered STATUS_PENDING; the outcome is not known.
    Pending(Request<K, Connector<K>>),
    /// The outcome is known; the connector's DPC completes the request.
    Due(Request<K, Connector<K>>, NTSTATUS),
    /// The completion is being called, or has returned.
    Told,
}

/// The place is, or was, another request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<K: Kernel> Slot<K> {
    /// Takes a request.
    ///
    /// # Errors
    ///
    /// [`Full`]: there is, or was, another one; this one stays where it is.
    pub(super) fn put(&mut self, request: &mut Option<Request<K, Connector<K>>>) -> Result<(), Full> {
        match self {
            Self::Empty => {
                *self = request.take().map_or(Self::Empty, Self::Pending);
                Ok(())
            }
            Self::Pending(_) | Self::Due(..) | Self::Told => Err(Full),
        }
    }

    /// The request, if it is pending, ends with `status`.
    pub(super) fn finish(&mut self, status: NTSTATUS) {
        *self = match core::mem::replace(self, Self::Told) {
            Self::Pending(request) => Self::Due(request, status),
            other => other,
        };
    }

    /// The request whose completion is due; the caller calls it.
    pub(super) fn take_due(&mut self) -> Option<(Request<K, Connector<K>>, NTSTATUS)> {
        match core::mem::replace(self, Self::Told) {
            Self::Due(request, status) => Some((request, status)),
            other => {
                *self = other;
                None
            }
        }
    }

    /// The pending request, which is answered inline in place of by its completion.
    pub(super) fn withdraw(&mut self) -> Option<Request<K, Connector<K>>> {
        match core::mem::replace(self, Self::Empty) {
            Self::Pending(request) => Some(request),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Returns true if a request was accepted, and its outcome not reported to the consumer yet.
    pub(super) const fn owes(&self) -> bool {
        matches!(self, Self::Pending(_) | Self::Due(..))
    }
}
