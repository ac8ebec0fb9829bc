//! The kernel core: levels, locks, DPCs, dispatcher objects.

mod irql;
mod live;
pub(crate) mod spin_lock;
mod spin_lock_exports;

use crate::export::Export;

pub(crate) use live::objects as live_objects;

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[irql::EXPORTS, spin_lock_exports::EXPORTS];
