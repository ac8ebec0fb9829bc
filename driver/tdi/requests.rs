//! Requests for open files.
//!
//! Connect, listen, accept, disconnect, send and receive, also of datagrams, are marked pending and belong to the
//! transport from then on; everything else is answered inline. What programs send by device controls is turned into the
//! same.

#![expect(unsafe_code, reason = "the I/O manager calls these functions with addresses")]

use core::ptr::{NonNull, null_mut};

use provider::number::u64_from;
use sys::irql::PassiveLevel;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_HANDLE, STATUS_NOT_IMPLEMENTED, STATUS_PENDING, STATUS_SUCCESS,
};
use sys::tdi::{
    TDI_ACTION, TDI_ASSOCIATE_ADDRESS, TDI_DISASSOCIATE_ADDRESS, TDI_QUERY_INFORMATION,
    TDI_REQUEST_KERNEL_ASSOCIATE, TDI_REQUEST_KERNEL_QUERY_INFORMATION, TDI_REQUEST_KERNEL_SET_EVENT,
    TDI_REQUEST_KERNEL_SET_INFORMATION, TDI_SET_EVENT_HANDLER, TDI_SET_INFORMATION,
};
use sys::wdm::{self, DEVICE_OBJECT, IO_STACK_LOCATION, IRP, SL_PENDING_RETURNED};
use tdi::user::UserRequest;
use tdi::{Command, HandlerIrp, Id, Request as _, Transport};

use super::dispatch::Entry;
use super::irp::Irp;
use super::{TdiSystem, parameters, pending, user};

/// `IRP_MJ_DEVICE_CONTROL`: a program's requests. PASSIVE_LEVEL.
pub(super) unsafe extern "efiapi" fn device_control(_: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the I/O manager sends device controls at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    let parse = |entry: &Entry| {
        // SAFETY: the request is a device control, and the entry point's.
        match unsafe { user::request(entry.irp, entry.location) }? {
            UserRequest::Submit(command) => {
                // SAFETY: as above.
                unsafe { user::convert(entry.location, &command) };
                Ok(FileRequest::Submit(command))
            }
            UserRequest::Associate(handle) => {
                Ok(FileRequest::Associate(core::ptr::with_exposed_provenance_mut(handle), level))
            }
            UserRequest::Disassociate => Ok(FileRequest::Disassociate),
            UserRequest::Query(kind) => Ok(FileRequest::Query(kind)),
            UserRequest::Set(kind) => Ok(FileRequest::Set(kind)),
        }
    };
    // SAFETY: the I/O manager passes the entry point its request.
    unsafe { serve(irp, parse) }
}

/// `IRP_MJ_INTERNAL_DEVICE_CONTROL`: a driver's requests. Up to DISPATCH_LEVEL.
pub(super) unsafe extern "efiapi" fn internal_device_control(
    _: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    let parse = |entry: &Entry| {
        // SAFETY: the location is that of a client's request.
        match unsafe { parameters::command(entry.location) } {
            Some(command) => Ok(FileRequest::Submit(command)),
            // SAFETY: as above.
            None => unsafe { inline(entry.location) },
        }
    };
    // SAFETY: the I/O manager passes the entry point its request.
    unsafe { serve(irp, parse) }
}

/// A request for an open file.
enum FileRequest {
    /// Something that may wait.
    Submit(Command),
    Associate(wdm::HANDLE, PassiveLevel),
    Disassociate,
    SetEvent(TDI_REQUEST_KERNEL_SET_EVENT),
    /// `TDI_QUERY_…`.
    Query(i32),
    /// `TDI_QUERY_…`.
    Set(i32),
}

