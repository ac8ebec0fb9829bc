//! The actions that a transition of the [state](super) asks for, which are done without its lock.

#![forbid(unsafe_code)]

use super::phase::Released;
use crate::connection::call::Side;
use crate::connection::connector::Connector;
use crate::connection::end::AntecedentRefs;
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::object::ObjectRef;
use crate::queue_pair::Qp;

/// Actions that a state transition asks for, and references that it took out, to be dropped without the lock.
pub(in crate::connection) struct Transition<K: Kernel> {
    /// Sides whose connector has something to deliver.
    pub(in crate::connection) wake_active: bool,
    pub(in crate::connection) wake_passive: bool,
    /// The transfers are to be closed.
    pub(in crate::connection) stop: bool,
    /// To be flushed for good.
    pub(in crate::connection) flush: Option<ObjectRef<K, Qp<K>>>,
    pub(in crate::connection) released: Released<K>,
    /// The attempt has come to nothing, which its consumers learn when the references are dropped.
    pub(in crate::connection) failed: bool,
}

/// References that [`State::withdraw`](super::State::withdraw) took out, and the request, which is answered inline.
pub(in crate::connection) struct Withdrawn<K: Kernel> {
    pub(in crate::connection) request: Option<Request<K, Connector<K>>>,
    pub(in crate::connection) connectors: [Option<ObjectRef<K, Connector<K>>>; 2],
    pub(in crate::connection) ties: AntecedentRefs<K>,
}

impl<K: Kernel> Default for Transition<K> {
    fn default() -> Self {
        Self {
            wake_active: false,
            wake_passive: false,
            stop: false,
            flush: None,
            released: Released::NONE,
            failed: false,
        }
    }
}

impl<K: Kernel> Transition<K> {
    /// The connector of `side` has something to deliver.
    pub(super) fn wake(&mut self, side: Side) {
        match side {
            Side::Active => self.wake_active = true,
            Side::Passive => self.wake_passive = true,
        }
    }
}
