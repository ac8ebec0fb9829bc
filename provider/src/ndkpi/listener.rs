//! The listener's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{NDK_FN_REQUEST_COMPLETION, NDK_LISTENER, NDK_LISTENER_DISPATCH};
use sys::sockaddr::{PSOCKADDR, SOCKADDR};
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{BOOLEAN, PVOID, ULONG};

use super::{address, close, object, query_extension, status};
use crate::connection::Listener;
use crate::connection::lookup::{Listen, Waiting};
use crate::consumer::Completion;
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, Status};
use crate::lifetime::Kind;
use crate::status::StatusError;

/// The functions of a listener.
pub(super) fn table<K: Kernel>() -> &'static NDK_LISTENER_DISPATCH {
    const {
        &NDK_LISTENER_DISPATCH {
            NdkCloseListener: Some(close::<K, Listener<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkListen: Some(listen::<K>),
            NdkGetLocalAddress: Some(local_address::<K>),
            NdkControlConnectEvents: Some(control_connect_events::<K>),
        }
    }
}

/// NdkListen: inline, unless the address is one that the RNIC does not have, which is looked up first, or the RNIC has
/// a network, which is asked for the port.
unsafe extern "efiapi" fn listen<K: Kernel>(
    listener: *mut NDK_LISTENER,
    at: *const SOCKADDR,
    length: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let mut local = None;
    let mut listening = || {
        // SAFETY: the consumer passes a listener that it has not closed.
        let listener = unsafe { object::<K, Listener<K>, _>(listener) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        let at = unsafe { address::read(at, length) }?;
        local = Some(at);
        let rnic = listener.rnic();
        let new = listener.local_address().is_none();
        if new && completion.is_some() && rnic.is_to_be_looked_up(at.ip()) {
            // The request may be completed, and the listener closed, before this returns.
            let _call = listener.try_acquire(Kind::Request)?;
            let (completion, hold) =
                (Completion::new(completion, context), listener.try_acquire(Kind::Request)?);
            rnic.wait_for_addresses(Waiting::Listen(Listen { listener: hold, at, completion }))?;
            return Ok(STATUS_PENDING);
        }
        if let Some(network) = rnic.network() {
            listener.listen_over(network, at, Completion::new(completion, context))?;
            return Ok(STATUS_PENDING);
        }
        listener.listen(at)?;
        Ok(STATUS_SUCCESS)
    };
    let status = status(listening());
    event::write::<K>(|| Event::Listen { object: Handle(listener.addr()), local, status: Status(status) });
    status
}

/// NdkGetLocalAddress of a listener.
unsafe extern "efiapi" fn local_address<K: Kernel>(
    listener: *mut NDK_LISTENER,
    buffer: PSOCKADDR,
    length: *mut ULONG,
) -> NTSTATUS {
    let written = || {
        // SAFETY: the consumer passes a listener that it has not closed.
        let listener = unsafe { object::<K, Listener<K>, _>(listener) }?;
        let local = listener.local_address().ok_or(StatusError(STATUS_INVALID_DEVICE_STATE))?;
        // SAFETY: the consumer passes a length, and a buffer of that length.
        Ok(unsafe { address::write(local, buffer, length) })
    };
    status(written())
}

/// NdkControlConnectEvents.
unsafe extern "efiapi" fn control_connect_events<K: Kernel>(listener: *mut NDK_LISTENER, pause: BOOLEAN) {
    // SAFETY: the consumer passes a listener that it has not closed.
    if let Ok(listener) = unsafe { object::<K, Listener<K>, _>(listener) } {
        listener.pause(pause != 0);
    }
}
