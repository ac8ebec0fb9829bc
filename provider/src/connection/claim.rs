//! A queue pair that a connection attempt has taken.

#![forbid(unsafe_code)]

use core::ops::Deref;

use sys::status::{STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_ACTIVE};

use super::connector::ConnectError;
use crate::kernel::Kernel;
use crate::lifetime::{AcquireError, Kind};
use crate::object::{Object, ObjectRef};
use crate::queue_pair::Qp;

/// A queue pair that is taken for one connection: no other attempt gets it (CM-3). Dropping the claim gives it
/// back, unless the connection was established. May be dropped up to DISPATCH_LEVEL, with no lock held.
pub(crate) struct Claim<K: Kernel> {
    qp: ObjectRef<K, Qp<K>>,
    for_good: bool,
}

impl<K: Kernel> Claim<K> {
    /// Takes the queue pair.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ACTIVE if another connection has it; STATUS_DELETE_PENDING if it is being closed;
    /// STATUS_CONNECTION_ABORTED if its CQ has overflown (CQ-6).
    pub(super) fn take(qp: &Object<K, Qp<K>>) -> Result<Self, ConnectError> {
        let qp = qp.try_acquire(Kind::Request)?;
        if !qp.claim() {
            return Err(ConnectError(STATUS_CONNECTION_ACTIVE));
        }
        let claim = Self { qp, for_good: false };
        if claim.is_dead() { Err(ConnectError(STATUS_CONNECTION_ABORTED)) } else { Ok(claim) }
    }

    /// A hold on the QP of its own.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Full`] only.
    pub(super) fn hold(&self) -> Result<ObjectRef<K, Qp<K>>, AcquireError> {
        self.qp.acquire(Kind::Request)
    }

    /// The connection is established: the queue pair connects no more.
    pub(super) fn keep_for_good(&mut self) {
        self.for_good = true;
    }
}

impl<K: Kernel> Deref for Claim<K> {
    type Target = Object<K, Qp<K>>;

    fn deref(&self) -> &Object<K, Qp<K>> {
        &self.qp
    }
}

impl<K: Kernel> Drop for Claim<K> {
    fn drop(&mut self) {
        if !self.for_good {
            self.qp.unclaim();
        }
    }
}
