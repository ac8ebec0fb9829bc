//! The state of a queue pair.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Effect, TrackedObject, TypeState};
use crate::request_id::Side;
use crate::serialization::Serialization;
use crate::work::Queue;

/// The state that the layer keeps of a QP.
pub(crate) struct Qp {
    /// The consumer's QP context.
    pub(crate) context: usize,
    pub(crate) receive_cq: Option<Arc<TrackedObject>>,
    pub(crate) initiator_cq: Option<Arc<TrackedObject>>,
    pub(crate) srq: Option<Arc<TrackedObject>>,
    pub(crate) queues: [Queue<Effect>; 2],
    pub(crate) serializations: [Serialization; 2],
}

impl Qp {
    pub(crate) fn queue(&self, side: Side) -> &Queue<Effect> {
        &self.queues[side as usize]
    }

    /// The serialization of the posts to one of the queues.
    pub(crate) fn serialization(&self, side: Side) -> &Serialization {
        &self.serializations[side as usize]
    }

    fn cq(&self, side: Side) -> Option<&Arc<TrackedObject>> {
        match side {
            Side::Initiator => self.initiator_cq.as_ref(),
            Side::Receive => self.receive_cq.as_ref(),
        }
    }

    /// Returns whether results of that queue belong in the CQ of that serial number.
    pub(crate) fn completes_in(&self, side: Side, cq: u32) -> bool {
        self.cq(side).is_some_and(|one| one.serial == cq)
    }

    /// Returns whether `source`'s receives are this QP's.
    pub(crate) fn receives_through(&self, source: &Arc<TrackedObject>, side: Side) -> bool {
        side == Side::Receive && self.srq.as_ref().is_some_and(|srq| Arc::ptr_eq(srq, source))
    }

    /// Returns the number of requests that still need a result in the CQ of that serial number.
    pub(crate) fn outstanding(&self, cq: u32) -> usize {
        let sides = [Side::Initiator, Side::Receive].into_iter().filter(|&side| self.completes_in(side, cq));
        sides.map(|side| self.queue(side).outstanding()).sum()
    }

    /// Makes the QP known to the CQs that its requests complete in.
    pub(crate) fn enter_queues(&self, tracked: &Arc<TrackedObject>) {
        for cq in [&self.receive_cq, &self.initiator_cq].into_iter().flatten() {
            let TypeState::Cq(state) = &cq.type_state else { continue };
            state.serves(tracked);
            if let Some(srq) = &self.srq {
                state.serves(srq);
            }
        }
    }
}
