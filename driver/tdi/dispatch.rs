//! The entry points that the I/O manager calls for the device: the table, and those that open and close files.

#![expect(unsafe_code, reason = "the I/O manager calls these functions with addresses")]

use core::ptr::{NonNull, null_mut};

use provider::number::{u64_from, usize_from};
use sys::irql::PassiveLevel;
use sys::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NO_SUCH_DEVICE,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};
use sys::tdi::{TDI_CONNECTION_FILE, TDI_CONTROL_CHANNEL_FILE, TDI_TRANSPORT_ADDRESS_FILE};
use sys::wdm::{
    self, DEVICE_OBJECT, FILE_OBJECT, IO_STACK_LOCATION, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_COUNT,
    IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_INTERNAL_DEVICE_CONTROL, PDRIVER_DISPATCH,
};
use tdi::ea::Opening;
use tdi::{Id, Transport};

use super::access::Opener;
use super::irp::finish;
use super::requests::{device_control, internal_device_control};
use super::{TdiSystem, device, parameters, pending};

/// The device's dispatch table.
pub(super) fn table() -> [Option<PDRIVER_DISPATCH>; IRP_MJ_COUNT] {
    let mut table: [Option<PDRIVER_DISPATCH>; IRP_MJ_COUNT] = [None; IRP_MJ_COUNT];
    let served: [(_, PDRIVER_DISPATCH); 5] = [
        (IRP_MJ_CREATE, create),
        (IRP_MJ_CLEANUP, cleanup),
        (IRP_MJ_CLOSE, close),
        (IRP_MJ_DEVICE_CONTROL, device_control),
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, internal_device_control),
    ];
    for (major, routine) in served {
        if let Some(place) = table.get_mut(usize::from(major)) {
            *place = Some(routine);
        }
    }
    table
}

/// The arguments of an entry point.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) irp: NonNull<IRP>,
    pub(super) location: NonNull<IO_STACK_LOCATION>,
    file: NonNull<FILE_OBJECT>,
}

impl Entry {
    /// # Safety
    ///
    /// `irp` is the request of an entry point that is running, which owns it.
    pub(super) unsafe fn new(irp: *mut IRP) -> Option<Self> {
        let irp = NonNull::new(irp)?;
        // SAFETY: as the caller promises.
        let place = unsafe { &raw const (*irp.as_ptr()).Tail.Overlay.CurrentStackLocation };
        // SAFETY: this member of the union is in use, as a driver owns the request.
        let location = NonNull::new(unsafe { place.read() })?;
        // SAFETY: the location is the request's.
        let file = NonNull::new(unsafe { (*location.as_ptr()).FileObject })?;
        Some(Self { irp, location, file })
    }

    /// The file's number, if the file object has one.
    pub(super) fn id(&self) -> Option<Id> {
        // SAFETY: the request keeps the file object.
        let raw = unsafe { (*self.file.as_ptr()).FsContext };
        Id::from_raw(u64_from(raw.addr()))
    }

    /// Returns whether a create names a file below the device. The device's security descriptor does not stand before
    /// such names, unless the device is told so ("Controlling Device Namespace Access"), and there are none.
    fn is_named(&self) -> bool {
        // SAFETY: the request keeps the file object.
        unsafe { (*self.file.as_ptr()).FileName.Length != 0 }
    }

    /// Completes the request inline.
    pub(super) fn finish(self, status: NTSTATUS, information: usize) -> NTSTATUS {
        // SAFETY: the request is this entry point's, and was never given a cancel routine.
        unsafe { finish(self.irp, status, information) };
        status
    }
}

/// Runs an entry point, whose answer completes the request; a debugger finds the request meanwhile.
///
/// # Safety
///
/// `irp` is the request of an entry point that is running, which owns it.
unsafe fn answer(
    irp: *mut IRP,
    answer: impl FnOnce(&Transport<TdiSystem>, &Entry) -> Result<usize, NTSTATUS>,
) -> NTSTATUS {
    // SAFETY: as the caller promises.
    let Some(entry) = (unsafe { Entry::new(irp) }) else { return STATUS_INVALID_DEVICE_REQUEST };
    // SAFETY: the request is this entry point's, which does not complete it before it is removed.
    unsafe { pending::add(entry.irp) };
    let outcome = match super::transport() {
        Some(transport) => answer(&transport, &entry),
        None => Err(STATUS_INVALID_DEVICE_REQUEST),
    };
    // SAFETY: it was entered above.
    unsafe { pending::remove(entry.irp) };
    match outcome {
        Ok(information) => entry.finish(STATUS_SUCCESS, information),
        Err(status) => entry.finish(status, 0),
    }
}

