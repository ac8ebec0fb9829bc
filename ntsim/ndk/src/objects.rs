//! Every open object, by its handle.

use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use parking_lot::RwLock;

use super::shadow::{Shadow, Stage};

/// The objects of a machine, in shards so that data paths on several processors don't meet.
#[derive(Default)]
pub(super) struct Objects {
    shards: [RwLock<HashMap<Va, Arc<Shadow>>>; 16],
}

impl Objects {
    fn shard(&self, handle: Va) -> &RwLock<HashMap<Va, Arc<Shadow>>> {
        &self.shards[(handle.get() >> 6) % 16]
    }

    /// The object with this handle, if there is one that is not closed.
    pub(super) fn find(&self, handle: Va) -> Option<Arc<Shadow>> {
        self.shard(handle).read().get(&handle).cloned()
    }

    /// Returns whether the handle is that of an object which the consumer has not closed.
    pub(super) fn is_open(&self, handle: Va) -> bool {
        self.find(handle).is_some_and(|shadow| shadow.stage() == Stage::Open)
    }

    /// Adds a new object. One that is closing may have had the handle: its memory is the provider's again
    /// before its completion is called.
    pub(super) fn insert(&self, shadow: &Arc<Shadow>) {
        self.shard(shadow.handle).write().insert(shadow.handle, Arc::clone(shadow));
    }

    /// Removes an object that is closed.
    pub(super) fn remove(&self, shadow: &Shadow) {
        let mut shard = self.shard(shadow.handle).write();
        if shard.get(&shadow.handle).is_some_and(|one| one.serial == shadow.serial) {
            shard.remove(&shadow.handle);
        }
    }

    /// Every object that is not closed, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Shadow>> {
        let mut all: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>()).collect();
        all.sort_by_key(|shadow| shadow.serial);
        all
    }
}
