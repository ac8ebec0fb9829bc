//! A client's event handlers, as closures.
//!
//! The driver does not wait when a registration is taken back, but only when the address is cleaned up; so a
//! handler has to live for ever.

#![expect(unsafe_code, reason = "a client passes addresses to the transport")]

use core::ffi::c_void;
use core::ptr::{from_ref, null_mut};
use core::slice;
use std::net::SocketAddr;

use ntsim::io::{File, StatusError};
use sys::status::{NTSTATUS, STATUS_CONNECTION_REFUSED, STATUS_MORE_PROCESSING_REQUIRED, STATUS_SUCCESS};
use sys::tdi::{
    TDI_EVENT_CONNECT, TDI_EVENT_DISCONNECT, TDI_EVENT_ERROR, TDI_EVENT_ERROR_EX, TDI_EVENT_RECEIVE,
    TDI_EVENT_RECEIVE_DATAGRAM, TDI_EVENT_RECEIVE_EXPEDITED, TDI_EVENT_SEND_POSSIBLE, TDI_RECEIVE_EXPEDITED,
    TDI_RECEIVE_NORMAL,
};
use sys::wdm::IRP;
use tdi::address::TransportAddresses;

use crate::request::set_event;

/// Takes the registration of an event back. A handler that runs is not waited for.
///
/// # Errors
///
/// The driver's status.
pub fn off(address: &File, event: i32) -> Result<(), StatusError> {
    register(address, event, core::ptr::null(), core::ptr::null())
}

fn register(
    address: &File,
    event: i32,
    function: *const (),
    context: *const c_void,
) -> Result<(), StatusError> {
    match set_event(address, event, function, context.cast_mut()) {
        STATUS_SUCCESS => Ok(()),
        status => Err(StatusError(status)),
    }
}

/// The client's answer to an indication of data.
#[derive(Debug)]
pub struct Taken {
    /// Its status.
    pub status: NTSTATUS,
    /// Bytes that it took.
    pub bytes: usize,
    /// With `STATUS_MORE_PROCESSING_REQUIRED`: a receive for more.
    pub irp: *mut IRP,
}

impl Taken {
    /// So many bytes, and no more.
    pub const fn bytes(bytes: usize) -> Self {
        Self { status: STATUS_SUCCESS, bytes, irp: null_mut() }
    }
}

/// Is shown data (`TDI_EVENT_RECEIVE`): what is shown, and how much there is in all. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_receive<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(&[u8], usize) -> Taken + Sync,
{
    register(address, TDI_EVENT_RECEIVE, received::<H> as *const (), from_ref(handler).cast())
}

