//! The state that the layer keeps of an object beyond the part that all objects have.

use std::sync::Arc;

use super::adapter::Adapter;
use super::connection::Connector;
use super::cq::Cq;
use super::listener::Listener;
use super::memory::{self, Memory};
use super::qp::Qp;
use super::srq::Srq;
use super::tracked::TrackedObject;
use super::{address, cq};

/// The state of an object that depends on its kind.
pub(super) enum TypeState {
    /// An adapter's.
    Adapter(Adapter),
    /// A CQ's.
    Cq(Cq),
    /// A QP's.
    Qp(Qp),
    /// An SRQ's.
    Srq(Srq),
    /// A region's or window's.
    Memory(Memory),
    /// A listener's.
    Listener(Listener),
    /// A connector's.
    Connector(Connector),
    /// Nothing more.
    Plain,
}

impl TypeState {
    /// The object has been handed out.
    pub(super) fn adopted(tracked: &Arc<TrackedObject>) {
        if let Self::Qp(qp) = &tracked.type_state {
            qp.enter_queues(tracked);
        }
    }

    /// The consumer closes the object.
    pub(super) fn closing(tracked: &TrackedObject) {
        if let Self::Cq(cq) = &tracked.type_state {
            cq::check_overdue(tracked, cq);
        }
    }

    /// The object's close is over but for the completion.
    pub(super) fn closed(tracked: &TrackedObject) {
        match &tracked.type_state {
            Self::Cq(cq) => cq.closed(),
            Self::Memory(_) => memory::closed(tracked),
            Self::Listener(_) | Self::Connector(_) | Self::Plain => address::released(tracked),
            Self::Adapter(_) | Self::Qp(_) | Self::Srq(_) => {}
        }
    }
}
