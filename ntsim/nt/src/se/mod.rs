//! The security reference monitor: the openers of files, and their access to objects.
//!
//! A [`Subject`] opens files ([`Opener`](crate::io::Opener)); a [`Descriptor`] says what it may do. The I/O
//! manager checks the device's descriptor and sends the create with an access state (`access`), by
//! which drivers ask `SeAccessCheck` about descriptors of their own, which they have made from it by
//! `SeAssignSecurity`.
//!
//! There are no privileges, no audits, no impersonation, no integrity levels, and no entries for parts of an
//! object.

pub(crate) mod access;
mod check;
mod descriptor;
mod exports;
pub(crate) mod memory;
mod sddl;
mod sid;
mod subject;
mod wire;

#[cfg(test)]
mod tests;

use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

pub(crate) use access::Access;
pub(crate) use check::{FILES, check, map};
pub use descriptor::Descriptor;
pub use sddl::SddlError;
pub use sid::Sid;
pub use subject::Subject;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[exports::EXPORTS];

/// The security reference monitor.
pub(crate) struct Se;

impl Subsystem for Se {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }
}
