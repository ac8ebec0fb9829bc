//! The requests of a client.

#![expect(unsafe_code, reason = "a client passes addresses to the transport")]

use core::cell::{Cell, UnsafeCell};
use core::mem::offset_of;
use core::ptr::null_mut;
use std::net::SocketAddr;
use std::time::Duration;

use ntsim::io::{File, Outcome, Reference, Sending, StatusError};
use sys::status::NTSTATUS;
use sys::tdi::{
    TDI_ACCEPT, TDI_ASSOCIATE_ADDRESS, TDI_CONNECT, TDI_CONNECTION_INFORMATION, TDI_DISASSOCIATE_ADDRESS,
    TDI_DISCONNECT, TDI_LISTEN, TDI_RECEIVE, TDI_REQUEST_KERNEL, TDI_REQUEST_KERNEL_ACCEPT,
    TDI_REQUEST_KERNEL_ASSOCIATE, TDI_REQUEST_KERNEL_RECEIVE, TDI_REQUEST_KERNEL_SEND,
    TDI_REQUEST_KERNEL_SET_EVENT, TDI_SEND, TDI_SET_EVENT_HANDLER,
};
use sys::wdm::IRP;
use tdi::address::{MAX_LENGTH, TransportAddress, TransportAddresses};

/// Bytes of a stack location's parameters.
pub(crate) const PARAMETERS: usize = 32;

/// A byte of the room for an address before anything is written there.
const UNWRITTEN: u8 = 0xA5;

thread_local! {
    /// Bytes of room for return addresses that requests of this thread have.
    static ROOM: Cell<usize> = const { Cell::new(MAX_LENGTH) };
}

/// Makes requests whose return addresses have room for so many bytes, [`MAX_LENGTH`] at most.
pub fn with_return_room<R>(bytes: usize, make: impl FnOnce() -> R) -> R {
    let before = ROOM.replace(bytes.min(MAX_LENGTH));
    let made = make();
    ROOM.set(before);
    made
}

/// The data that a request's parameters point to.
pub(crate) struct Attached {
    /// The address that the client names.
    to: TDI_CONNECTION_INFORMATION,
    named: [u8; MAX_LENGTH],
    /// The place for the address of the other end.
    from: TDI_CONNECTION_INFORMATION,
    told: [u8; MAX_LENGTH],
    /// In units of 100 ns, negative.
    limit: i64,
}

/// A request that is under way. Dropping it cancels it and waits until the driver has let go of it.
#[must_use]
#[derive(Debug)]
pub struct Request {
    /// Its minor function.
    pub minor: u8,
    io: ntsim::io::Request,
    // Last: the driver may use it until the request is over.
    attached: Box<UnsafeCell<Attached>>,
}

impl core::fmt::Debug for Attached {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Attached").field("limit", &self.limit).finish_non_exhaustive()
    }
}

// SAFETY: what is attached is the driver's until the request is over, and then the owner's; its pointers lead
// into itself.
unsafe impl Send for Request {}
// SAFETY: as above; a shared request is only asked for its outcome, or cancelled.
unsafe impl Sync for Request {}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub struct Completed {
    /// Its status.
    pub status: NTSTATUS,
    /// IoStatus.Information, beyond the status.
    pub information: usize,
    /// The data buffer.
    pub data: Vec<u8>,
    /// The peer's address, if the driver returned it.
    pub peer: Option<SocketAddr>,
}

impl Request {
    /// The outcome, once the request has completed.
    pub fn outcome(&self) -> Option<Outcome> {
        self.io.outcome()
    }

    /// The place of its completion among all of the machine's, if it is over.
    pub fn sequence(&self) -> Option<u64> {
        self.io.sequence()
    }

    /// Asks the driver to give it up.
    pub fn cancel(&self) {
        self.io.cancel();
    }

    /// Waits at most `limit` for the outcome.
    pub fn wait_for(&self, limit: Duration) -> Option<Outcome> {
        self.io.wait_for(limit)
    }

    /// Waits until it is over.
    ///
    /// # Panics
    ///
    /// If the return address was written past its room.
    pub fn wait(self) -> Completed {
        let Self { io, attached, .. } = self;
        let (Outcome { status, information }, _, data) = io.wait();
        let Attached { told, from, .. } = attached.into_inner();
        let room = usize::try_from(from.RemoteAddressLength).unwrap_or(0);
        let intact = told.iter().skip(room).all(|byte| *byte == UNWRITTEN);
        assert!(intact, "the return address is written past its room of {room} bytes: {told:x?}");
        let peer = TransportAddresses::parse(&told).and_then(|mut told| told.next());
        Completed { status, information, data, peer }
    }

    /// Waits for its status.
    pub fn status(self) -> NTSTATUS {
        self.wait().status
    }
}

/// To what a request is sent: an open file, or one that is cleaned up and not closed.
pub trait Target {
    /// Sends a request and returns at once.
    ///
    /// # Errors
    ///
    /// If the host is out of memory.
    fn start(&self, sending: Sending) -> Result<ntsim::io::Request, StatusError>;
}

