//! The batches of a connection: made when its consumer connects or answers, and never more.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use super::Batch;
use crate::heap::Within as _;
use crate::kernel::network::Batch as _;
use crate::kernel::{Kernel, Lock, Network};

/// The room of a batch, in bytes.
pub(crate) const BATCH: usize = 64 << 10;

/// The batches of a connection.
pub(crate) const BATCHES: usize = 4;

/// The batches that are not in flight.
pub(super) struct Batches<K: Kernel> {
    idle: Lock<K, Vec<Batch<K>>>,
}

impl<K: Kernel> Batches<K> {
    /// None.
    pub(super) fn new() -> Self {
        Self { idle: Lock::<K, _>::new(Vec::new()) }
    }

    /// Makes `number` batches of `room` bytes each. Once.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES; there are none.
    pub(super) fn fill(&self, network: &K::Network, number: usize, room: usize) -> Result<(), NTSTATUS> {
        let mut made = Vec::new();
        made.try_reserve_exact(number).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        for _ in 0..number {
            made.push_within(network.batch(room)?).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        }
        let before = core::mem::replace(&mut *self.idle.lock(), made);
        drop(before);
        Ok(())
    }

    /// One of them, of no bytes.
    pub(super) fn take(&self) -> Option<Batch<K>> {
        let mut batch = self.idle.lock().pop()?;
        batch.set_length(0);
        batch.set_tag(0);
        Some(batch)
    }

    /// Puts one back.
    pub(super) fn put(&self, batch: Batch<K>) {
        let refused = self.idle.lock().push_within(batch);
        debug_assert!(refused.is_ok(), "no more batches come back than there are");
    }
}
