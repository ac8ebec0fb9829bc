//! Requests that invalidate: once nothing new can use the memory, they wait for the transfers that do.

#![forbid(unsafe_code)]

use super::engine::{Step, apply};
use crate::adapter::{PendingRegistration, RegionOrWindow};
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::memory::{AccessError, Generation, Invalidated, Token};
use crate::object::{Object, Resumption};
use crate::queue_pair::Qp;
use crate::queue_pair::remote::Arrived;
use crate::queue_pair::work::{Operation, WorkRequest};

/// An invalidation that waits for the transfers which use the memory, and the rest of its request.
pub(in crate::queue_pair) struct PendingInvalidate<K: Kernel> {
    pub(super) memory: RegionOrWindow<K>,
    /// Of a send: its message.
    pub(super) arrived: Option<Arrived<K>>,
}

impl<K: Kernel> PendingInvalidate<K> {
    /// Goes on with a request when no transfer uses the memory any more that it invalidated.
    pub(super) fn resume(
        self,
        work: &WorkRequest<K>,
        posted: &mut Option<PendingRegistration<K>>,
    ) -> Result<Step, Step> {
        if let Some(arrived) = self.arrived {
            arrived.complete();
        }
        match &work.operation {
            Operation::Bind => apply(posted),
            Operation::Send
            | Operation::SendAndInvalidate { .. }
            | Operation::Write { .. }
            | Operation::Read { .. }
            | Operation::ReadAndInvalidate { .. }
            | Operation::FastRegister
            | Operation::Invalidate(_) => Ok(Step::Done),
        }
    }

    /// Invalidates the registration of `owner`, or the one asked for, by a request of `qp`.
    /// [`Invalidated::Later`] leaves the rest of the request in `pending_invalidate`.
    pub(in crate::queue_pair) fn begin(
        qp: &Object<K, Qp<K>>,
        owner: RegionOrWindow<K>,
        which: Option<Generation>,
        arrived: Option<Arrived<K>>,
        pending_invalidate: &mut Option<Self>,
    ) -> Result<Invalidated, Step> {
        let outcome = owner.invalidate(which, Resumption::of(qp.try_acquire(Kind::Request)?));
        if outcome == Invalidated::Later {
            *pending_invalidate = Some(Self { memory: owner, arrived });
        }
        Ok(outcome)
    }

    /// The step of a request that does no more than invalidate.
    pub(super) fn step(outcome: Invalidated) -> Result<Step, Step> {
        match outcome {
            Invalidated::Now => Ok(Step::Done),
            Invalidated::Later => Ok(Step::AwaitingDrain),
            Invalidated::NotValid => Err(AccessError::Token.into()),
        }
    }

    /// The end of a read with local invalidate.
    pub(super) fn sink(
        qp: &Object<K, Qp<K>>,
        token: Token,
        pending_invalidate: &mut Option<Self>,
    ) -> Result<Step, Step> {
        let (owner, which) = qp.pd.adapter().table().invalidatable(token, qp.domain(), false)?;
        Self::step(Self::begin(qp, owner, Some(which), None, pending_invalidate)?)
    }
}
