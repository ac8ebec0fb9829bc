//! The objects that a connector depends on, and the effects of its events.

use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use sys::ndk::*;
use sys::status::NT_SUCCESS;
use sys::wdm::PVOID;

use super::address::Address;
use super::call::Call;
use super::callback::{Consumer, Then};
use super::context::Context;
use super::dependencies::Dependencies;
use super::tracked::{Prospect, TrackedObject};
use super::type_state::TypeState;
use super::{found, layer, rules};

/// The state that the layer keeps of a connector.
#[derive(Default)]
pub(super) struct Connector {
    disconnected: AtomicBool,
}

impl Connector {
    /// Returns whether the peer's disconnect has been told before; it is being told now.
    fn tells_again(&self) -> bool {
        self.disconnected.swap(true, Ordering::Relaxed)
    }
}

/// Takes over the connector of a connect event, before the consumer gets it.
pub(super) fn offered(listener: &Arc<TrackedObject>, connector: *mut NDK_CONNECTOR) {
    if let TypeState::Listener(part) = &listener.type_state
        && let Some(rule) = part.broken_by_event()
    {
        found(rule, format!("{listener} offers {connector:p}"));
    }
    let antecedents = vec![Arc::clone(listener.adapter()), Arc::clone(listener)];
    let prospect = Prospect::new(TypeState::Connector(Connector::default()), antecedents);
    let offered = TrackedObject::adopt(connector, prospect, Some(listener.adapter()), listener.checks);
    if let Some(connector) = offered {
        layer().endpoints.inherited(&connector, listener);
    }
}

/// Checks a disconnect event that begins.
pub(super) fn disconnected(connector: &TrackedObject) {
    if let TypeState::Connector(part) = &connector.type_state
        && part.tells_again()
    {
        found(rules::DISCONNECT_EVENT_TWICE, format!("{connector} tells again that the peer has gone"));
    }
}

/// Dependencies a connector to what it connects with, for as long as the request may still succeed or has.
pub(super) fn depending(
    connector: &Arc<TrackedObject>,
    antecedents: Vec<Arc<TrackedObject>>,
    event: Option<Arc<Context>>,
) -> Option<Then> {
    for antecedent in &antecedents {
        Dependencies::add(antecedent, connector);
    }
    let connector = Arc::clone(connector);
    Some(Box::new(move |status| {
        if !NT_SUCCESS(status) {
            for antecedent in &antecedents {
                Dependencies::remove(antecedent, &connector);
            }
            if let Some(event) = event {
                layer().contexts.end(&event, rules::CALLBACK_CONTEXT);
            }
        }
    }))
}

/// As `then`; and a connector that connects from a port of its own choice holds it.
pub(super) fn taking(
    connector: &Arc<TrackedObject>,
    address: Option<Address>,
    then: Option<Then>,
) -> Option<Then> {
    let connector = Arc::clone(connector);
    Some(Box::new(move |status| {
        if let (true, Some(address)) = (NT_SUCCESS(status), address) {
            layer().endpoints.taken(&connector, address);
        }
        if let Some(then) = then {
            then(status);
        }
    }))
}

/// Registers a disconnect event for the connector.
pub(super) fn register(call: &Call<NDK_CONNECTOR>, event: Option<Consumer>) -> (Option<Arc<Context>>, PVOID) {
    let event = event.map(|consumer| layer().contexts.make(call.name, None, consumer));
    if let Some(event) = &event {
        event.belongs_to(&call.tracked);
    }
    let pointer = event.as_ref().map_or_else(ptr::null_mut, |event| event.pointer());
    (event, pointer)
}

pub(super) fn plain(callback: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>, context: PVOID) -> Option<Consumer> {
    callback.is_some().then(|| Consumer::DisconnectEvent { callback, context: context.into() })
}

pub(super) fn extended(
    callback: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    context: PVOID,
) -> Option<Consumer> {
    callback.is_some().then(|| Consumer::DisconnectEventEx { callback, context: context.into() })
}