impl Target for File {
    fn start(&self, sending: Sending) -> Result<ntsim::io::Request, StatusError> {
        self.start_internal(sending)
    }
}

impl Target for Reference {
    fn start(&self, sending: Sending) -> Result<ntsim::io::Request, StatusError> {
        self.start_internal(sending)
    }
}

/// A request that was not sent, for an event handler to give.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) minor: u8,
    pub(crate) io: ntsim::io::Prepared,
    // Last: the driver may use it until the request is over.
    pub(crate) attached: Box<UnsafeCell<Attached>>,
}

// SAFETY: as for a request.
unsafe impl Send for Prepared {}

impl Prepared {
    /// Gives it away.
    pub fn give(self) -> (*mut IRP, Request) {
        let Self { minor, io, attached } = self;
        let (irp, io) = io.give();
        (irp, Request { minor, io, attached })
    }
}

/// Sends a request with these parameters and this data, as a driver above the transport would.
///
/// # Panics
///
/// If the host is out of memory.
pub fn send_request<T: Copy>(file: &impl Target, minor: u8, parameters: T, data: Vec<u8>) -> Request {
    send_attached(file, minor, data, attach(None, None), |_| bytes(parameters))
}

/// The bytes of a request's parameters.
pub(crate) fn bytes<T: Copy>(parameters: T) -> [u8; PARAMETERS] {
    const { assert!(size_of::<T>() <= PARAMETERS, "parameters fit into a stack location") };
    let mut bytes = [0; PARAMETERS];
    // SAFETY: there is room for them, and they are plain data.
    unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(parameters) };
    bytes
}

fn information(address: *mut u8, length: usize) -> TDI_CONNECTION_INFORMATION {
    TDI_CONNECTION_INFORMATION {
        UserDataLength: 0,
        UserData: null_mut(),
        OptionsLength: 0,
        Options: null_mut(),
        RemoteAddressLength: i32::try_from(length).unwrap_or(0),
        RemoteAddress: address.cast(),
    }
}

/// Makes the data that a request's parameters are to point to.
pub(crate) fn attach(to: Option<SocketAddr>, limit: Option<Duration>) -> Box<UnsafeCell<Attached>> {
    let none = information(null_mut(), 0);
    let limit = limit.map_or(-1, |limit| -i64::try_from(limit.as_nanos() / 100).unwrap_or(i64::MAX));
    let attached =
        Attached { to: none, named: [0; MAX_LENGTH], from: none, told: [UNWRITTEN; MAX_LENGTH], limit };
    let mut attached = Box::new(UnsafeCell::new(attached));
    let Attached { to: remote, named, from, told, .. } = attached.get_mut();
    if let Some(to) = to {
        let address = TransportAddress::new(to);
        named[..address.bytes().len()].copy_from_slice(address.bytes());
        *remote = information(named.as_mut_ptr(), address.bytes().len());
    }
    *from = information(told.as_mut_ptr(), ROOM.get());
    attached
}

/// Sends a request whose parameters are made from where what is attached to it lies.
pub(crate) fn send_attached(
    file: &impl Target,
    minor: u8,
    data: Vec<u8>,
    attached: Box<UnsafeCell<Attached>>,
    parameters: impl FnOnce(*mut Attached) -> [u8; PARAMETERS],
) -> Request {
    let sending = Sending { minor, parameters: parameters(attached.get()), data };
    let io = file.start(sending).expect("there is memory for a request");
    Request { minor, io, attached }
}

/// The places for the other side's address, in and out.
pub(crate) fn ends(
    attached: *mut Attached,
) -> (*mut TDI_CONNECTION_INFORMATION, *mut TDI_CONNECTION_INFORMATION) {
    let place = |offset| attached.wrapping_byte_add(offset).cast();
    (place(offset_of!(Attached, to)), place(offset_of!(Attached, from)))
}

/// The parameters of connect, listen and disconnect.
fn kernel(flags: u32, attached: *mut Attached, limited: bool) -> [u8; PARAMETERS] {
    let (to, from) = ends(attached);
    let limit = attached.wrapping_byte_add(offset_of!(Attached, limit));
    bytes(TDI_REQUEST_KERNEL {
        RequestFlags: flags,
        RequestConnectionInformation: to,
        ReturnConnectionInformation: from,
        RequestSpecific: if limited { limit.cast() } else { null_mut() },
    })
}

/// The parameters of accept.
fn accepting(attached: *mut Attached) -> [u8; PARAMETERS] {
    let (to, from) = ends(attached);
    bytes(TDI_REQUEST_KERNEL_ACCEPT { RequestConnectionInformation: to, ReturnConnectionInformation: from })
}

/// `TDI_CONNECT`.
pub fn connect(file: &impl Target, to: SocketAddr) -> Request {
    send_attached(file, TDI_CONNECT, Vec::new(), attach(Some(to), None), |place| kernel(0, place, false))
}

