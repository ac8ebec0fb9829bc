//! The NTSTATUS of a call that failed.

use sys::status::{NTSTATUS, STATUS_DELETE_PENDING, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};

use crate::heap::NoMemory;
use crate::lifetime::Refused;

/// An NTSTATUS that is not a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) NTSTATUS);

impl Failure {
    /// A pointer, length, address, depth or flag is not what the documentation admits.
    pub(crate) const PARAMETER: Self = Self(STATUS_INVALID_PARAMETER);
}

impl From<NoMemory> for Failure {
    fn from(_: NoMemory) -> Self {
        Self(STATUS_INSUFFICIENT_RESOURCES)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closing => Self(STATUS_DELETE_PENDING),
            Refused::Full => Self(STATUS_INSUFFICIENT_RESOURCES),
        }
    }
}
