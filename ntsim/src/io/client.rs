//! Internal device controls as a driver above sends them: with any minor function and parameters.

use core::ptr;

use sys::wdm::{IO_STACK_PARAMETERS, IRP_MJ_INTERNAL_DEVICE_CONTROL, KernelMode, MDL};

use super::Status;
use super::control::{locked, range};
use super::file::{File, as_thread, start};
use super::request::{Buffers, Request, Transfer};
use crate::mm::Block;
use crate::ob;

/// What a driver above sends.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The minor function.
    pub minor: u8,
    /// The bytes of the stack location's parameters.
    pub parameters: [u8; 32],
    /// The buffer that the request's list describes; none if it is empty.
    pub data: Vec<u8>,
}

/// A reference to a file object, as a request under way has one: it delays the close, not the cleanup.
struct Reference(usize);

impl Drop for Reference {
    fn drop(&mut self) {
        as_thread(|| ob::dereference(self.0 as *mut _));
    }
}

impl File {
    /// Sends an internal device control as a driver above would, and returns at once. What its parameters
    /// point to must live until it is over. The request keeps the file object, but no handle: dropping the
    /// file makes the driver clean up while the request is under way.
    ///
    /// # Errors
    /// The status with which the I/O manager has no memory for it.
    pub fn start_internal(&self, sending: Sending) -> Result<Request, Status> {
        let Sending { minor, parameters, data } = sending;
        let described = (!data.is_empty()).then(|| range(&data));
        let list = described.map(|data| locked(data, true)).transpose().map_err(Status)?;
        let address = list.as_ref().map_or(ptr::null_mut(), Block::as_ptr::<MDL>);
        let buffers = Buffers { list, owned: Some((Vec::new(), data)), ..Buffers::default() };
        let transfer = Transfer::new(self.object(), buffers);
        let sent = as_thread(|| {
            start(&transfer, self.object(), |irp, location| {
                irp.RequestorMode = KernelMode;
                irp.MdlAddress = address;
                location.MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
                location.MinorFunction = minor;
                // SAFETY: the parameters are so many bytes of any value.
                location.Parameters =
                    unsafe { core::mem::transmute::<[u8; 32], IO_STACK_PARAMETERS>(parameters) };
            })
        });
        sent.map_err(Status)?;
        ob::reference(self.object().cast());
        Ok(Request::new(transfer, Reference(self.handle.object)))
    }
}
