//! Every open object, by its handle.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use parking_lot::RwLock;

use crate::object::{Stage, TrackedObject};

/// The objects of a machine, in shards so that data paths on several processors don't meet.
#[derive(Default)]
pub(crate) struct Objects {
    shards: [RwLock<HashMap<Va, Arc<TrackedObject>>>; 16],
}

impl Objects {
    fn shard(&self, handle: Va) -> &RwLock<HashMap<Va, Arc<TrackedObject>>> {
        &self.shards[(handle.get() >> 6) % 16]
    }

    /// The object with this handle, if there is one that is not closed.
    pub(crate) fn find(&self, handle: Va) -> Option<Arc<TrackedObject>> {
        self.shard(handle).read().get(&handle).cloned()
    }

    /// Returns whether the handle is that of an object which the consumer has not closed.
    pub(crate) fn is_open(&self, handle: Va) -> bool {
        self.find(handle).is_some_and(|tracked| tracked.stage() == Stage::Open)
    }

    /// Adds a new object. One that is closing may have had the handle: its memory is the provider's again
    /// before its completion is called.
    pub(crate) fn insert(&self, tracked: &Arc<TrackedObject>) {
        self.shard(tracked.handle).write().insert(tracked.handle, Arc::clone(tracked));
    }

    /// Removes an object that is closed.
    pub(crate) fn remove(&self, tracked: &TrackedObject) {
        let mut shard = self.shard(tracked.handle).write();
        if shard.get(&tracked.handle).is_some_and(|one| one.serial == tracked.serial) {
            shard.remove(&tracked.handle);
        }
    }

    /// Every object that is not closed, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<TrackedObject>> {
        let mut all: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>()).collect();
        all.sort_by_key(|tracked| tracked.serial);
        all
    }
}
