//! The kernel core: levels, locks, DPCs, dispatcher objects.

mod irql;
mod live;

use crate::export::Export;

pub(crate) use live::objects as live_objects;

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[irql::EXPORTS];
