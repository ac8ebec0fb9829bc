//! One end of a connection: what its connector has brought along, and what is owed to it.

#![expect(unsafe_code, reason = "consumers are called back")]

use sys::ndk::{NDK_FN_DISCONNECT_EVENT_CALLBACK, NDK_FN_DISCONNECT_EVENT_CALLBACK_EX};
use sys::status::NTSTATUS;

use super::connector::Connector;
use super::private_data::PrivateData;
use super::shared_endpoint::SharedEndpoint;
use super::slot::Slot;
use crate::consumer::{Opaque, Request};
use crate::kernel::Kernel;
use crate::limits::ReadLimits;
use crate::object::ObjectRef;
use crate::queue_pair::Qp;

/// Disconnect event callback of the consumer.
#[derive(Clone, Copy)]
pub(crate) enum DisconnectEvent {
    Plain(NDK_FN_DISCONNECT_EVENT_CALLBACK, Opaque),
    WithReason(NDK_FN_DISCONNECT_EVENT_CALLBACK_EX, Opaque),
}

impl DisconnectEvent {
    /// Calls the consumer. Up to DISPATCH_LEVEL, no lock held, the connector held.
    pub(crate) fn call(self) {
        match self {
            // SAFETY: the consumer gave function and context with its accept or complete-connect.
            Self::Plain(function, context) => unsafe { function(context.0) },
            // SAFETY: as above. The provider has no reason codes of its own (CM-8), so it gives 0.
            Self::WithReason(function, context) => unsafe { function(context.0, 0) },
        }
    }
}

/// The antecedents that a connector has by a connect or an accept (OBJ-2): until it is closed, or connects again.
pub(crate) struct AntecedentRefs<K: Kernel> {
    pub(crate) shared: Option<ObjectRef<K, SharedEndpoint<K>>>,
    pub(crate) qp: Option<ObjectRef<K, Qp<K>>>,
}

impl<K: Kernel> AntecedentRefs<K> {
    /// None.
    pub(crate) const fn none() -> Self {
        Self { shared: None, qp: None }
    }
}

/// See the module's head.
pub(crate) struct End<K: Kernel> {
    /// The connector; released when no callback of it is due any more.
    pub(super) connector: Option<ObjectRef<K, Connector<K>>>,
    pub(super) ties: AntecedentRefs<K>,
    /// Connect or accept.
    pub(super) establish: Slot<K>,
    pub(super) disconnect: Slot<K>,
    pub(super) event: Option<DisconnectEvent>,
    /// The event is to be delivered.
    pub(super) event_owed: bool,
    /// The queue pair is to be flushed once transfers have drained.
    pub(super) flush: bool,
    /// The consumer called reject or disconnect, or closed the connector.
    pub(super) local_close: bool,
    pub(super) limits: Option<ReadLimits>,
    pub(super) data: PrivateData,
}

impl<K: Kernel> End<K> {
    /// The end of a side that has not called yet.
    pub(super) const fn new() -> Self {
        Self {
            connector: None,
            ties: AntecedentRefs::none(),
            establish: Slot::Empty,
            disconnect: Slot::Empty,
            event: None,
            event_owed: false,
            flush: false,
            local_close: false,
            limits: None,
            data: PrivateData::empty(),
        }
    }

    /// The next request whose completion is due: connect or accept before disconnect.
    pub(super) fn take_due(&mut self) -> Option<(Request<K, Connector<K>>, NTSTATUS)> {
        self.establish.take_due().or_else(|| self.disconnect.take_due())
    }

    /// The disconnect event, if it is owed; it is not after this.
    pub(super) fn take_event(&mut self) -> Option<DisconnectEvent> {
        if !core::mem::take(&mut self.event_owed) || self.local_close {
            return None;
        }
        self.event.take()
    }
}
