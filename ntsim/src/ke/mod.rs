//! The kernel core: levels, locks, DPCs, dispatcher objects.

mod irql;

use crate::export::Export;

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[irql::EXPORTS];