/// Serves a request for an open file.
///
/// # Safety
///
/// `irp` is the request of an entry point that is running, which owns it.
unsafe fn serve(irp: *mut IRP, parse: impl FnOnce(&Entry) -> Result<FileRequest, NTSTATUS>) -> NTSTATUS {
    // SAFETY: as the caller promises.
    let Some(entry) = (unsafe { Entry::new(irp) }) else { return STATUS_INVALID_DEVICE_REQUEST };
    let (Some(transport), Some(id)) = (super::transport(), entry.id()) else {
        return entry.finish(STATUS_INVALID_DEVICE_REQUEST, 0);
    };
    // Held until the request is completed or belongs to the transport.
    let _entered = match transport.enter(id) {
        Ok(entered) => entered,
        Err(status) => return entry.finish(status, 0),
    };
    let request = parse(&entry);
    if let Ok(FileRequest::Submit(_) | FileRequest::Query(_) | FileRequest::Set(_)) = &request {
        // SAFETY: the request is ours, and stays so.
        let data = unsafe { Irp::new(entry.irp) };
        if !data.map() {
            return entry.finish(STATUS_INSUFFICIENT_RESOURCES, 0);
        }
    }
    let done = match request {
        Ok(FileRequest::Submit(command)) => {
            // SAFETY: the request is ours.
            let request = unsafe { pend(entry.irp, entry.location) };
            transport.submit(id, command, request);
            return STATUS_PENDING;
        }
        Ok(FileRequest::Query(kind)) => {
            // SAFETY: the request is ours.
            let (status, information) = unsafe { query(&transport, id, entry.irp, kind) };
            return entry.finish(status, information);
        }
        Ok(FileRequest::Set(kind)) => {
            // SAFETY: the request is ours, and stays so.
            let set = transport.set(id, kind, &unsafe { Irp::new(entry.irp) });
            return entry.finish(set.err().unwrap_or(STATUS_SUCCESS), set.unwrap_or(0));
        }
        Ok(FileRequest::Associate(handle, level)) => {
            // SAFETY: the request is ours.
            let mode = unsafe { (*entry.irp.as_ptr()).RequestorMode };
            associate(&transport, id, handle, mode, level)
        }
        Ok(FileRequest::Disassociate) => transport.disassociate(id),
        Ok(FileRequest::SetEvent(event)) => {
            let (handler, context) = (event.EventHandler, event.EventContext);
            transport.set_event(id, event.EventType, handler.cast(), context.cast())
        }
        Err(status) => Err(status),
    };
    entry.finish(done.err().unwrap_or(STATUS_SUCCESS), 0)
}

/// Marks a request pending, enters it into the list of those and takes it over.
///
/// # Safety
///
/// The caller owns the request, of which `location` is the current location, and gives it away.
unsafe fn pend(irp: NonNull<IRP>, location: NonNull<IO_STACK_LOCATION>) -> Irp {
    // SAFETY: as the caller promises.
    unsafe { (*location.as_ptr()).Control |= SL_PENDING_RETURNED };
    // SAFETY: the caller owns the request, and its completion removes it.
    unsafe { pending::add(irp) };
    // SAFETY: as the caller promises, and it is marked.
    unsafe { Irp::new(irp) }
}

