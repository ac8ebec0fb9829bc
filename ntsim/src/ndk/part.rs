//! What the layer keeps about an object beyond what all objects have.

use std::sync::Arc;

use super::adapter::Adapter;
use super::shadow::Shadow;

/// The part of a shadow that depends on its kind.
pub(super) enum Part {
    /// An adapter's.
    Adapter(Adapter),
    /// Nothing more.
    Plain,
}

impl Part {
    /// The consumer closes the object.
    pub(super) fn closing(&self) {}

    /// The object's close is over but for the completion.
    pub(super) fn closed(&self, _shadow: &Arc<Shadow>) {}
}
