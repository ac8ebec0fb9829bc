//! One end of a connection: what its connector has brought along, and what is owed to it.

#![expect(unsafe_code, reason = "consumers are called back")]

use sys::ndk::{NDK_FN_DISCONNECT_EVENT_CALLBACK, NDK_FN_DISCONNECT_EVENT_CALLBACK_EX};
use sys::status::NTSTATUS;

use super::connector::Connector;
use super::private_data::PrivateData;
use super::shared_endpoint::SharedEndpoint;
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

/// See the module's head. What an end has in one phase only stands in the [phase](super::state).
pub(crate) struct End<K: Kernel> {
    /// The connector; released when no callback of it is due any more.
    pub(super) connector: Option<ObjectRef<K, Connector<K>>>,
    pub(super) ties: AntecedentRefs<K>,
    /// Of its connect or accept.
    pub(super) limits: Option<ReadLimits>,
    /// Of its connect, accept or reject.
    pub(super) data: PrivateData,
    pub(super) event: Event,
    /// The consumer called reject or disconnect, or closed the connector.
    pub(super) local_close: bool,
    pub(super) due: Due<K>,
}

impl<K: Kernel> End<K> {
    /// The end of a side that has not called yet.
    pub(super) const fn new() -> Self {
        Self {
            connector: None,
            ties: AntecedentRefs::none(),
            limits: None,
            data: PrivateData::empty(),
            event: Event::Never,
            local_close: false,
            due: Due::new(),
        }
    }

    /// The disconnect event, if it is due; it is not after this.
    pub(super) fn take_event(&mut self) -> Option<DisconnectEvent> {
        self.event.take_due().filter(|_| !self.local_close)
    }
}

/// The disconnect event of an end, in the order of its states.
pub(super) enum Event {
    /// The consumer has not given a callback, or it was called.
    Never,
    /// It is to be called if the connection ends.
    Armed(DisconnectEvent),
    /// The connection has ended, and not by this end's consumer: the connector's DPC calls it.
    Due(DisconnectEvent),
}

impl Event {
    /// The event of a consumer that gave this callback.
    pub(super) fn armed(event: Option<DisconnectEvent>) -> Self {
        event.map_or(Self::Never, Self::Armed)
    }

    /// The connection has ended, and not by this end's consumer.
    pub(super) fn end(&mut self) {
        if let Self::Armed(event) = *self {
            *self = Self::Due(event);
        }
    }

    fn take_due(&mut self) -> Option<DisconnectEvent> {
        let Self::Due(event) = *self else { return None };
        *self = Self::Never;
        Some(event)
    }
}

/// The completions that the connector's DPC is to call.
pub(super) struct Due<K: Kernel> {
    /// That of the connect or accept.
    establish: Option<Outcome<K>>,
    /// That of the disconnect.
    disconnect: Option<Outcome<K>>,
}

/// A request whose completion is due, and its status.
pub(super) type Outcome<K> = (Request<K, Connector<K>>, NTSTATUS);

impl<K: Kernel> Due<K> {
    /// None.
    const fn new() -> Self {
        Self { establish: None, disconnect: None }
    }

    /// The connect or accept, which was pending, has its outcome.
    pub(super) fn establish(&mut self, request: Request<K, Connector<K>>, status: NTSTATUS) {
        self.establish = Some((request, status));
    }

    /// The disconnect, which was pending, has its outcome.
    pub(super) fn disconnect(&mut self, request: Request<K, Connector<K>>, status: NTSTATUS) {
        self.disconnect = Some((request, status));
    }

    /// Returns true until the completion of the connect or accept is being called.
    pub(super) const fn is_establish_due(&self) -> bool {
        self.establish.is_some()
    }

    /// Returns true until the completion of the disconnect is being called.
    pub(super) const fn is_disconnect_due(&self) -> bool {
        self.disconnect.is_some()
    }

    /// The next request whose completion is due: connect or accept before disconnect, for which the flag is set. The
    /// caller calls it.
    pub(super) fn take_due(&mut self) -> Option<(Outcome<K>, bool)> {
        let establish = self.establish.take().map(|outcome| (outcome, false));
        establish.or_else(|| self.disconnect.take().map(|outcome| (outcome, true)))
    }
}
