//! The lists by which a chunk is handed to a provider, which is done with them when its request completes.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use protocol::Operation;
use sys::status::NTSTATUS;
use sys::wdm::MDL;

use super::Chunk;
use crate::call_log::CallLog;
use crate::kernel::{Look, PartialMdl};

/// A chunk as it is described to a provider. The operations take turns.
pub(super) enum Lists {
    /// By the request's own list, which must stay as it is.
    Own(*mut MDL, Look),
    /// By a partial list, which is freed.
    Part(PartialMdl),
    /// By a chain that is cut inside a page, whose lists describe other memory afterwards.
    Chain { head: PartialMdl, tail: PartialMdl, source: *mut MDL },
}

impl Lists {
    /// The lists of a chunk that is about to be registered or mapped.
    pub(super) fn of(chunk: &Chunk) -> Result<Self, NTSTATUS> {
        let (source, length) = (chunk.mdl, chunk.length);
        Ok(match chunk.operation {
            Operation::Send | Operation::Copy => {
                // SAFETY: a chunk's MDL is that of the request that is being served.
                Self::Own(source, unsafe { Look::at(source) })
            }
            // SAFETY: as above; it describes the whole chunk.
            Operation::Write => Self::Part(unsafe { PartialMdl::new(source, 0, length) }?),
            Operation::Read | Operation::SmbDirect if length > 1 => {
                let cut = (length / 3).saturating_add(1);
                // SAFETY: as above.
                let head = unsafe { PartialMdl::new(source, 0, cut) }?;
                // SAFETY: as above.
                let tail = unsafe { PartialMdl::new(source, cut, length.saturating_sub(cut)) }?;
                head.chain(&tail);
                Self::Chain { head, tail, source }
            }
            Operation::Read | Operation::SmbDirect => {
                // SAFETY: as above.
                let part = unsafe { PartialMdl::new(source, 0, length) }?;
                Self::Part(part)
            }
        })
    }

    /// The first.
    pub(super) const fn head(&self) -> *mut MDL {
        match self {
            Self::Own(mdl, _) => *mdl,
            Self::Part(part) | Self::Chain { head: part, .. } => part.as_ptr(),
        }
    }

    /// The provider has completed its request: the lists are the consumer's again.
    pub(super) fn let_go(self, call_log: &CallLog) {
        match self {
            Self::Own(mdl, before) => {
                // SAFETY: a chunk's MDL is that of the request that is being served.
                let after = unsafe { Look::at(mdl) };
                call_log.require("the provider leaves an MDL as it was", before == after);
            }
            Self::Part(part) => drop(part),
            Self::Chain { head, tail, source } => {
                // SAFETY: the source has a byte, and the lists are not in use any more.
                unsafe { head.reuse(source, 0, 1) };
                // SAFETY: as above.
                unsafe { tail.reuse(source, 0, 1) };
            }
        }
    }
}
