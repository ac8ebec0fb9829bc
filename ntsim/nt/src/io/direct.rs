//! Direct I/O: a buffer that a request brings by a list of its locked pages.
//!
//! The pages are of a process that the simulator stands for. The caller's bytes are put there before the request
//! is sent, and what a driver wrote is taken from there once the request has come back; in between, the driver and
//! its peers have nothing but the pages.

use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::verifier::{self, Finding};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{IRP, MDL};

use super::fingerprint::Fingerprint;
use super::irp::violation;
use crate::mm::{self, Block, Buffer, Range};

/// The locked buffer of one request.
pub(super) struct Direct {
    list: Block,
    buffer: Buffer,
    /// The address of the caller's bytes.
    caller: Va,
    /// The fingerprint of the buffer's contents, if the driver may only read it.
    read_only: Option<Fingerprint>,
}

impl Direct {
    /// Puts the caller's bytes into pages, and locks these; `write` if the driver may write them.
    pub(super) fn new(caller: Range, write: bool) -> Result<Self, NTSTATUS> {
        let buffer = Buffer::new(caller.start.get(), caller.length).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: the caller's bytes are there, and the new buffer is as long.
        unsafe { ptr::copy_nonoverlapping(caller.start.ptr::<u8>(), buffer.as_ptr(), caller.length) };
        let range = buffer.range();
        let list = Block::new(range.list_size()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: the block has the size that the list needs.
        unsafe { mm::describe(list.as_ptr(), range) };
        // SAFETY: the list is new, and nothing else has it.
        unsafe { mm::lock_for_kernel(list.as_ptr(), write) };
        let read_only = (!write).then(|| Fingerprint::of(range));
        buffer.hide();
        Ok(Self { list, buffer, caller: caller.start, read_only })
    }

    /// The list.
    pub(super) fn list(&self) -> *mut MDL {
        self.list.as_ptr()
    }

    /// Takes the buffer back with a request that has come back.
    pub(super) fn finish(self, irp: &IRP) {
        let own = self.list();
        if irp.MdlAddress != own {
            let text =
                format!("the request came back with the list {:p} in place of {own:p}", irp.MdlAddress);
            violation("IrpMdlAddress", 0, irp, text);
        }
        self.take_back();
    }

    /// Unlocks the pages, and hands the caller what they hold.
    pub(super) fn take_back(mut self) {
        // SAFETY: the list is this one's own, which it locked.
        unsafe { mm::unlock_for_kernel(self.list()) };
        self.buffer.reveal();
        let Range { start, length } = self.buffer.range();
        match self.read_only.take() {
            Some(before) if before.has_changed() => verifier::report(
                Finding::new("ReadOnlyMdl").text("a driver wrote to a buffer that it was given to be read"),
            ),
            Some(_) => {}
            // SAFETY: the caller's buffer lives until the request is over, and is as long.
            None => unsafe { ptr::copy_nonoverlapping(start.ptr::<u8>(), self.caller.ptr::<u8>(), length) },
        }
    }
}
