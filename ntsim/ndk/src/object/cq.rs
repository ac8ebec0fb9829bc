//! The state of a completion queue.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Stage, TrackedObject};
use crate::arm_model::ArmModel;
use crate::serialization::Serialization;

/// The state that the layer keeps of a CQ.
#[derive(Default)]
pub(crate) struct Cq {
    pub(crate) arm: ArmModel,
    pub(crate) serialization: Serialization,
    /// The QPs and SRQs whose requests complete here, by serial number. A QP stays when it is closed,
    /// until the queue has been found empty: its results may still be in it.
    pub(crate) sources: Mutex<HashMap<u32, Arc<TrackedObject>>>,
    /// The least depth that the consumer has asked for.
    pub(crate) depth: AtomicU32,
    /// Results taken since the queue was last found empty.
    pub(crate) taken: AtomicU32,
}

impl Cq {
    /// A queue that was asked to be so deep.
    pub(crate) fn new(depth: u32) -> Self {
        Self { depth: AtomicU32::new(depth), ..Self::default() }
    }

    /// Returns whether the queue may have been full since it was last found empty, and have lost results: then
    /// it is the consumer who posted too much.
    pub(crate) fn may_have_overflown(&self) -> bool {
        self.taken.swap(0, Ordering::Relaxed) >= self.depth.load(Ordering::Relaxed)
    }

    /// Requests of `source` complete here.
    pub(crate) fn serves(&self, source: &Arc<TrackedObject>) {
        self.sources.lock().insert(source.serial, Arc::clone(source));
    }

    /// The queue is closed.
    pub(crate) fn closed(&self) {
        self.sources.lock().clear();
    }

    /// The QP or SRQ of a serial number.
    pub(crate) fn source(&self, serial: u32) -> Option<Arc<TrackedObject>> {
        self.sources.lock().get(&serial).cloned()
    }

    pub(crate) fn closed_sources(&self) -> Vec<Arc<TrackedObject>> {
        self.sources.lock().values().filter(|source| source.stage() == Stage::Closed).cloned().collect()
    }
}
