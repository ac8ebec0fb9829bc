//! Device controls: from user mode through [`File`], and from drivers.

use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::number::narrow;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{
    IO_STACK_DEVICE_CONTROL, IO_STACK_LOCATION, IRP, IRP_MJ_DEVICE_CONTROL, METHOD_BUFFERED,
    METHOD_FROM_CTL_CODE, METHOD_NEITHER, METHOD_OUT_DIRECT,
};

use super::direct::Direct;
use super::file::{File, as_thread, start};
use super::file_lock::FileLock;
use super::request::{Buffers, Outcome, Output, Request, Transfer};
use crate::mm::{Block, Range};

/// A device control: its code and the user's two buffers.
#[derive(Clone, Copy)]
pub(super) struct Control {
    pub(super) major: u8,
    pub(super) code: u32,
    pub(super) input: Range,
    pub(super) output: Range,
}

impl File {
    /// Sends a device control and waits for its outcome. How the buffers reach the driver follows from
    /// the method in `code`, as `DeviceIoControl` has it.
    pub fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> Outcome {
        let major = IRP_MJ_DEVICE_CONTROL;
        let control = Control { major, code, input: range(input), output: range(output) };
        as_thread(|| {
            let lock = self.lock();
            let _turn = lock.as_deref().map(FileLock::acquire);
            // The buffers are borrowed until this returns, and it returns after the request is over.
            match self.send(control, None) {
                Err(status) => Outcome { status, information: 0 },
                Ok(transfer) => transfer.wait(None).expect("a wait without a limit ends with an outcome"),
            }
        })
    }

    /// Sends a device control and returns at once; the request owns its buffers until it is over. On a file for
    /// synchronous I/O, it is over when this returns.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES, if there is no memory for it.
    pub fn start_ioctl(
        &self,
        code: u32,
        input: Vec<u8>,
        output: Vec<u8>,
    ) -> Result<Request, super::StatusError> {
        let major = IRP_MJ_DEVICE_CONTROL;
        let control = Control { major, code, input: range(&input), output: range(&output) };
        as_thread(|| {
            let lock = self.lock();
            let turn = lock.as_deref().map(FileLock::acquire);
            let transfer = self.send(control, Some((input, output)))?;
            if turn.is_some() {
                transfer.wait(None);
            }
            Ok(transfer)
        })
        .map(|transfer| Request::new(transfer, Arc::clone(&self.handle)))
        .map_err(super::StatusError)
    }

    fn send(&self, control: Control, owned: Option<(Vec<u8>, Vec<u8>)>) -> Result<Arc<Transfer>, NTSTATUS> {
        let mut buffers = control.buffers()?;
        buffers.owned = owned;
        let transfer = Transfer::new(self.object(), buffers);
        start(&transfer, self.object(), |irp, location| {
            transfer.with_buffers(|buffers| control.fill(irp, location, buffers));
        })?;
        Ok(transfer)
    }
}

pub(super) fn range(bytes: &[u8]) -> Range {
    Range { start: Va::of(bytes.as_ptr()), length: bytes.len() }
}

impl Control {
    /// Fills in a packet and its first stack location.
    pub(super) fn fill(self, irp: &mut IRP, location: &mut IO_STACK_LOCATION, buffers: &Buffers) {
        let Self { major, code, input, output } = self;
        irp.AssociatedIrp.SystemBuffer = buffers.system.as_ref().map_or(ptr::null_mut(), Block::as_ptr);
        irp.MdlAddress = buffers.direct.as_ref().map_or(ptr::null_mut(), Direct::list);
        irp.UserBuffer = output.start.ptr::<_>();
        location.MajorFunction = major;
        location.Parameters.DeviceIoControl = IO_STACK_DEVICE_CONTROL {
            OutputBufferLength: narrow(output.length),
            Padding0: 0,
            InputBufferLength: narrow(input.length),
            Padding1: 0,
            IoControlCode: code,
            Padding2: 0,
            Type3InputBuffer: match METHOD_FROM_CTL_CODE(code) {
                METHOD_NEITHER => input.start.ptr::<_>(),
                _ => ptr::null_mut(),
            },
        };
    }

    /// Prepares the buffers as the method says.
    pub(super) fn buffers(self) -> Result<Buffers, NTSTATUS> {
        let Self { code, input, output, .. } = self;
        let method = METHOD_FROM_CTL_CODE(code);
        let system_length = match method {
            METHOD_NEITHER => 0,
            METHOD_BUFFERED => input.length.max(output.length),
            _ => input.length,
        };
        let mut buffers = Buffers::default();
        if system_length > 0 {
            let system = Block::new(system_length).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
            // SAFETY: the user's input is there, and the new system buffer is at least as long.
            unsafe { ptr::copy_nonoverlapping(input.start.ptr::<u8>(), system.as_ptr(), input.length) };
            buffers.system = Some(system);
        }
        let copied = method == METHOD_BUFFERED;
        buffers.output = Output { start: output.start, length: output.length, copied };
        if method != METHOD_BUFFERED && method != METHOD_NEITHER && output.length > 0 {
            let write = method == METHOD_OUT_DIRECT;
            buffers.direct = Some(Direct::new(output, write)?);
        }
        Ok(buffers)
    }
}