/// Reads a driver's request that never waits.
///
/// # Safety
///
/// The location is that of a client's request.
unsafe fn inline(location: NonNull<IO_STACK_LOCATION>) -> Result<FileRequest, NTSTATUS> {
    // SAFETY: the location is the request's.
    match unsafe { (*location.as_ptr()).MinorFunction } {
        TDI_ASSOCIATE_ADDRESS => {
            // SAFETY: the minor function says so.
            let request: TDI_REQUEST_KERNEL_ASSOCIATE = unsafe { parameters::of(location) };
            // SAFETY: clients associate at PASSIVE_LEVEL, as handles are looked up there.
            let level = unsafe { PassiveLevel::assume() };
            Ok(FileRequest::Associate(request.AddressHandle, level))
        }
        TDI_DISASSOCIATE_ADDRESS => Ok(FileRequest::Disassociate),
        // SAFETY: the minor function says so.
        TDI_SET_EVENT_HANDLER => Ok(FileRequest::SetEvent(unsafe { parameters::of(location) })),
        TDI_QUERY_INFORMATION => {
            // SAFETY: the minor function says so.
            let request: TDI_REQUEST_KERNEL_QUERY_INFORMATION = unsafe { parameters::of(location) };
            Ok(FileRequest::Query(request.QueryType))
        }
        TDI_SET_INFORMATION => {
            // SAFETY: the minor function says so.
            let request: TDI_REQUEST_KERNEL_SET_INFORMATION = unsafe { parameters::of(location) };
            Ok(FileRequest::Set(request.SetType))
        }
        TDI_ACTION => Err(STATUS_NOT_IMPLEMENTED),
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// Answers a query, as far as the client's buffer goes.
///
/// # Safety
///
/// The request is the caller's.
unsafe fn query(transport: &Transport<TdiSystem>, id: Id, irp: NonNull<IRP>, kind: i32) -> (NTSTATUS, usize) {
    match transport.query(id, kind) {
        Err(status) => (status, 0),
        Ok(answer) => {
            // SAFETY: as the caller promises; it stays the caller's.
            let filled = unsafe { Irp::new(irp) }.fill(0, answer.bytes());
            let whole = filled == answer.bytes().len();
            (if whole { STATUS_SUCCESS } else { STATUS_BUFFER_OVERFLOW }, filled)
        }
    }
}

/// Associates an endpoint with the address object behind a handle.
fn associate(
    transport: &Transport<TdiSystem>,
    id: Id,
    handle: wdm::HANDLE,
    mode: wdm::KPROCESSOR_MODE,
    _: PassiveLevel,
) -> Result<(), NTSTATUS> {
    let mut object = null_mut();
    // SAFETY: the kernel sets its variable before any driver is loaded, and never again.
    let file = unsafe { wdm::IoFileObjectType };
    // SAFETY: the place is a local. The handle may be anything; it is of this client's process, or the
    // kernel's. Which file the object is, is compared only.
    let status =
        unsafe { wdm::ObReferenceObjectByHandle(handle, 0, file, mode, &raw mut object, null_mut()) };
    if status != STATUS_SUCCESS {
        return Err(STATUS_INVALID_HANDLE);
    }
    let address = transport.by_file_object(object.addr()).ok_or(STATUS_INVALID_HANDLE);
    let associated = address.and_then(|address| transport.associate(id, address));
    // SAFETY: the reference was taken above.
    unsafe { wdm::ObfDereferenceObject(object) };
    associated
}

/// See [`tdi::System::accept_irp`].
///
/// # Safety
///
/// `irp` is what a handler of a client returned with `STATUS_MORE_PROCESSING_REQUIRED`: a request that is
/// set up for this device in its next stack location.
pub(super) unsafe fn accept_irp(irp: NonNull<IRP>) -> Option<HandlerIrp<Irp>> {
    // SAFETY: as the caller promises.
    let packet = unsafe { &mut *irp.as_ptr() };
    // As `IoSetNextIrpStackLocation` does: the request comes without IoCallDriver.
    packet.CurrentLocation = packet.CurrentLocation.checked_sub(1)?;
    // SAFETY: while a driver owns the request, this member of the union is in use.
    let current = unsafe { &mut packet.Tail.Overlay.CurrentStackLocation };
    *current = current.wrapping_sub(1);
    let location = NonNull::new(*current)?;
    // SAFETY: the request is ours from now on.
    let request = unsafe { pend(irp, location) };
    // SAFETY: the location is that of a client's request.
    let command = unsafe { parameters::command(location) };
    // SAFETY: the location is the request's, and keeps its file object.
    let file = NonNull::new(unsafe { (*location.as_ptr()).FileObject });
    // SAFETY: as above.
    let number = file.map_or(0, |file| u64_from(unsafe { (*file.as_ptr()).FsContext }.addr()));
    match command {
        Some(_) if !request.map() => {
            request.complete(STATUS_INSUFFICIENT_RESOURCES, 0);
            None
        }
        Some(command) => Some(HandlerIrp { request, file: Id::from_raw(number), command }),
        None => {
            request.complete(STATUS_INVALID_DEVICE_REQUEST, 0);
            None
        }
    }
}
