//! The entry points that NDIS calls.
//!
//! Each turns its raw arguments into references, calls a safe function and returns what that says.

#![expect(unsafe_code, reason = "NDIS calls these functions with addresses")]

use core::ptr::NonNull;

use provider::kernel::event::AdapterState;
use sys::irql::PassiveLevel;
use sys::ndis::{
    self, NDIS_DEVICE_PNP_EVENT, NDIS_HALT_ACTION, NDIS_HANDLE, NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    NDIS_MINIPORT_INIT_PARAMETERS, NDIS_MINIPORT_PAUSE_PARAMETERS, NDIS_MINIPORT_RESTART_PARAMETERS,
    NDIS_NDK_PROVIDER_CHARACTERISTICS, NDIS_OID_REQUEST, NDIS_OPEN_NDK_ADAPTER_PARAMETERS, NDIS_PORT_NUMBER,
    NDIS_SHUTDOWN_ACTION, NET_BUFFER_LIST, NET_DEVICE_PNP_EVENT,
};
use sys::ndk::NDK_ADAPTER;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_NOT_ACCEPTED, NDIS_STATUS_SUCCESS,
};
use sys::wdm::{DRIVER_OBJECT, PVOID, ULONG};

use crate::adapter::Adapter;
use crate::identity::{DRIVER_VERSION, NDIS_VERSION, header};
use crate::{driver, oid};

/// The handlers that the driver registers. Its hardware cannot hang, so there is no check for a hang, and no reset.
pub(crate) const fn characteristics() -> NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
            ndis::NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
            ndis::NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
        ),
        MajorNdisVersion: NDIS_VERSION.0,
        MinorNdisVersion: NDIS_VERSION.1,
        MajorDriverVersion: DRIVER_VERSION.0,
        MinorDriverVersion: DRIVER_VERSION.1,
        Flags: 0,
        SetOptionsHandler: Some(set_options),
        InitializeHandlerEx: Some(initialize),
        HaltHandlerEx: Some(halt),
        UnloadHandler: Some(unload),
        PauseHandler: Some(pause),
        RestartHandler: Some(restart),
        OidRequestHandler: Some(oid_request),
        SendNetBufferListsHandler: Some(send),
        ReturnNetBufferListsHandler: Some(return_nbls),
        CancelSendHandler: Some(cancel_send),
        CheckForHangHandlerEx: None,
        ResetHandlerEx: None,
        DevicePnPEventNotifyHandler: Some(device_pnp_event),
        ShutdownHandlerEx: Some(shutdown),
        CancelOidRequestHandler: Some(cancel_oid_request),
        DirectOidRequestHandler: Some(direct_oid_request),
        CancelDirectOidRequestHandler: Some(cancel_oid_request),
        SynchronousOidRequestHandler: None,
    }
}

/// Registers the RDMA provider (NDIS-1).
unsafe extern "efiapi" fn set_options(driver: NDIS_HANDLE, _context: NDIS_HANDLE) -> NDIS_STATUS {
    let provider = NDIS_NDK_PROVIDER_CHARACTERISTICS {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS,
            ndis::NDIS_NDK_PROVIDER_CHARACTERISTICS_REVISION_1,
            ndis::NDIS_SIZEOF_NDK_PROVIDER_CHARACTERISTICS_REVISION_1,
        ),
        Flags: 0,
        OpenNDKAdapterHandler: Some(open_ndk_adapter),
        CloseNDKAdapterHandler: Some(close_ndk_adapter),
    };
    // SAFETY: the handle is what NDIS passed for this call, and the structure is what its head says.
    unsafe { ndis::NdisSetOptionalHandlers(driver, (&raw const provider).cast()) }
}

/// The adapter behind a context that NDIS passes.
///
/// # Safety
///
/// `context` is the context of an adapter whose halt has not returned.
unsafe fn adapter<'a>(context: NDIS_HANDLE) -> &'a Adapter {
    // SAFETY: the context is the address of the box that `initialize` leaked and `halt` takes back.
    unsafe { &*context.cast::<Adapter>() }
}

unsafe extern "efiapi" fn initialize(
    handle: NDIS_HANDLE,
    _driver: NDIS_HANDLE,
    parameters: *mut NDIS_MINIPORT_INIT_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes parameters that are valid during the call.
    let Some(parameters) = (unsafe { parameters.as_ref() }) else { return NDIS_STATUS_INVALID_PARAMETER };
    // SAFETY: NDIS calls MiniportInitializeEx at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: the handle is that of an adapter that is being initialised.
    match unsafe { Adapter::initialize(handle, parameters, level) } {
        Ok(()) => NDIS_STATUS_SUCCESS,
        Err(error) => {
            // SAFETY: as above.
            unsafe { error.log(handle) };
            error.status
        }
    }
}

unsafe extern "efiapi" fn halt(context: NDIS_HANDLE, _why: NDIS_HALT_ACTION) {
    let Some(context) = NonNull::new(context) else { return };
    // SAFETY: NDIS calls MiniportHaltEx at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: NDIS halts an adapter once, when it is paused, and does not use its context any more.
    unsafe { Adapter::halt(context.cast(), level) };
}

unsafe extern "efiapi" fn unload(_object: *mut DRIVER_OBJECT) {
    // SAFETY: NDIS calls MiniportDriverUnload at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: NDIS calls this when the driver's last adapter is gone.
    unsafe { driver::unload(level) };
}

