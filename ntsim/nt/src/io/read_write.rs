//! Reads and writes of user mode: buffered, direct or neither, as the flags of the top device say
//! (<https://learn.microsoft.com/windows-hardware/drivers/kernel/methods-for-accessing-data-buffers>).

use core::ptr;
use std::sync::Arc;

use ntsim_core::number::narrow;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{
    DO_BUFFERED_IO, DO_DIRECT_IO, IO_STACK_LOCATION, IO_STACK_TRANSFER, IRP, IRP_MJ_READ, IRP_MJ_WRITE,
};

use super::StatusError;
use super::control::range;
use super::device::related;
use super::direct::Direct;
use super::file::{File, as_thread, start};
use super::file_lock::FileLock;
use super::request::{Buffers, Outcome, Output, Request, Transfer};
use crate::mm::{Block, Range};

/// A read or a write.
#[derive(Clone, Copy)]
struct Access {
    major: u8,
    offset: i64,
    data: Range,
}

impl File {
    /// Reads from the file at an offset and waits for the outcome.
    pub fn read(&self, offset: i64, data: &mut [u8]) -> Outcome {
        self.access(Access { major: IRP_MJ_READ, offset, data: range(data) })
    }

    /// Writes to the file at an offset and waits for the outcome.
    pub fn write(&self, offset: i64, data: &[u8]) -> Outcome {
        self.access(Access { major: IRP_MJ_WRITE, offset, data: range(data) })
    }

    /// Begins to read, into a buffer that the request owns and hands back as its output.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES, if there is no memory for it.
    pub fn start_read(&self, offset: i64, data: Vec<u8>) -> Result<Request, StatusError> {
        let access = Access { major: IRP_MJ_READ, offset, data: range(&data) };
        self.start_access(access, (Vec::new(), data))
    }

    /// Begins to write a buffer that the request owns and hands back as its input.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES, if there is no memory for it.
    pub fn start_write(&self, offset: i64, data: Vec<u8>) -> Result<Request, StatusError> {
        let access = Access { major: IRP_MJ_WRITE, offset, data: range(&data) };
        self.start_access(access, (data, Vec::new()))
    }

    fn access(&self, access: Access) -> Outcome {
        as_thread(|| {
            let lock = self.lock();
            let _turn = lock.as_deref().map(FileLock::acquire);
            // The buffer is borrowed until this returns, and it returns after the request is over.
            match self.send_access(access, None) {
                Err(status) => Outcome { status, information: 0 },
                Ok(transfer) => transfer.wait(None).expect("a wait without a limit ends with an outcome"),
            }
        })
    }

    fn start_access(&self, access: Access, owned: (Vec<u8>, Vec<u8>)) -> Result<Request, StatusError> {
        as_thread(|| {
            let lock = self.lock();
            let turn = lock.as_deref().map(FileLock::acquire);
            let transfer = self.send_access(access, Some(owned))?;
            if turn.is_some() {
                transfer.wait(None);
            }
            Ok(transfer)
        })
        .map(|transfer| Request::new(transfer, Arc::clone(&self.handle)))
        .map_err(StatusError)
    }

    fn send_access(
        &self,
        access: Access,
        owned: Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Arc<Transfer>, NTSTATUS> {
        // SAFETY: the handle keeps the file object.
        let device = unsafe { related(self.object()) };
        // SAFETY: the file holds a reference to its device, and so to those above.
        let flags = unsafe { (*device).Flags };
        let mut buffers = access.buffers(flags)?;
        buffers.owned = owned;
        let transfer = Transfer::new(self.object(), buffers);
        start(&transfer, self.object(), |irp, location| {
            transfer.with_buffers(|buffers| access.fill(irp, location, buffers));
        })?;
        Ok(transfer)
    }
}

impl Access {
    fn is_read(self) -> bool {
        self.major == IRP_MJ_READ
    }

    /// Prepares the buffers as the device's flags say.
    fn buffers(self, flags: u32) -> Result<Buffers, NTSTATUS> {
        let mut buffers = Buffers::default();
        if self.data.length == 0 {
            return Ok(buffers);
        }
        if flags & DO_BUFFERED_IO != 0 {
            let system = Block::new(self.data.length).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
            if self.is_read() {
                let Range { start, length } = self.data;
                buffers.output = Output { start, length, copied: true };
            } else {
                let from = self.data.start.ptr::<u8>();
                // SAFETY: the user's data is there, and the new system buffer is at least as long.
                unsafe { ptr::copy_nonoverlapping(from, system.as_ptr(), self.data.length) };
            }
            buffers.system = Some(system);
        } else if flags & DO_DIRECT_IO != 0 {
            buffers.direct = Some(Direct::new(self.data, self.is_read())?);
        }
        Ok(buffers)
    }

    fn fill(self, irp: &mut IRP, location: &mut IO_STACK_LOCATION, buffers: &Buffers) {
        irp.AssociatedIrp.SystemBuffer = buffers.system.as_ref().map_or(ptr::null_mut(), Block::as_ptr);
        irp.MdlAddress = buffers.direct.as_ref().map_or(ptr::null_mut(), Direct::list);
        irp.UserBuffer = self.data.start.ptr::<_>();
        location.MajorFunction = self.major;
        location.Parameters.Read = IO_STACK_TRANSFER {
            Length: narrow(self.data.length),
            Padding0: 0,
            Key: 0,
            Flags: 0,
            ByteOffset: self.offset,
        };
    }
}
