//! Requests of programs: read from their buffers, and turned into those that a driver would send.

#![expect(unsafe_code, reason = "the I/O manager passes addresses in unions")]

use core::ptr::NonNull;

use provider::number::usize_from;
use sys::status::NTSTATUS;
use sys::tdi::{
    TDI_ACCEPT, TDI_CONNECT, TDI_DISCONNECT, TDI_LISTEN, TDI_RECEIVE, TDI_RECEIVE_DATAGRAM,
    TDI_REQUEST_KERNEL, TDI_SEND, TDI_SEND_DATAGRAM,
};
use sys::wdm::{IO_STACK_DEVICE_CONTROL, IO_STACK_LOCATION, IRP, IRP_MJ_INTERNAL_DEVICE_CONTROL};
use tdi::Command;
use tdi::user::UserRequest;

use super::parameters;

/// A program's request.
///
/// # Errors
///
/// See [`UserRequest::parse`].
///
/// # Safety
///
/// The request is a device control, which the caller owns, and the location its current one.
pub(super) unsafe fn request(
    irp: NonNull<IRP>,
    location: NonNull<IO_STACK_LOCATION>,
) -> Result<UserRequest, NTSTATUS> {
    // SAFETY: the request is a device control.
    let control: IO_STACK_DEVICE_CONTROL = unsafe { parameters::of(location) };
    // SAFETY: the request is the caller's.
    let place = unsafe { &raw const (*irp.as_ptr()).AssociatedIrp.SystemBuffer };
    // SAFETY: this member of the union is in use, as every code of TDI has its input in the system buffer; of
    // other codes the pointer is passed on and not followed.
    let input = NonNull::new(unsafe { place.read() }.cast::<u8>());
    let length = match input {
        Some(_) if buffered_input(control.IoControlCode) => usize_from(control.InputBufferLength),
        _ => 0,
    };
    let input = input.unwrap_or(NonNull::dangling());
    // SAFETY: the system buffer has so many bytes, which no other code changes.
    let input = unsafe { core::slice::from_raw_parts(input.as_ptr(), length) };
    UserRequest::parse(control.IoControlCode, input, usize_from(control.OutputBufferLength))
}

/// Returns whether the I/O manager copies the input of a control code to a system buffer.
const fn buffered_input(code: u32) -> bool {
    sys::wdm::METHOD_FROM_CTL_CODE(code) != sys::wdm::METHOD_NEITHER
}

/// Makes a program's request the one that a driver would have sent, without pointers of a client's.
///
/// # Safety
///
/// The location is the current one of a request that the caller owns.
pub(super) unsafe fn convert(location: NonNull<IO_STACK_LOCATION>, command: &Command) {
    let none = core::ptr::null_mut();
    let parameters = TDI_REQUEST_KERNEL {
        RequestFlags: 0,
        RequestConnectionInformation: none,
        ReturnConnectionInformation: none,
        RequestSpecific: core::ptr::null_mut(),
    };
    // SAFETY: as the caller promises.
    let place = unsafe { &raw mut (*location.as_ptr()).Parameters };
    // SAFETY: the parameters of a request overlay these.
    unsafe { place.cast::<TDI_REQUEST_KERNEL>().write(parameters) };
    // SAFETY: as the caller promises.
    unsafe { (*location.as_ptr()).MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL };
    // SAFETY: as the caller promises.
    unsafe { (*location.as_ptr()).MinorFunction = minor(command) };
}

const fn minor(command: &Command) -> u8 {
    match command {
        Command::Connect { .. } => TDI_CONNECT,
        Command::Listen { .. } => TDI_LISTEN,
        Command::Accept => TDI_ACCEPT,
        Command::Disconnect { .. } => TDI_DISCONNECT,
        Command::Send { .. } => TDI_SEND,
        Command::Receive { .. } => TDI_RECEIVE,
        Command::SendDatagram { .. } => TDI_SEND_DATAGRAM,
        Command::ReceiveDatagram { .. } => TDI_RECEIVE_DATAGRAM,
    }
}
