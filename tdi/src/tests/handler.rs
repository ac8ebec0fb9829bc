//! A client's event handlers, which keep what they are shown.

use std::ffi::c_void;

use provider::number::usize_from;
use sys::status::*;
use sys::tdi::{
    TDI_EVENT_DISCONNECT, TDI_EVENT_RECEIVE, TDI_EVENT_RECEIVE_EXPEDITED, TDI_RECEIVE_COPY_LOOKAHEAD,
    TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL,
};

use super::client::Pair;
use super::host::{Log, give};
use crate::{Command, HandlerIrp, Id};

/// The flags with which normal data is shown.
pub(super) const NORMAL: u32 = TDI_RECEIVE_NORMAL | TDI_RECEIVE_COPY_LOOKAHEAD;
/// The flags with which expedited data is shown.
pub(super) const EXPEDITED: u32 = TDI_RECEIVE_EXPEDITED | TDI_RECEIVE_COPY_LOOKAHEAD;

/// The calls of a test's handlers, and a receive that they make.
#[derive(Default)]
pub(super) struct Seen {
    /// The flags of each call, bytes shown and bytes that there were.
    pub(super) shown: Vec<(u32, usize, usize)>,
    pub(super) told: Vec<u32>,
    /// Bytes to take at the next call.
    pub(super) take: Vec<u32>,
    /// A receive that the next call gives, with these flags.
    pub(super) again: Option<(Log, Id, u32)>,
}

unsafe extern "efiapi" fn receive_handler(
    context: *mut c_void,
    _: *mut c_void,
    flags: u32,
    indicated: u32,
    available: u32,
    taken: *mut u32,
    _: *const c_void,
    irp: *mut *mut sys::wdm::IRP,
) -> NTSTATUS {
    // SAFETY: the tests register it with this context.
    let seen = unsafe { &mut *context.cast::<Seen>() };
    seen.shown.push((flags, usize_from(indicated), usize_from(available)));
    if let Some((log, file, flags)) = seen.again.take() {
        let (request, _) = log.request(88, vec![0; 16], 16);
        let command = Command::Receive { length: 16, flags };
        // SAFETY: the transport passes places for both.
        unsafe {
            taken.write(1);
            irp.write(give(HandlerIrp { request, file: Some(file), command }));
        }
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    let Some(take) = seen.take.pop() else { return STATUS_DATA_NOT_ACCEPTED };
    // SAFETY: as above.
    unsafe { taken.write(take) };
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn disconnect_handler(
    context: *mut c_void,
    connection: *mut c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    flags: u32,
) -> NTSTATUS {
    assert_eq!(connection.addr(), 0xC0);
    // SAFETY: the tests register it with this context.
    unsafe { &mut *context.cast::<Seen>() }.told.push(flags);
    STATUS_SUCCESS
}

/// Handlers for what the far end sees.
pub(super) fn watched(pair: &Pair) -> Box<Seen> {
    let mut seen = Box::new(Seen::default());
    let context = (&raw mut *seen).cast();
    let handlers = [
        (TDI_EVENT_RECEIVE, code_address!(receive_handler).cast_mut().cast()),
        (TDI_EVENT_RECEIVE_EXPEDITED, code_address!(receive_handler).cast_mut().cast()),
        (TDI_EVENT_DISCONNECT, code_address!(disconnect_handler).cast_mut().cast()),
    ];
    for (event, handler) in handlers {
        assert_eq!(pair.client.transport.set_event(pair.far_address, event, handler, context), Ok(()));
    }
    seen
}
