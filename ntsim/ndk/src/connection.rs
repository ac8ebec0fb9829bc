//! The objects that a connector depends on, and the effects of its events.

#![forbid(unsafe_code)]

use core::ptr;
use std::sync::Arc;

use sys::ndk::*;
use sys::status::NT_SUCCESS;
use sys::wdm::PVOID;

use crate::call::Call;
use crate::context::{Consumer, Context, Then};
use crate::endpoints::Address;
use crate::layer::layer;
use crate::object::{Connector, Dependencies, TrackedObject, TypeState};
use crate::rules::{self, found};
use crate::track::track;

/// Takes over the connector of a connect event, before the consumer gets it.
pub(crate) fn offered(listener: &Arc<TrackedObject>, connector: *mut NDK_CONNECTOR) {
    if let TypeState::Listener(state) = &listener.type_state
        && let Some(rule) = state.broken_by_event()
    {
        found(rule, format!("{listener} offers {connector:p}"));
    }
    let antecedents = vec![Arc::clone(listener.adapter()), Arc::clone(listener)];
    let prospect = layer().prospect(TypeState::Connector(Connector::default()), antecedents);
    let offered = track(connector, prospect, Some(listener.adapter()), listener.checks);
    if let Some(connector) = offered {
        layer().endpoints.inherited(&connector, listener);
    }
}

/// Checks a disconnect event that begins.
pub(crate) fn disconnected(connector: &TrackedObject) {
    if let TypeState::Connector(state) = &connector.type_state
        && state.tells_again()
    {
        found(rules::DISCONNECT_EVENT_TWICE, format!("{connector} tells again that the peer has gone"));
    }
}

/// Makes a connector depend on what it connects with, for as long as the request may still succeed or has.
pub(crate) fn depending(
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
pub(crate) fn taking(
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
pub(crate) fn register(call: &Call<NDK_CONNECTOR>, event: Option<Consumer>) -> (Option<Arc<Context>>, PVOID) {
    let event = event.map(|consumer| layer().contexts.make(call.name, None, consumer));
    if let Some(event) = &event {
        event.belongs_to(&call.tracked);
    }
    let pointer = event.as_ref().map_or_else(ptr::null_mut, |event| event.pointer());
    (event, pointer)
}

pub(crate) fn plain(callback: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>, context: PVOID) -> Option<Consumer> {
    callback.is_some().then(|| Consumer::DisconnectEvent { callback, context: context.into() })
}

pub(crate) fn extended(
    callback: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    context: PVOID,
) -> Option<Consumer> {
    callback.is_some().then(|| Consumer::DisconnectEventEx { callback, context: context.into() })
}
