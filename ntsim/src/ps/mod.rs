//! Threads that drivers start.

mod entry;
mod thread;

use crate::export::Export;

#[cfg(test)]
pub(crate) use thread::PsCreateSystemThread;
pub(crate) use thread::running_in;

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[thread::EXPORTS];