unsafe extern "efiapi" fn pause(
    context: NDIS_HANDLE,
    _parameters: *mut NDIS_MINIPORT_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes an adapter's context.
    let adapter = unsafe { adapter(context) };
    adapter.report(AdapterState::Paused);
    adapter.ethernet().pause()
}

unsafe extern "efiapi" fn restart(
    context: NDIS_HANDLE,
    _parameters: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes an adapter's context.
    let adapter = unsafe { adapter(context) };
    adapter.ethernet().restart();
    adapter.report(AdapterState::Restarted);
    NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn send(
    context: NDIS_HANDLE,
    lists: *mut NET_BUFFER_LIST,
    _port: NDIS_PORT_NUMBER,
    flags: ULONG,
) {
    // SAFETY: NDIS passes an adapter's context.
    let port = unsafe { adapter(context) }.ethernet();
    // SAFETY: NDIS passes lists that are the driver's until it completes them.
    unsafe { port.send(lists, flags) };
}

unsafe extern "efiapi" fn return_nbls(context: NDIS_HANDLE, lists: *mut NET_BUFFER_LIST, _flags: ULONG) {
    // SAFETY: NDIS passes an adapter's context.
    let port = unsafe { adapter(context) }.ethernet();
    // SAFETY: NDIS returns lists that the adapter indicated.
    unsafe { port.return_nbls(lists) };
}

/// Sends are over when the call that began them returns, so there is none to cancel.
unsafe extern "efiapi" fn cancel_send(_context: NDIS_HANDLE, _id: PVOID) {}

/// No request is ever pending, so there is none to cancel.
unsafe extern "efiapi" fn cancel_oid_request(_context: NDIS_HANDLE, _id: PVOID) {}

unsafe extern "efiapi" fn oid_request(context: NDIS_HANDLE, request: *mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    // SAFETY: NDIS passes an adapter's context.
    let adapter = unsafe { adapter(context) };
    // SAFETY: NDIS passes a request that is the driver's until it answers.
    let Some(request) = (unsafe { request.as_mut() }) else { return NDIS_STATUS_INVALID_PARAMETER };
    if adapter.is_removed() {
        return NDIS_STATUS_NOT_ACCEPTED;
    }
    // SAFETY: NDIS calls MiniportOidRequest at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: the request came from NDIS, so its buffers are as it says.
    unsafe { oid::request(adapter, request, level) }
}

/// The direct path carries the statistics alone (NDIS-3); what answers them does not mind the level.
unsafe extern "efiapi" fn direct_oid_request(
    context: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes an adapter's context.
    let adapter = unsafe { adapter(context) };
    // SAFETY: NDIS passes a request that is the driver's until it answers.
    let Some(request) = (unsafe { request.as_mut() }) else { return NDIS_STATUS_INVALID_PARAMETER };
    if adapter.is_removed() {
        return NDIS_STATUS_NOT_ACCEPTED;
    }
    // SAFETY: the request came from NDIS, so its buffers are as it says.
    unsafe { oid::direct_request(adapter, request) }
}

unsafe extern "efiapi" fn device_pnp_event(context: NDIS_HANDLE, event: *mut NET_DEVICE_PNP_EVENT) {
    // SAFETY: NDIS passes an adapter's context.
    let adapter = unsafe { adapter(context) };
    // SAFETY: NDIS passes an event that is valid during the call.
    let Some(event) = (unsafe { event.as_ref() }) else { return };
    if event.DevicePnPEvent == NDIS_DEVICE_PNP_EVENT::NdisDevicePnPEventSurpriseRemoved {
        adapter.surprise_remove();
    }
}

/// There is no hardware to stop.
unsafe extern "efiapi" fn shutdown(_context: NDIS_HANDLE, _why: NDIS_SHUTDOWN_ACTION) {}

unsafe extern "efiapi" fn open_ndk_adapter(
    context: NDIS_HANDLE,
    parameters: *const NDIS_OPEN_NDK_ADAPTER_PARAMETERS,
    opened: *mut *mut NDK_ADAPTER,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes an adapter's context.
    let adapter = unsafe { adapter(context) };
    // SAFETY: NDIS passes parameters that are valid during the call.
    let Some(parameters) = (unsafe { parameters.as_ref() }) else { return NDIS_STATUS_INVALID_PARAMETER };
    // SAFETY: NDIS passes the place for the result.
    let Some(opened) = (unsafe { opened.as_mut() }) else { return NDIS_STATUS_INVALID_PARAMETER };
    // SAFETY: NDIS calls OPEN_NDK_ADAPTER_HANDLER at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    if let Err(status) = adapter.refresh_addresses(level) {
        return status;
    }
    match adapter.rdma().open(parameters.Version) {
        Ok(adapter) => {
            *opened = adapter.as_ptr();
            NDIS_STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

unsafe extern "efiapi" fn close_ndk_adapter(_context: NDIS_HANDLE, opened: *mut NDK_ADAPTER) {
    let Some(opened) = NonNull::new(opened) else { return };
    // SAFETY: NDIS calls CLOSE_NDK_ADAPTER_HANDLER at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: NDIS closes what `open_ndk_adapter` opened, once, and does not use it again.
    unsafe { provider::Rnic::<crate::kernel::Windows>::close(opened, level) };
}
