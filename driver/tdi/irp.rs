//! A request of the transport's: an IRP that it owns.

#![expect(unsafe_code, reason = "an IRP is a structure of the I/O manager's, by its address")]

use core::net::SocketAddr;
use core::ptr::{self, NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use provider::kernel::event::{self, Event, Handle, Status, TransportRequest};
use provider::number::usize_from;
use sys::status::NTSTATUS;
use sys::tdi::{
    TDI_ACCEPT, TDI_ACTION, TDI_ASSOCIATE_ADDRESS, TDI_CONNECT, TDI_DISASSOCIATE_ADDRESS, TDI_DISCONNECT,
    TDI_LISTEN, TDI_QUERY_INFORMATION, TDI_RECEIVE, TDI_RECEIVE_DATAGRAM, TDI_SEND, TDI_SEND_DATAGRAM,
    TDI_SET_EVENT_HANDLER, TDI_SET_INFORMATION,
};
use sys::wdm::{
    self, DEVICE_OBJECT, IO_STACK_LOCATION, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE,
    IRP_MJ_INTERNAL_DEVICE_CONTROL, MDL,
};
use tdi::address::TransportAddress;
use tdi::{Id, Request, RequestId};

use super::{parameters, pending};
use crate::kernel::Windows;

/// An IRP that was not completed.
///
/// # Invariants
///
/// The IRP is this value's alone, but for its cancel routine.
pub(crate) struct Irp(NonNull<IRP>);

// SAFETY: a driver may work on its IRP in any thread.
unsafe impl Send for Irp {}

impl Irp {
    /// Takes an IRP over.
    ///
    /// # Safety
    ///
    /// The caller owns the IRP. It gives it away before it calls anything but [`Request::fill`],
    /// [`Request::length`], [`Request::copy`] and [`Irp::map`], and has marked it pending then.
    pub(super) const unsafe fn new(irp: NonNull<IRP>) -> Self {
        Self(irp)
    }

    /// The stack location of this driver.
    fn location(&self) -> NonNull<IO_STACK_LOCATION> {
        // SAFETY: the IRP is ours.
        let place = unsafe { &raw const (*self.0.as_ptr()).Tail.Overlay.CurrentStackLocation };
        // SAFETY: this member of the union is in use, as a driver owns the IRP.
        let location = unsafe { place.read() };
        // SAFETY: an IRP that was sent to a driver has a current location.
        unsafe { NonNull::new_unchecked(location) }
    }

    /// The place of the cancel routine, which the kernel too exchanges atomically.
    fn cancel_routine(&self) -> &AtomicPtr<()> {
        // SAFETY: the IRP is ours.
        let place = unsafe { &raw mut (*self.0.as_ptr()).CancelRoutine };
        // SAFETY: an optional function pointer has the size and alignment of a pointer, and all code
        // accesses it atomically while the IRP can be cancelled.
        unsafe { AtomicPtr::from_ptr(place.cast::<*mut ()>()) }
    }

    fn is_cancelled(&self) -> bool {
        // SAFETY: the IRP is ours.
        let place = unsafe { &raw mut (*self.0.as_ptr()).Cancel };
        // SAFETY: the canceller of the IRP writes this byte, in one piece.
        unsafe { AtomicU8::from_ptr(place) }.load(Ordering::SeqCst) != 0
    }

    /// The lists of its data buffer, each with the bytes that it describes.
    fn lists(&self) -> impl Iterator<Item = (NonNull<MDL>, usize)> {
        // SAFETY: the IRP is ours.
        let first = NonNull::new(unsafe { (*self.0.as_ptr()).MdlAddress });
        // SAFETY: the lists of an IRP stay until it is completed.
        let next = |list: &NonNull<MDL>| NonNull::new(unsafe { (*list.as_ptr()).Next });
        core::iter::successors(first, next).map(|list| {
            // SAFETY: as above.
            (list, usize_from(unsafe { (*list.as_ptr()).ByteCount }))
        })
    }

    /// Maps the data buffer, so that no later copy can fail; `false` if there is no memory for that. The mappings go
    /// when the lists' owner unlocks or frees them. Up to DISPATCH_LEVEL.
    pub(super) fn map(&self) -> bool {
        self.lists().all(|(list, bytes)| {
            // SAFETY: the client has locked the pages of the list.
            bytes == 0 || !unsafe { Windows::system_address(list) }.is_null()
        })
    }

    /// The memory at `offset` of the lists, up to the end of one list.
    fn place(&self, mut offset: usize) -> Option<(NonNull<u8>, usize)> {
        for (list, bytes) in self.lists() {
            if let Some(left) = bytes.checked_sub(offset).filter(|left| *left > 0) {
                // SAFETY: the client has locked the pages of the list.
                let start = NonNull::new(unsafe { Windows::system_address(list) })?;
                return NonNull::new(start.as_ptr().wrapping_add(offset)).map(|start| (start, left));
            }
            offset = offset.saturating_sub(bytes);
        }
        None
    }
}

// SAFETY: the cancel routine is taken out by one atomic exchange, by us or by the canceller; so `disarm`
// returns `true` only if the canceller has not got it. The lists of an IRP stay until it is completed.
unsafe impl Request for Irp {
    fn arm(&mut self, request_id: RequestId) -> bool {
        let words = [request_id.file.to_raw(), request_id.number];
        // SAFETY: the IRP is ours, so this member of the union is in use.
        let notes = unsafe { &raw mut (*self.0.as_ptr()).Tail.Overlay.DriverContext.DriverContext };
        // SAFETY: the words of the IRP's owner, of which these are the first two.
        unsafe { notes.cast::<[u64; 2]>().write(words) };
        #[expect(clippy::as_conversions, reason = "the place holds the address of the routine")]
        let routine = cancel as *mut ();
        self.cancel_routine().store(routine, Ordering::SeqCst);
        // A canceller before this has found no routine.
        !(self.is_cancelled() && self.disarm())
    }

    fn disarm(&mut self) -> bool {
        !self.cancel_routine().swap(null_mut(), Ordering::SeqCst).is_null()
    }

    fn length(&self) -> usize {
        self.lists().map(|(_, bytes)| bytes).fold(0, usize::saturating_add)
    }

    fn run(&self, offset: usize) -> Option<(NonNull<u8>, usize)> {
        self.place(offset)
    }

    fn fill(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let mut filled = 0_usize;
        while let Some(rest) = bytes.get(filled..).filter(|rest| !rest.is_empty()) {
            let Some((start, room)) = self.place(offset.saturating_add(filled)) else { break };
            let count = room.min(rest.len());
            // SAFETY: there is room for so many bytes, which are the client's and not ours.
            unsafe { ptr::copy_nonoverlapping(rest.as_ptr(), start.as_ptr(), count) };
            filled = filled.saturating_add(count);
        }
        filled
    }

    fn return_peer(&mut self, peer: SocketAddr) {
        // SAFETY: the location is that of a connect, listen, accept or receive datagram.
        if let Some(place) = unsafe { parameters::return_address(self.location()) } {
            let address = TransportAddress::new(peer);
            // SAFETY: the client gave room of this length for the address.
            unsafe { place.write(address.bytes()) };
        }
    }

    fn complete(self, status: NTSTATUS, information: usize) {
        // SAFETY: a request that is completed here was entered when it was marked pending, and is ours.
        unsafe { pending::remove(self.0) };
        // SAFETY: the IRP is ours, its cancel routine is not set, and it is marked pending.
        unsafe { finish(self.0, status, information) };
    }
}

/// Completes an IRP. Up to DISPATCH_LEVEL.
///
/// # Safety
///
/// The caller owns the IRP and gives it away; its cancel routine is not set.
pub(super) unsafe fn finish(irp: NonNull<IRP>, status: NTSTATUS, information: usize) {
    event::write::<Windows>(|| {
        // SAFETY: as the caller promises.
        let (request, file) = unsafe { identify(irp) };
        let (status, bytes) = (Status(status), Handle(information));
        Event::LegacyRequest { request, file, status, bytes }
    });
    let outcome = wdm::IO_STATUS_BLOCK { Status: status, Information: information };
    // SAFETY: the IRP is the caller's.
    unsafe { (*irp.as_ptr()).IoStatus = outcome };
    // SAFETY: as above; it is not touched any more.
    unsafe { wdm::IofCompleteRequest(irp.as_ptr(), NO_BOOST) };
}

/// The request that an IRP carries, and its file object.
///
/// # Safety
///
/// The caller owns the IRP.
unsafe fn identify(irp: NonNull<IRP>) -> (TransportRequest, Handle) {
    // SAFETY: as the caller promises.
    let place = unsafe { &raw const (*irp.as_ptr()).Tail.Overlay.CurrentStackLocation };
    // SAFETY: this member of the union is in use, as a driver owns the IRP.
    let location = unsafe { place.read() };
    // SAFETY: the location of an IRP that was sent to a driver.
    let Some(location) = (unsafe { location.as_ref() }) else {
        return (TransportRequest::Unknown, Handle(0));
    };
    let request = match (location.MajorFunction, location.MinorFunction) {
        (IRP_MJ_CREATE, _) => TransportRequest::Create,
        (IRP_MJ_CLEANUP, _) => TransportRequest::Cleanup,
        (IRP_MJ_CLOSE, _) => TransportRequest::Close,
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, minor) => of_driver(minor),
        _ => TransportRequest::Unknown,
    };
    (request, Handle(location.FileObject.addr()))
}

