//! The state of a shared receive queue.

#![forbid(unsafe_code)]

use super::Effect;
use crate::serialization::Serialization;
use crate::work::Queue;

/// The state that the layer keeps of an SRQ.
pub(crate) struct Srq {
    pub(crate) queue: Queue<Effect>,
    pub(crate) serialization: Serialization,
}

impl Srq {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { queue: Queue::unordered(), serialization: Serialization::default() }
    }
}
