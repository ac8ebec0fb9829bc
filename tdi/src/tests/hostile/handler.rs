//! Handlers of clients, which keep nothing.

use core::ffi::c_void;

use sys::status::{NTSTATUS, STATUS_CONNECTION_REFUSED, STATUS_SUCCESS};
use sys::tdi::{
    TDI_EVENT_CONNECT, TDI_EVENT_DISCONNECT, TDI_EVENT_ERROR, TDI_EVENT_ERROR_EX, TDI_EVENT_RECEIVE,
    TDI_EVENT_RECEIVE_EXPEDITED, TDI_EVENT_SEND_POSSIBLE,
};
use sys::wdm::IRP;

/// The handler of an event; null where there is none.
pub(super) fn of(event: i32) -> *const () {
    match event {
        TDI_EVENT_CONNECT => code_address!(connect_handler),
        TDI_EVENT_DISCONNECT => code_address!(disconnect_handler),
        TDI_EVENT_RECEIVE | TDI_EVENT_RECEIVE_EXPEDITED => code_address!(receive_handler),
        TDI_EVENT_SEND_POSSIBLE => code_address!(possible_handler),
        TDI_EVENT_ERROR => code_address!(error_handler),
        TDI_EVENT_ERROR_EX => code_address!(extended_handler),
        _ => core::ptr::null(),
    }
}

/// Takes half of what it is shown.
unsafe extern "efiapi" fn receive_handler(
    _: *mut c_void,
    _: *mut c_void,
    _: u32,
    indicated: u32,
    _: u32,
    taken: *mut u32,
    _: *const c_void,
    _: *mut *mut IRP,
) -> NTSTATUS {
    // SAFETY: the transport passes a place for the count.
    unsafe { taken.write(indicated.div_ceil(2)) };
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn disconnect_handler(
    _: *mut c_void,
    _: *mut c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    _: u32,
) -> NTSTATUS {
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn connect_handler(
    _: *mut c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    _: *mut *mut c_void,
    _: *mut *mut IRP,
) -> NTSTATUS {
    STATUS_CONNECTION_REFUSED
}

unsafe extern "efiapi" fn possible_handler(_: *mut c_void, _: *mut c_void, room: u32) -> NTSTATUS {
    assert_ne!(room, 0, "there is room");
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn error_handler(_: *mut c_void, _: NTSTATUS) -> NTSTATUS {
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn extended_handler(_: *mut c_void, _: NTSTATUS, _: *mut c_void) -> NTSTATUS {
    STATUS_SUCCESS
}
