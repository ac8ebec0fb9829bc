//! Parameters of a client's stack location. Its clients are drivers: their pointers are valid, their addresses
//! need not be.

#![expect(unsafe_code, reason = "clients pass addresses in unions")]

use core::mem::MaybeUninit;
use core::net::SocketAddr;
use core::ptr::NonNull;

use ::tdi::address::TransportAddresses;
use ::tdi::user::time_limit;
use ::tdi::{Command, Source};
use provider::number::usize_from;
use sys::tdi::{self, TDI_CONNECTION_INFORMATION, TDI_QUERY_ACCEPT};
use sys::wdm::IO_STACK_LOCATION;

/// The most bytes of an address list that are looked at: several addresses of the longest family.
const LIST: usize = 256;

/// The parameters of a location, as those of one minor function.
///
/// # Safety
///
/// The location is that of a request with this kind of parameters.
pub(super) unsafe fn of<T: Copy>(location: NonNull<IO_STACK_LOCATION>) -> T {
    const { assert!(size_of::<T>() <= size_of::<sys::wdm::IO_STACK_PARAMETERS>(), "they overlay these") };
    // SAFETY: the location is there, as the caller promises.
    let parameters = unsafe { &raw const (*location.as_ptr()).Parameters };
    // SAFETY: they are those of a `T`, as the caller promises.
    unsafe { parameters.cast::<T>().read() }
}

/// Reads the command of a request that may wait; `None` if it is another one.
///
/// # Safety
///
/// The location is that of a client's internal device control.
pub(super) unsafe fn command(location: NonNull<IO_STACK_LOCATION>) -> Option<Command> {
    // SAFETY: as the caller promises.
    let minor = unsafe { (*location.as_ptr()).MinorFunction };
    Some(match minor {
        tdi::TDI_CONNECT => {
            // SAFETY: the minor function says so.
            let connect: tdi::TDI_REQUEST_KERNEL = unsafe { of(location) };
            Command::Connect {
                // SAFETY: the client's pointer is null or valid.
                to: unsafe { remote(connect.RequestConnectionInformation) },
                // SAFETY: as above.
                limit: unsafe { limit(&connect) },
            }
        }
        tdi::TDI_LISTEN => {
            // SAFETY: the minor function says so.
            let listen: tdi::TDI_REQUEST_KERNEL = unsafe { of(location) };
            Command::Listen { query: listen.RequestFlags & TDI_QUERY_ACCEPT != 0 }
        }
        tdi::TDI_ACCEPT => Command::Accept,
        tdi::TDI_DISCONNECT => {
            // SAFETY: the minor function says so.
            let disconnect: tdi::TDI_REQUEST_KERNEL = unsafe { of(location) };
            // SAFETY: the client's pointer is null or valid.
            let limit = unsafe { limit(&disconnect) };
            Command::Disconnect { flags: disconnect.RequestFlags, limit }
        }
        tdi::TDI_SEND => {
            // SAFETY: the minor function says so.
            let send: tdi::TDI_REQUEST_KERNEL_SEND = unsafe { of(location) };
            Command::Send { length: usize_from(send.SendLength), flags: send.SendFlags }
        }
        tdi::TDI_RECEIVE => {
            // SAFETY: the minor function says so.
            let receive: tdi::TDI_REQUEST_KERNEL_RECEIVE = unsafe { of(location) };
            Command::Receive { length: usize_from(receive.ReceiveLength), flags: receive.ReceiveFlags }
        }
        tdi::TDI_SEND_DATAGRAM => {
            // SAFETY: the minor function says so.
            let send: tdi::TDI_REQUEST_KERNEL_SENDDG = unsafe { of(location) };
            // SAFETY: the client's pointer is null or valid.
            let to = unsafe { remote(send.SendDatagramInformation) };
            Command::SendDatagram { to, length: usize_from(send.SendLength) }
        }
        tdi::TDI_RECEIVE_DATAGRAM => {
            // SAFETY: the minor function says so.
            let receive: tdi::TDI_REQUEST_KERNEL_RECEIVEDG = unsafe { of(location) };
            // SAFETY: the client's pointer is null or valid.
            let from = unsafe { source(receive.ReceiveDatagramInformation) };
            let length = usize_from(receive.ReceiveLength);
            Command::ReceiveDatagram { from, length, flags: receive.ReceiveFlags }
        }
        _ => return None,
    })
}

