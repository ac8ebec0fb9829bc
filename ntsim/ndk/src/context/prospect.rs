//! The object that a create is going to make.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Context, Contexts};
use crate::endpoints::Address;
use crate::object::{TrackedObject, TypeState};
use crate::rules;

/// The object that a create is going to make.
pub(crate) struct Prospect {
    /// The serial number it will have.
    pub(crate) serial: u32,
    pub(crate) type_state: TypeState,
    /// The objects that it depends on from its creation.
    pub(crate) antecedents: Vec<Arc<TrackedObject>>,
    /// The local address that it holds from its creation.
    pub(crate) takes: Option<Address>,
    /// The event that the create registers.
    pub(crate) event: Option<Arc<Context>>,
}

impl Prospect {
    /// Nothing is made after all.
    pub(crate) fn abandon(self, contexts: &Contexts) {
        if let Some(event) = self.event {
            contexts.end(&event, rules::CALLBACK_CONTEXT);
        }
    }
}
