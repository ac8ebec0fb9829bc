//! The batches of a connection: made with it, and never more.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::Batch;
use crate::heap::Within as _;
use crate::kernel::network::Batch as _;
use crate::kernel::{Kernel, Lock, Network};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

/// The room of a batch, in bytes.
pub(crate) const BATCH: usize = 64 << 10;

/// The batches of a connection.
pub(crate) const BATCHES: usize = 4;

/// The batches that are not in flight.
pub(crate) struct Batches<K: Kernel> {
    idle: Lock<K, Vec<Batch<K>>>,
}

impl<K: Kernel> Batches<K> {
    /// All of them, idle.
    ///
    /// # Errors
    ///
    /// Those of [`Network::batch`].
    pub(super) fn new(network: &K::Network) -> Result<Self, NTSTATUS> {
        let mut idle = Vec::new();
        idle.try_reserve_exact(BATCHES).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        for _ in 0..BATCHES {
            idle.push_within(network.batch(BATCH)?).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        }
        Ok(Self { idle: Lock::<K, _>::new(idle) })
    }

    /// One of them, of no bytes.
    pub(super) fn take(&self) -> Option<Batch<K>> {
        let mut batch = self.idle.lock().pop()?;
        batch.set_length(0);
        Some(batch)
    }

    /// Puts one back.
    pub(super) fn put(&self, batch: Batch<K>) {
        let refused = self.idle.lock().push_within(batch);
        debug_assert!(refused.is_ok(), "no more batches come back than there are");
    }
}
