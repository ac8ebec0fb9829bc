//! Threads that drivers start.

mod entry;
mod thread;

use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

pub use thread::PsCreateSystemThread;
pub use thread::running_in;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[thread::EXPORTS];

/// Processes and threads.
pub(crate) struct Ps;

impl Subsystem for Ps {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }
}
