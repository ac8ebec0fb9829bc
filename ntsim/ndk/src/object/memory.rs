//! The state of memory regions and memory windows.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Stage, TrackedObject};

/// The state that the layer keeps of a region or window.
#[derive(Default)]
pub(crate) struct Memory {
    /// Set if its tokens mean anything.
    pub(crate) usable: AtomicBool,
    pub(crate) tokens: Mutex<Vec<u32>>,
    /// Counts what makes it valid again: posts of fast registrations and binds.
    pub(crate) generation: AtomicU32,
    /// The region that a window is bound to.
    pub(crate) bound_to: Mutex<Option<Arc<TrackedObject>>>,
}

/// The effect that the success of a work request has on memory.
pub(crate) enum Effect {
    /// A window is bound to a region.
    Bound { region: Arc<TrackedObject>, window: Arc<TrackedObject>, generation: u32 },
    /// A region or window is invalidated, unless it was made valid again later.
    Invalidated { memory: Arc<TrackedObject>, generation: u32 },
}

impl TrackedObject {
    /// Returns whether a region's or window's tokens are its own: it is open, and not being deregistered.
    pub(crate) fn is_usable(&self) -> bool {
        self.stage() == Stage::Open
            && self.memory().is_some_and(|memory| memory.usable.load(Ordering::Relaxed))
    }
}