/// The request of a driver with this minor function.
const fn of_driver(minor: u8) -> TransportRequest {
    match minor {
        TDI_ASSOCIATE_ADDRESS => TransportRequest::Associate,
        TDI_DISASSOCIATE_ADDRESS => TransportRequest::Disassociate,
        TDI_CONNECT => TransportRequest::Connect,
        TDI_LISTEN => TransportRequest::Listen,
        TDI_ACCEPT => TransportRequest::Accept,
        TDI_DISCONNECT => TransportRequest::Disconnect,
        TDI_SEND => TransportRequest::Send,
        TDI_RECEIVE => TransportRequest::Receive,
        TDI_SEND_DATAGRAM => TransportRequest::SendDatagram,
        TDI_RECEIVE_DATAGRAM => TransportRequest::ReceiveDatagram,
        TDI_SET_EVENT_HANDLER => TransportRequest::SetEventHandler,
        TDI_QUERY_INFORMATION => TransportRequest::QueryInformation,
        TDI_SET_INFORMATION => TransportRequest::SetInformation,
        TDI_ACTION => TransportRequest::Action,
        _ => TransportRequest::Unknown,
    }
}

/// `IO_NO_INCREMENT`: who waits gets no higher priority.
const NO_BOOST: i8 = 0;

/// The cancel routine: at DISPATCH_LEVEL, with the cancel spin lock held.
unsafe extern "efiapi" fn cancel(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: the canceller that took this routine out of the IRP keeps it until the transport has completed it, which
    // it does not do before `cancel` below.
    let notes = unsafe { &raw const (*irp).Tail.Overlay.DriverContext.DriverContext };
    // SAFETY: `arm` wrote the two words.
    let [file, number] = unsafe { notes.cast::<[u64; 2]>().read() };
    // SAFETY: as above.
    let level = unsafe { (*irp).CancelIrql };
    // SAFETY: the lock is held, and this is the level before it.
    unsafe { wdm::IoReleaseCancelSpinLock(level) };
    if let (Some(file), Some(transport)) = (Id::from_raw(file), super::transport()) {
        transport.cancel(RequestId { file, number });
    }
}