/// `TDI_CONNECT` that may take so long.
pub fn connect_within(file: &impl Target, to: SocketAddr, limit: Duration) -> Request {
    send_attached(file, TDI_CONNECT, Vec::new(), attach(Some(to), Some(limit)), |place| {
        kernel(0, place, true)
    })
}

/// `TDI_LISTEN`; `flags` is 0 or `TDI_QUERY_ACCEPT`.
pub fn listen(file: &impl Target, flags: u32) -> Request {
    send_attached(file, TDI_LISTEN, Vec::new(), attach(None, None), |place| kernel(flags, place, false))
}

/// `TDI_ACCEPT`, for a connect handler to give.
///
/// # Panics
///
/// If the host is out of memory.
pub fn prepared_accept(file: &File) -> Prepared {
    let attached = attach(None, None);
    let sending = Sending { minor: TDI_ACCEPT, parameters: accepting(attached.get()), data: Vec::new() };
    let io = file.prepare_internal(sending).expect("there is memory for a request");
    Prepared { minor: TDI_ACCEPT, io, attached }
}

/// `TDI_RECEIVE`, for a receive handler to give; `flags` are `TDI_RECEIVE_…`.
///
/// # Panics
///
/// If the host is out of memory.
pub fn prepared_receive(file: &File, length: u32, flags: u32) -> Prepared {
    let parameters = bytes(TDI_REQUEST_KERNEL_RECEIVE { ReceiveLength: length, ReceiveFlags: flags });
    let sending = Sending { minor: TDI_RECEIVE, parameters, data: vec![0; length as usize] };
    let io = file.prepare_internal(sending).expect("there is memory for a request");
    Prepared { minor: TDI_RECEIVE, io, attached: attach(None, None) }
}

/// `TDI_ACCEPT`.
pub fn accept(file: &impl Target) -> Request {
    send_attached(file, TDI_ACCEPT, Vec::new(), attach(None, None), accepting)
}

/// `TDI_DISCONNECT`; `flags` are `TDI_DISCONNECT_…`.
pub fn disconnect(file: &impl Target, flags: u32) -> Request {
    send_attached(file, TDI_DISCONNECT, Vec::new(), attach(None, None), |place| kernel(flags, place, false))
}

/// `TDI_DISCONNECT` that may take so long.
pub fn disconnect_within(file: &impl Target, flags: u32, limit: Duration) -> Request {
    send_attached(file, TDI_DISCONNECT, Vec::new(), attach(None, Some(limit)), |place| {
        kernel(flags, place, true)
    })
}

/// `TDI_SEND` of all of `data`.
pub fn send(file: &impl Target, data: Vec<u8>) -> Request {
    send_with(file, data, 0)
}

/// `TDI_SEND` of all of `data`; `flags` are `TDI_SEND_…`.
pub fn send_with(file: &impl Target, data: Vec<u8>, flags: u32) -> Request {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    send_request(file, TDI_SEND, TDI_REQUEST_KERNEL_SEND { SendLength: length, SendFlags: flags }, data)
}

/// `TDI_RECEIVE` of at most `length` bytes.
pub fn receive(file: &impl Target, length: u32) -> Request {
    receive_with(file, vec![0; length as usize], 0)
}

/// `TDI_RECEIVE` to all of `data`; `flags` are `TDI_RECEIVE_…`.
pub fn receive_with(file: &impl Target, data: Vec<u8>, flags: u32) -> Request {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let parameters = TDI_REQUEST_KERNEL_RECEIVE { ReceiveLength: length, ReceiveFlags: flags };
    send_request(file, TDI_RECEIVE, parameters, data)
}

/// `TDI_ASSOCIATE_ADDRESS`, to its end.
pub fn associate(endpoint: &impl Target, address: &File) -> NTSTATUS {
    let parameters = TDI_REQUEST_KERNEL_ASSOCIATE { AddressHandle: address.raw() as *mut _ };
    send_request(endpoint, TDI_ASSOCIATE_ADDRESS, parameters, Vec::new()).status()
}

/// `TDI_DISASSOCIATE_ADDRESS`, to its end.
pub fn disassociate(endpoint: &impl Target) -> NTSTATUS {
    send_request(endpoint, TDI_DISASSOCIATE_ADDRESS, [0_u8; PARAMETERS], Vec::new()).status()
}

/// `TDI_SET_EVENT_HANDLER`, to its end; a null handler takes the registration back.
pub fn set_event(
    address: &impl Target,
    event: i32,
    handler: *const (),
    context: *mut core::ffi::c_void,
) -> NTSTATUS {
    let parameters = TDI_REQUEST_KERNEL_SET_EVENT {
        EventType: event,
        EventHandler: handler.cast_mut().cast(),
        EventContext: context,
    };
    send_request(address, TDI_SET_EVENT_HANDLER, parameters, Vec::new()).status()
}