/// The source that a client wants a datagram from.
///
/// # Safety
///
/// As for [`remote`].
unsafe fn source(information: *const TDI_CONNECTION_INFORMATION) -> Source {
    // SAFETY: as the caller promises.
    let named = unsafe { information.as_ref() }.is_some_and(|named| named.RemoteAddressLength != 0);
    if !named {
        return Source::Any;
    }
    // SAFETY: as the caller promises.
    unsafe { remote(information) }.map_or(Source::Unknown, Source::Address)
}

/// The time limit of a connect or disconnect, see [`time_limit`].
///
/// # Safety
///
/// The client's pointer is null or valid.
unsafe fn limit(request: &tdi::TDI_REQUEST_KERNEL) -> Option<u64> {
    let place = NonNull::new(request.RequestSpecific.cast::<i64>())?;
    // SAFETY: as the caller promises.
    let time = unsafe { place.read_unaligned() };
    time_limit(time)
}

/// The first address of a client's list that is one.
///
/// # Safety
///
/// The pointer is null or valid, and so is the address in what it leads to, for its length.
unsafe fn remote(information: *const TDI_CONNECTION_INFORMATION) -> Option<SocketAddr> {
    // SAFETY: as the caller promises.
    let information = unsafe { information.as_ref() }?;
    let address = NonNull::new(information.RemoteAddress.cast::<u8>())?;
    let length = usize::try_from(information.RemoteAddressLength).ok()?.min(LIST);
    let mut copy = MaybeUninit::<[u8; LIST]>::zeroed();
    // SAFETY: so many bytes are there, as the caller promises, and there is room for them. The client might
    // change them meanwhile, so the copy is what is read.
    unsafe { copy.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(address.as_ptr(), length) };
    // SAFETY: bytes of any value are bytes.
    let copy = unsafe { copy.assume_init() };
    TransportAddresses::parse(copy.get(..length)?)?.next()
}

/// A client's room for an address.
pub(super) struct Place {
    address: NonNull<u8>,
    length: usize,
}

impl Place {
    /// Writes an address, unless it is longer than the room.
    ///
    /// # Safety
    ///
    /// The room is there.
    pub(super) unsafe fn write(&self, bytes: &[u8]) {
        if bytes.len() <= self.length {
            // SAFETY: as the caller promises, and the address fits.
            unsafe { self.address.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        }
    }
}

/// The place for the other side's address that the client of a connect, listen, accept or receive datagram gave, if any.
///
/// # Safety
///
/// The location is that of such a request, and the client's pointers are null or valid.
pub(super) unsafe fn return_address(location: NonNull<IO_STACK_LOCATION>) -> Option<Place> {
    // SAFETY: as the caller promises.
    let minor = unsafe { (*location.as_ptr()).MinorFunction };
    let information = match minor {
        tdi::TDI_ACCEPT => {
            // SAFETY: the minor function says so.
            let accept: tdi::TDI_REQUEST_KERNEL_ACCEPT = unsafe { of(location) };
            accept.ReturnConnectionInformation
        }
        tdi::TDI_RECEIVE_DATAGRAM => {
            // SAFETY: as above.
            let receive: tdi::TDI_REQUEST_KERNEL_RECEIVEDG = unsafe { of(location) };
            receive.ReturnDatagramInformation
        }
        _ => {
            // SAFETY: as above.
            let request: tdi::TDI_REQUEST_KERNEL = unsafe { of(location) };
            request.ReturnConnectionInformation
        }
    };
    // SAFETY: as the caller promises.
    let information = unsafe { information.as_ref() }?;
    let address = NonNull::new(information.RemoteAddress.cast::<u8>())?;
    let length = usize::try_from(information.RemoteAddressLength).ok()?;
    Some(Place { address, length })
}
