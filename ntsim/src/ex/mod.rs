//! The executive: pool memory, rundown protection, lookaside lists, fault injection.

mod allocate;
pub(crate) mod fault;
pub mod pool;

use crate::export::Export;

pub use fault::{Faults, inject, injected};

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[allocate::EXPORTS];