/// `IRP_MJ_CREATE`. PASSIVE_LEVEL.
unsafe extern "efiapi" fn create(object: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the I/O manager sends creates at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    if !device::file_opens(object, level) {
        // SAFETY: the I/O manager passes the entry point its request.
        return unsafe { answer(irp, |_, _| Err(STATUS_NO_SUCH_DEVICE)) };
    }
    let created = |transport: &Transport<TdiSystem>, entry: &Entry| {
        if entry.is_named() {
            return Err(STATUS_OBJECT_NAME_NOT_FOUND);
        }
        // SAFETY: the request is a create.
        let parameters: wdm::IO_STACK_CREATE = unsafe { parameters::of(entry.location) };
        // SAFETY: the request is ours.
        let place = unsafe { &raw const (*entry.irp.as_ptr()).AssociatedIrp.SystemBuffer };
        // SAFETY: this member of the union is in use for buffered requests.
        let list = unsafe { place.read() };
        let list = match (NonNull::new(list.cast::<u8>()), usize_from(parameters.EaLength)) {
            (_, 0) => &[],
            (None, _) => return Err(STATUS_INVALID_PARAMETER),
            // SAFETY: the system buffer has so many bytes, and is the request's.
            (Some(list), length) => unsafe { core::slice::from_raw_parts(list.as_ptr(), length) },
        };
        let opening = Opening::parse(list).map_err(tdi::ea::EaError::status)?;
        let shares = matches!(opening, Opening::Address(_)) && parameters.ShareAccess & SHARE != 0;
        let opener = if shares {
            // SAFETY: the request is a create, and runs until this function returns.
            let opener = unsafe { Opener::of(entry.irp, entry.location, level) };
            Some(opener.ok_or(STATUS_INVALID_DEVICE_REQUEST)?)
        } else {
            None
        };
        let id = transport.create(&opening, opener.as_ref(), level)?;
        let kind = match opening {
            Opening::Address(_) => TDI_TRANSPORT_ADDRESS_FILE,
            Opening::Endpoint(_) => TDI_CONNECTION_FILE,
            Opening::ControlChannel => TDI_CONTROL_CHANNEL_FILE,
        };
        let number = usize::try_from(id.to_raw()).unwrap_or(0);
        transport.set_file_object(id, entry.file.as_ptr().addr());
        // SAFETY: the file object is ours to fill in, as its create is running.
        unsafe { (*entry.file.as_ptr()).FsContext = core::ptr::without_provenance_mut(number) };
        // SAFETY: as above.
        unsafe { (*entry.file.as_ptr()).FsContext2 = core::ptr::without_provenance_mut(kind) };
        Ok(0)
    };
    // SAFETY: the I/O manager passes the entry point its request.
    let status = unsafe { answer(irp, created) };
    if status != STATUS_SUCCESS {
        device::file_is_closed(level);
    }
    status
}

/// `FILE_SHARE_READ | FILE_SHARE_WRITE`.
const SHARE: u16 = 3;

/// `IRP_MJ_CLEANUP`: the last handle was closed. PASSIVE_LEVEL.
unsafe extern "efiapi" fn cleanup(_: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the I/O manager sends cleanups at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    let cleaned = |transport: &Transport<TdiSystem>, entry: &Entry| {
        if let Some(id) = entry.id() {
            transport.cleanup(id, level);
        }
        Ok(0)
    };
    // SAFETY: the I/O manager passes the entry point its request.
    unsafe { answer(irp, cleaned) }
}

/// `IRP_MJ_CLOSE`: the last reference is gone. PASSIVE_LEVEL.
unsafe extern "efiapi" fn close(_: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the I/O manager sends closes at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    let closed = |transport: &Transport<TdiSystem>, entry: &Entry| {
        if let Some(id) = entry.id() {
            transport.close(id);
        }
        // SAFETY: no other request for the file object exists any more.
        unsafe { (*entry.file.as_ptr()).FsContext = null_mut() };
        Ok(0)
    };
    // SAFETY: the I/O manager passes the entry point its request.
    let status = unsafe { answer(irp, closed) };
    device::file_is_closed(level);
    status
}
