//! Requests that invalidate: once nothing new can use the memory, they wait for the transfers that do.

#![forbid(unsafe_code)]

use super::Qp;
use super::engine::Step;
use super::remote::Arrived;
use super::work::{Operation, WorkRequest};
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::memory::{
    AccessError, Generation, Invalidated, PendingRegistration, RegionOrWindow, RegistrationError, Token,
};
use crate::object::Object;

/// An invalidation that waits for the transfers which use the memory, and the rest of its request.
pub(super) struct PendingInvalidate<K: Kernel> {
    pub(super) memory: RegionOrWindow<K>,
    /// Of a send: its message.
    pub(super) arrived: Option<Arrived<K>>,
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// Goes on with a request when no transfer uses the memory any more that it invalidated.
    pub(super) fn resume(
        work: &WorkRequest<K>,
        posted: &mut Option<PendingRegistration<K>>,
        ended: PendingInvalidate<K>,
    ) -> Result<Step, Step> {
        if let Some(arrived) = ended.arrived {
            arrived.complete();
        }
        match &work.operation {
            Operation::Bind => Self::apply(posted),
            Operation::Send
            | Operation::SendAndInvalidate { .. }
            | Operation::Write { .. }
            | Operation::Read { .. }
            | Operation::ReadAndInvalidate { .. }
            | Operation::FastRegister
            | Operation::Invalidate(_) => Ok(Step::Done),
        }
    }

    pub(super) fn apply(posted: &mut Option<PendingRegistration<K>>) -> Result<Step, Step> {
        posted.as_mut().ok_or(RegistrationError::State)?.apply()?;
        Ok(Step::Done)
    }

    /// Invalidates what `owner` has, or this registration of it. [`Invalidated::Later`] leaves what
    /// remains to be done in `pending_invalidate`.
    pub(super) fn invalidate(
        &self,
        owner: RegionOrWindow<K>,
        which: Option<Generation>,
        arrived: Option<Arrived<K>>,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Invalidated, Step> {
        let outcome = owner.invalidate(which, self.try_acquire(Kind::Request)?);
        if outcome == Invalidated::Later {
            *pending_invalidate = Some(PendingInvalidate { memory: owner, arrived });
        }
        Ok(outcome)
    }

    pub(super) fn invalidated(outcome: Invalidated) -> Result<Step, Step> {
        match outcome {
            Invalidated::Now => Ok(Step::Done),
            Invalidated::Later => Ok(Step::AwaitingDrain),
            Invalidated::NotValid => Err(AccessError::Token.into()),
        }
    }

    /// The end of a read with local invalidate.
    pub(super) fn invalidate_sink(
        &self,
        token: Token,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        let (owner, which) = self.pd.adapter().table().invalidatable(token, self.domain(), false)?;
        Self::invalidated(self.invalidate(owner, Some(which), None, pending_invalidate)?)
    }
}
