//! The state of an adapter.

#![forbid(unsafe_code)]

use core::sync::atomic::AtomicU32;
use std::collections::HashSet;

use ntsim_core::address::Va;
use parking_lot::Mutex;
use sys::ndk::NDK_ADAPTER;

use crate::checks::Checks;
use crate::kind::Kind;

/// Calls a provider's close handler.
pub(crate) type CloseHandler = Box<dyn FnOnce(*mut NDK_ADAPTER) + Send>;

/// Returns the layer's table for the objects of a kind, which the adapter and its descendants get.
pub(crate) type Tables = fn(Kind, Checks) -> *const ();

/// The state that the layer keeps of an adapter.
pub(crate) struct Adapter {
    /// Callbacks of every descendant that have not returned.
    pub(crate) callbacks: AtomicU32,
    /// Kinds of descendants whose extension query has been tried, one bit each.
    pub(crate) queried: AtomicU32,
    /// Logical address mappings that are not released, by address.
    pub(crate) mappings: Mutex<HashSet<Va>>,
    pub(crate) close: Mutex<Option<CloseHandler>>,
    pub(crate) tables: Tables,
}

impl Adapter {
    /// One whose objects get these tables.
    pub(crate) fn new(tables: Tables) -> Self {
        Self {
            callbacks: AtomicU32::new(0),
            queried: AtomicU32::new(0),
            mappings: Mutex::default(),
            close: Mutex::new(None),
            tables,
        }
    }
}
