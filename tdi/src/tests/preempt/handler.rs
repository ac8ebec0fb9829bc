//! The clients' handlers: each looks whether it may run, and does what a client does.

use std::ffi::c_void;

use sys::status::*;
use sys::tdi::*;
use sys::wdm::IRP;

use super::super::host::{self, give};
use super::client::{Clients, Which};
use crate::{Command, HandlerIrp};

/// The handlers of the far address.
pub(super) fn far() -> [(i32, *const ()); 6] {
    [
        (TDI_EVENT_CONNECT, code_address!(connects)),
        (TDI_EVENT_DISCONNECT, code_address!(far_disconnects)),
        (TDI_EVENT_RECEIVE, code_address!(far_receives)),
        (TDI_EVENT_RECEIVE_EXPEDITED, code_address!(far_receives)),
        (TDI_EVENT_RECEIVE_DATAGRAM, code_address!(receives_datagram)),
        (TDI_EVENT_ERROR, code_address!(far_fails)),
    ]
}

/// The handlers of the near address.
pub(super) fn near() -> [(i32, *const ()); 4] {
    [
        (TDI_EVENT_DISCONNECT, code_address!(near_disconnects)),
        (TDI_EVENT_RECEIVE, code_address!(near_receives)),
        (TDI_EVENT_RECEIVE_EXPEDITED, code_address!(near_receives)),
        (TDI_EVENT_ERROR, code_address!(near_fails)),
    ]
}

/// The clients of a handler that runs.
///
/// # Safety
///
/// `context` is that of [`Clients::set_event`], and the clients are there.
unsafe fn called<'a>(context: *mut c_void, which: Which) -> &'a Clients {
    // SAFETY: as the caller promises.
    let clients = unsafe { &*context.cast::<Clients>() };
    // A handler takes its time.
    host::point();
    assert!(clients.may_be_called(which), "a handler of {which:?} runs when its cleanup has returned");
    clients
}

/// Accepts for the spare endpoint.
unsafe extern "efiapi" fn connects(
    context: *mut c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    connection: *mut *mut c_void,
    irp: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: it was registered with this context.
    let clients = unsafe { called(context, Which::FarAddress) };
    let Some(file) = clients.id(Which::Spare) else { return STATUS_CONNECTION_REFUSED };
    let (request, pending) = clients.client.record(Vec::new());
    clients.note(TDI_ACCEPT, pending);
    // SAFETY: the transport passes places for both.
    unsafe {
        connection.write(std::ptr::without_provenance_mut(0xC0));
        irp.write(give(HandlerIrp { request, file: Some(file), command: Command::Accept }));
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

macro_rules! of_either_side {
    ($far:ident, $near:ident: fn($clients:ident; $($name:ident: $type:ty),*) $body:block) => {
        unsafe extern "efiapi" fn $far(context: *mut c_void, $($name: $type),*) -> NTSTATUS {
            // SAFETY: it was registered with this context.
            let $clients = unsafe { called(context, Which::FarAddress) };
            $body
        }

        unsafe extern "efiapi" fn $near(context: *mut c_void, $($name: $type),*) -> NTSTATUS {
            // SAFETY: it was registered with this context.
            let $clients = unsafe { called(context, Which::NearAddress) };
            $body
        }
    };
}

of_either_side!(far_disconnects, near_disconnects: fn(clients;
    connection: *mut c_void,
    _length: i32,
    _data: *const c_void,
    _information_length: i32,
    _information: *const c_void,
    _flags: u32
) {
    assert!(clients.may_be_called_for(connection), "a handler runs when the cleanup of its endpoint has returned");
    STATUS_SUCCESS
});

of_either_side!(far_receives, near_receives: fn(clients;
    connection: *mut c_void,
    _flags: u32,
    indicated: u32,
    _available: u32,
    taken: *mut u32,
    _data: *const c_void,
    _irp: *mut *mut IRP
) {
    assert!(clients.may_be_called_for(connection), "a handler runs when the cleanup of its endpoint has returned");
    // SAFETY: the transport passes a place for the count.
    unsafe { taken.write(indicated.div_ceil(2)) };
    STATUS_SUCCESS
});

of_either_side!(far_fails, near_fails: fn(_clients; status: NTSTATUS) {
    assert_eq!(status, STATUS_ADDRESS_CLOSED);
    STATUS_SUCCESS
});

unsafe extern "efiapi" fn receives_datagram(
    context: *mut c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    _: u32,
    indicated: u32,
    _: u32,
    taken: *mut u32,
    _: *const c_void,
    _: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: it was registered with this context.
    let _clients = unsafe { called(context, Which::FarAddress) };
    // SAFETY: the transport passes a place for the count.
    unsafe { taken.write(indicated) };
    STATUS_SUCCESS
}
