//! Internal device controls as a driver above sends them: with any minor function and parameters.

use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use sys::wdm::{
    FILE_OBJECT, IO_STACK_LOCATION, IO_STACK_PARAMETERS, IRP, IRP_MJ_INTERNAL_DEVICE_CONTROL, KernelMode, MDL,
};

use super::control::range;
use super::device::related;
use super::direct::Direct;
use super::file::{self, File, as_thread};
use super::request::{Buffers, Request, Transfer};
use super::{StatusError, dispatch, irp};
use crate::ob;

/// A request that a driver above sends.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The minor function.
    pub minor: u8,
    /// The bytes of the stack location's parameters.
    pub parameters: [u8; 32],
    /// The buffer that the request's list describes; none if it is empty.
    pub data: Vec<u8>,
}

/// A reference to a file object, as another driver may have one: it delays the close, not the cleanup.
#[derive(Debug)]
pub struct Reference(Va);

impl Drop for Reference {
    fn drop(&mut self) {
        as_thread(|| ob::dereference(self.0.ptr::<_>()));
    }
}

/// A request that is filled in and not sent: what a client's event handler gives to the driver.
#[derive(Debug)]
pub struct Prepared {
    irp: Va,
    request: Option<Request>,
}

impl Prepared {
    /// Gives the packet away; the driver completes it, as if it had been sent to it.
    ///
    /// # Panics
    /// Never: it is given away once.
    pub fn give(mut self) -> (*mut IRP, Request) {
        let request = self.request.take().expect("it is given away once");
        (self.irp.ptr::<IRP>(), request)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            request.never_sent();
            irp::free(self.irp.ptr::<IRP>());
        }
    }
}

impl Sending {
    /// Returns the transfer with the request's buffers, and the contents for the packet's first location.
    fn into_transfer(self, file: *mut FILE_OBJECT) -> Result<(Arc<Transfer>, Fill), StatusError> {
        let Self { minor, parameters, data } = self;
        let described = (!data.is_empty()).then(|| range(&data));
        let direct = described.map(|data| Direct::new(data, true)).transpose().map_err(StatusError)?;
        let address = direct.as_ref().map_or(ptr::null_mut(), Direct::list);
        let buffers = Buffers { direct, owned: Some((Vec::new(), data)), ..Buffers::default() };
        Ok((Transfer::new(file, buffers), Fill { minor, parameters, list: address }))
    }
}

/// The contents of a packet and its first location.
struct Fill {
    minor: u8,
    parameters: [u8; 32],
    list: *mut MDL,
}

impl Fill {
    fn fill(self, irp: &mut IRP, location: &mut IO_STACK_LOCATION) {
        irp.RequestorMode = KernelMode;
        irp.MdlAddress = self.list;
        location.MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
        location.MinorFunction = self.minor;
        // SAFETY: the parameters are so many bytes of any value.
        location.Parameters =
            unsafe { core::mem::transmute::<[u8; 32], IO_STACK_PARAMETERS>(self.parameters) };
    }
}

impl File {
    /// A reference to the file object.
    pub fn reference(&self) -> Reference {
        ob::reference(self.object().cast());
        Reference(self.handle.object)
    }

    /// Sends an internal device control as a driver above would, and returns at once. What its parameters
    /// point to must live until it is over. The request keeps the file object, but no handle: dropping the
    /// file makes the driver clean up while the request is under way.
    ///
    /// # Errors
    /// The status with which the I/O manager has no memory for it.
    pub fn start_internal(&self, sending: Sending) -> Result<Request, StatusError> {
        self.reference().start_internal(sending)
    }

    /// Fills in an internal device control, for an event handler to give away.
    ///
    /// # Errors
    /// As [`start_internal`](Self::start_internal).
    pub fn prepare_internal(&self, sending: Sending) -> Result<Prepared, StatusError> {
        let (transfer, fill) = sending.into_transfer(self.object())?;
        let irp = as_thread(|| {
            file::prepare(&transfer, self.object(), |irp, location| {
                fill.fill(irp, location);
                // The packet does not pass through IofCallDriver, which would set the device.
                // SAFETY: the handle keeps the file object.
                location.DeviceObject = unsafe { (*self.object()).DeviceObject };
            })
        })
        .map_err(StatusError)?;
        Ok(Prepared { irp: Va::of(irp), request: Some(Request::new(transfer, self.reference())) })
    }
}

impl Reference {
    /// As [`File::start_internal`], also when the file has been cleaned up.
    ///
    /// # Errors
    /// As [`File::start_internal`].
    pub fn start_internal(&self, sending: Sending) -> Result<Request, StatusError> {
        let object = self.0.ptr::<FILE_OBJECT>();
        let (transfer, fill) = sending.into_transfer(object)?;
        ob::reference(object.cast());
        let own = Self(self.0);
        as_thread(|| {
            let irp = file::prepare(&transfer, object, |irp, location| fill.fill(irp, location))?;
            // SAFETY: the reference keeps the file object.
            let device = unsafe { related(object) };
            // SAFETY: the packet is the caller's and its next location is filled in.
            Ok(unsafe { dispatch::send_as_driver(device, irp) })
        })
        .map_err(StatusError)?;
        Ok(Request::new(transfer, own))
    }
}