/// Is shown expedited data (`TDI_EVENT_RECEIVE_EXPEDITED`); otherwise as [`on_receive`].
///
/// # Errors
///
/// The driver's status.
pub fn on_expedited<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(&[u8], usize) -> Taken + Sync,
{
    register(address, TDI_EVENT_RECEIVE_EXPEDITED, expedited::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn received<H: Fn(&[u8], usize) -> Taken>(
    context: *mut c_void,
    _connection: *mut c_void,
    flags: u32,
    indicated: u32,
    available: u32,
    taken: *mut u32,
    data: *const c_void,
    request: *mut *mut IRP,
) -> NTSTATUS {
    assert_eq!(flags & KINDS, TDI_RECEIVE_NORMAL, "the handler is for normal data");
    // SAFETY: the driver calls with what an indication has.
    unsafe { shown::<H>(context, indicated, available, taken, data, request) }
}

unsafe extern "efiapi" fn expedited<H: Fn(&[u8], usize) -> Taken>(
    context: *mut c_void,
    _connection: *mut c_void,
    flags: u32,
    indicated: u32,
    available: u32,
    taken: *mut u32,
    data: *const c_void,
    request: *mut *mut IRP,
) -> NTSTATUS {
    assert_eq!(flags & KINDS, TDI_RECEIVE_EXPEDITED, "the handler is for expedited data");
    // SAFETY: the driver calls with what an indication has.
    unsafe { shown::<H>(context, indicated, available, taken, data, request) }
}

/// The kinds of data.
const KINDS: u32 = TDI_RECEIVE_NORMAL | TDI_RECEIVE_EXPEDITED;

/// Runs a handler that is shown data.
///
/// # Safety
///
/// The context is the handler, and the rest what the driver calls it with.
unsafe fn shown<H: Fn(&[u8], usize) -> Taken>(
    context: *mut c_void,
    indicated: u32,
    available: u32,
    taken: *mut u32,
    data: *const c_void,
    request: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: the handler is registered with itself as the context, and lives for ever.
    let handler = unsafe { &*context.cast::<H>() };
    // SAFETY: as the caller promises.
    unsafe { call(handler, indicated, available, taken, data, request) }
}

/// Calls what is shown data.
///
/// # Safety
///
/// All but the handler is what the driver calls with.
unsafe fn call(
    handler: &impl Fn(&[u8], usize) -> Taken,
    indicated: u32,
    available: u32,
    taken: *mut u32,
    data: *const c_void,
    request: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: the driver shows so many bytes, which stay during the call.
    let data = unsafe { slice::from_raw_parts(data.cast::<u8>(), indicated as usize) };
    let Taken { status, bytes, irp } = handler(data, available as usize);
    // SAFETY: the driver passes a place for the count.
    unsafe { taken.write(u32::try_from(bytes).unwrap_or(u32::MAX)) };
    // SAFETY: the driver passes a place for the request.
    unsafe { request.write(irp) };
    status
}

/// Is shown datagrams (`TDI_EVENT_RECEIVE_DATAGRAM`): their sources and contents. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_datagram<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(Option<SocketAddr>, &[u8]) -> Taken + Sync,
{
    register(address, TDI_EVENT_RECEIVE_DATAGRAM, datagram::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn datagram<H: Fn(Option<SocketAddr>, &[u8]) -> Taken>(
    context: *mut c_void,
    source_length: i32,
    source: *const c_void,
    _options_length: i32,
    _options: *const c_void,
    _flags: u32,
    indicated: u32,
    _available: u32,
    taken: *mut u32,
    data: *const c_void,
    request: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: the driver passes an address of this length.
    let from = unsafe { address(source, source_length) };
    let shown = |data: &[u8], _available| {
        // SAFETY: the handler is registered with itself as the context, and lives for ever.
        let handler = unsafe { &*context.cast::<H>() };
        handler(from, data)
    };
    // SAFETY: the context is the closure, and the rest what the driver calls with.
    unsafe { call(&shown, indicated, 0, taken, data, request) }
}

/// Is told that the address is of no use any more (`TDI_EVENT_ERROR`), and why. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_error<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(NTSTATUS) + Sync,
{
    register(address, TDI_EVENT_ERROR, failed::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn failed<H: Fn(NTSTATUS)>(context: *mut c_void, status: NTSTATUS) -> NTSTATUS {
    // SAFETY: the handler is registered with itself as the context, and lives for ever.
    let handler = unsafe { &*context.cast::<H>() };
    handler(status);
    STATUS_SUCCESS
}

/// Is told that the address is of no use any more (`TDI_EVENT_ERROR_EX`), why, and which it was. Up to
/// DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_error_ex<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(NTSTATUS, Option<SocketAddr>) + Sync,
{
    register(address, TDI_EVENT_ERROR_EX, failed_more::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn failed_more<H: Fn(NTSTATUS, Option<SocketAddr>)>(
    context: *mut c_void,
    status: NTSTATUS,
    buffer: *mut c_void,
) -> NTSTATUS {
    // SAFETY: the handler is registered with itself as the context, and lives for ever.
    let handler = unsafe { &*context.cast::<H>() };
    // SAFETY: this driver passes an address, of IPv4 in these tests.
    handler(status, unsafe { address(buffer, IPV4) });
    STATUS_SUCCESS
}

/// Bytes of a list of one IPv4 address.
const IPV4: i32 = 22;

/// Is told that sends are possible again (`TDI_EVENT_SEND_POSSIBLE`), of how many bytes. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_send_possible<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(usize) + Sync,
{
    register(address, TDI_EVENT_SEND_POSSIBLE, possible::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn possible<H: Fn(usize)>(
    context: *mut c_void,
    _connection: *mut c_void,
    room: u32,
) -> NTSTATUS {
    // SAFETY: the handler is registered with itself as the context, and lives for ever.
    let handler = unsafe { &*context.cast::<H>() };
    handler(room as usize);
    STATUS_SUCCESS
}

/// An address that the driver passes, if it is one.
///
/// # Safety
///
/// So many bytes are readable there.
unsafe fn address(place: *const c_void, length: i32) -> Option<SocketAddr> {
    // SAFETY: as the caller promises.
    let bytes = unsafe { slice::from_raw_parts(place.cast::<u8>(), usize::try_from(length).unwrap_or(0)) };
    TransportAddresses::parse(bytes).and_then(|mut list| list.next())
}

/// Is told of a disconnect (`TDI_EVENT_DISCONNECT`): what the client calls the connection, and
/// `TDI_DISCONNECT_ABORT` or `TDI_DISCONNECT_RELEASE`. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_disconnect<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(usize, u32) + Sync,
{
    register(address, TDI_EVENT_DISCONNECT, disconnected::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn disconnected<H: Fn(usize, u32)>(
    context: *mut c_void,
    connection: *mut c_void,
    _data_length: i32,
    _data: *const c_void,
    _information_length: i32,
    _information: *const c_void,
    flags: u32,
) -> NTSTATUS {
    // SAFETY: the handler is registered with itself as the context, and lives for ever.
    let handler = unsafe { &*context.cast::<H>() };
    handler(connection.addr(), flags);
    STATUS_SUCCESS
}

/// Is asked about connections (`TDI_EVENT_CONNECT`): who asks; returns an accept request if it wants the
/// connection. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// The driver's status.
pub fn on_connect<H>(address: &File, handler: &'static H) -> Result<(), StatusError>
where
    H: Fn(Option<SocketAddr>) -> Option<*mut IRP> + Sync,
{
    register(address, TDI_EVENT_CONNECT, asked::<H> as *const (), from_ref(handler).cast())
}

unsafe extern "efiapi" fn asked<H: Fn(Option<SocketAddr>) -> Option<*mut IRP>>(
    context: *mut c_void,
    length: i32,
    peer: *const c_void,
    _data_length: i32,
    _data: *const c_void,
    _options_length: i32,
    _options: *const c_void,
    _connection: *mut *mut c_void,
    accept: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: the handler is registered with itself as the context, and lives for ever.
    let handler = unsafe { &*context.cast::<H>() };
    // SAFETY: the driver passes an address of this length.
    match handler(unsafe { address(peer, length) }) {
        None => STATUS_CONNECTION_REFUSED,
        Some(irp) => {
            // SAFETY: the driver passes a place for the request.
            unsafe { accept.write(irp) };
            STATUS_MORE_PROCESSING_REQUIRED
        }
    }
}
