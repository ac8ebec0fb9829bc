//! The NTSTATUS of a call that failed.

#![forbid(unsafe_code)]

use sys::status::{NTSTATUS, STATUS_DELETE_PENDING, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};

use crate::heap::NoMemory;
use crate::lifetime::AcquireError;

/// An NTSTATUS that is not a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusError(pub(crate) NTSTATUS);

impl StatusError {
    /// A pointer, length, address, depth or flag is not what the documentation admits.
    pub(crate) const PARAMETER: Self = Self(STATUS_INVALID_PARAMETER);
}

impl From<NoMemory> for StatusError {
    fn from(_: NoMemory) -> Self {
        Self(STATUS_INSUFFICIENT_RESOURCES)
    }
}

impl From<AcquireError> for StatusError {
    fn from(refused: AcquireError) -> Self {
        match refused {
            AcquireError::Closing => Self(STATUS_DELETE_PENDING),
            AcquireError::Full => Self(STATUS_INSUFFICIENT_RESOURCES),
        }
    }
}
