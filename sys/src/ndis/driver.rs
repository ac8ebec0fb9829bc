//! The miniport driver as it registers with NDIS.
//!
//! `NDIS_MINIPORT_DRIVER_CHARACTERISTICS` ends at 0x88 (revision 1), 0x98 (revision 2, up to Windows 10 1607)
//! or 0xA0 (revision 3, NDIS 6.80). Enumerations: order of the pages of `MINIPORT_HALT` and
//! `MINIPORT_SHUTDOWN`. A driver for RDMA must handle direct OID requests.

use super::{
    NDIS_HANDLE, NDIS_MINIPORT_INIT_PARAMETERS, NDIS_MINIPORT_PAUSE_PARAMETERS,
    NDIS_MINIPORT_RESTART_PARAMETERS, NDIS_OBJECT_HEADER, NDIS_OID_REQUEST, NDIS_PORT_NUMBER,
    NET_BUFFER_LIST, NET_DEVICE_PNP_EVENT,
};
use crate::status::NDIS_STATUS;
use crate::wdm::{BOOLEAN, DRIVER_OBJECT, PVOID, UCHAR, ULONG, USHORT};

layout! {
    /// The characteristics of a miniport driver.
    struct NDIS_MINIPORT_DRIVER_CHARACTERISTICS: 0xA0 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The major version of NDIS that the driver is written for.
        0x04 => MajorNdisVersion: UCHAR,
        /// The minor version of NDIS that the driver is written for.
        0x05 => MinorNdisVersion: UCHAR,
        /// The driver's own major version.
        0x06 => MajorDriverVersion: UCHAR,
        /// The driver's own minor version.
        0x07 => MinorDriverVersion: UCHAR,
        /// `NDIS_WDM_DRIVER`, or zero.
        0x08 => Flags: ULONG,
        /// Registers optional handlers.
        0x10 => SetOptionsHandler: Option<SET_OPTIONS_HANDLER>,
        /// Initialises an adapter.
        0x18 => InitializeHandlerEx: Option<MINIPORT_INITIALIZE_HANDLER>,
        /// Gives up an adapter.
        0x20 => HaltHandlerEx: Option<MINIPORT_HALT_HANDLER>,
        /// The driver is about to go.
        0x28 => UnloadHandler: Option<MINIPORT_DRIVER_UNLOAD>,
        /// Stops the data path.
        0x30 => PauseHandler: Option<MINIPORT_PAUSE_HANDLER>,
        /// Starts the data path.
        0x38 => RestartHandler: Option<MINIPORT_RESTART_HANDLER>,
        /// Answers or obeys object identifiers.
        0x40 => OidRequestHandler: Option<MINIPORT_OID_REQUEST_HANDLER>,
        /// Sends.
        0x48 => SendNetBufferListsHandler: Option<MINIPORT_SEND_NET_BUFFER_LISTS_HANDLER>,
        /// Takes back received data.
        0x50 => ReturnNetBufferListsHandler: Option<MINIPORT_RETURN_NET_BUFFER_LISTS_HANDLER>,
        /// Cancels sends.
        0x58 => CancelSendHandler: Option<MINIPORT_CANCEL_SEND_HANDLER>,
        /// Says whether the hardware hangs; optional.
        0x60 => CheckForHangHandlerEx: Option<MINIPORT_CHECK_FOR_HANG_HANDLER>,
        /// Resets the hardware; optional.
        0x68 => ResetHandlerEx: Option<MINIPORT_RESET_HANDLER>,
        /// Hears what happens to the device.
        0x70 => DevicePnPEventNotifyHandler: Option<MINIPORT_DEVICE_PNP_EVENT_NOTIFY_HANDLER>,
        /// Hears that the machine stops.
        0x78 => ShutdownHandlerEx: Option<MINIPORT_SHUTDOWN_HANDLER>,
        /// Cancels an OID request.
        0x80 => CancelOidRequestHandler: Option<MINIPORT_CANCEL_OID_REQUEST_HANDLER>,
        /// Answers direct OID requests.
        0x88 => DirectOidRequestHandler: Option<MINIPORT_DIRECT_OID_REQUEST_HANDLER>,
        /// Cancels a direct OID request.
        0x90 => CancelDirectOidRequestHandler: Option<MINIPORT_CANCEL_DIRECT_OID_REQUEST_HANDLER>,
        /// Answers synchronous OID requests; optional.
        0x98 => SynchronousOidRequestHandler: Option<MINIPORT_SYNCHRONOUS_OID_REQUEST_HANDLER>,
    }

    /// The head that every structure of optional handlers begins with.
    struct NDIS_DRIVER_OPTIONAL_HANDLERS: 0x4 {
        /// The head.
        0x0 => Header: NDIS_OBJECT_HEADER,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 = 1;
    /// NDIS 6.1: direct OID requests.
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 = 2;
    /// NDIS 6.80: synchronous OID requests.
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3 = 3;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 = 0x88;
    /// Size of revision 2, in bytes.
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 = 0x98;
    /// Size of revision 3, in bytes.
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3 = 0xA0;
}

constants! { ULONG:
    /// The miniport has another driver interface below; its device is not NDIS's to touch.
    NDIS_WDM_DRIVER = 0x2;
}

open_enum! {
    /// The reason of a halt.
    enum NDIS_HALT_ACTION: i32 {
        /// Its device is removed or disabled.
        NdisHaltDeviceDisabled = 0,
        /// An intermediate driver asked.
        NdisHaltDeviceInstanceDeInitialized = 1,
        /// The machine goes to sleep.
        NdisHaltDevicePoweredDown = 2,
        /// Its device is gone.
        NdisHaltDeviceSurpriseRemoved = 3,
        /// Its device failed.
        NdisHaltDeviceFailed = 4,
        /// Something failed after it was initialised.
        NdisHaltDeviceInitializationFailed = 5,
        /// Its device is stopped.
        NdisHaltDeviceStopped = 6,
    }

    /// The reason of a shutdown.
    enum NDIS_SHUTDOWN_ACTION: i32 {
        /// It is switched off.
        NdisShutdownPowerOff = 0,
        /// It has crashed.
        NdisShutdownBugCheck = 1,
    }
}

/// The miniport's: register optional handlers. PASSIVE_LEVEL.
pub type SET_OPTIONS_HANDLER =
    unsafe extern "efiapi" fn(NdisDriverHandle: NDIS_HANDLE, DriverContext: NDIS_HANDLE) -> NDIS_STATUS;
/// The miniport's: initialise an adapter. PASSIVE_LEVEL.
pub type MINIPORT_INITIALIZE_HANDLER = unsafe extern "efiapi" fn(
    NdisMiniportHandle: NDIS_HANDLE,
    MiniportDriverContext: NDIS_HANDLE,
    MiniportInitParameters: *mut NDIS_MINIPORT_INIT_PARAMETERS,
) -> NDIS_STATUS;
/// The miniport's: give up an adapter. PASSIVE_LEVEL.
pub type MINIPORT_HALT_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE, HaltAction: NDIS_HALT_ACTION);
/// The miniport's: the driver is about to go. PASSIVE_LEVEL.
pub type MINIPORT_DRIVER_UNLOAD = unsafe extern "efiapi" fn(DriverObject: *mut DRIVER_OBJECT);
/// The miniport's: stop the data path of an adapter. PASSIVE_LEVEL.
pub type MINIPORT_PAUSE_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    PauseParameters: *mut NDIS_MINIPORT_PAUSE_PARAMETERS,
) -> NDIS_STATUS;
/// The miniport's: start the data path of an adapter. PASSIVE_LEVEL.
pub type MINIPORT_RESTART_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    RestartParameters: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS;
/// The miniport's: answer or obey an object identifier. PASSIVE_LEVEL; one at a time.
pub type MINIPORT_OID_REQUEST_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS;
/// The miniport's: send. ≤ DISPATCH_LEVEL.
pub type MINIPORT_SEND_NET_BUFFER_LISTS_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    NetBufferList: *mut NET_BUFFER_LIST,
    PortNumber: NDIS_PORT_NUMBER,
    SendFlags: ULONG,
);
/// The miniport's: received data comes back. ≤ DISPATCH_LEVEL.
pub type MINIPORT_RETURN_NET_BUFFER_LISTS_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    NetBufferLists: *mut NET_BUFFER_LIST,
    ReturnFlags: ULONG,
);
/// The miniport's: cancel sends that carry this identifier. ≤ DISPATCH_LEVEL.
pub type MINIPORT_CANCEL_SEND_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE, CancelId: PVOID);
/// The miniport's: does the hardware hang? PASSIVE_LEVEL.
pub type MINIPORT_CHECK_FOR_HANG_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE) -> BOOLEAN;
/// The miniport's: reset the hardware, and say whether NDIS is to set addresses and filters again. ≤ DISPATCH_LEVEL
/// (`ndis.h`, and <https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_reset>).
///
/// Returns `NDIS_STATUS_SUCCESS`, `NDIS_STATUS_PENDING` (`NdisMResetComplete` follows),
/// `NDIS_STATUS_RESET_IN_PROGRESS`, `NDIS_STATUS_SOFT_ERRORS` or `NDIS_STATUS_HARD_ERRORS`. From NDIS 6.30 on, pending
/// sends and requests are completed before the reset is.
pub type MINIPORT_RESET_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    AddressingReset: *mut BOOLEAN,
) -> NDIS_STATUS;
/// The miniport's: something happens to its device. PASSIVE_LEVEL.
pub type MINIPORT_DEVICE_PNP_EVENT_NOTIFY_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    NetDevicePnPEvent: *mut NET_DEVICE_PNP_EVENT,
);
/// The miniport's: the machine stops. Any level if by a bug check, else PASSIVE_LEVEL.
pub type MINIPORT_SHUTDOWN_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE, ShutdownAction: NDIS_SHUTDOWN_ACTION);
/// The miniport's: cancel the request with this identifier. ≤ DISPATCH_LEVEL.
pub type MINIPORT_CANCEL_OID_REQUEST_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE, RequestId: PVOID);
/// The miniport's: as an OID request, but not serialised. ≤ DISPATCH_LEVEL.
pub type MINIPORT_DIRECT_OID_REQUEST_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS;
/// The miniport's: cancel the direct request with this identifier. ≤ DISPATCH_LEVEL.
pub type MINIPORT_CANCEL_DIRECT_OID_REQUEST_HANDLER =
    unsafe extern "efiapi" fn(MiniportAdapterContext: NDIS_HANDLE, RequestId: PVOID);
/// The miniport's: as a direct OID request, but never pending. ≤ DISPATCH_LEVEL.
pub type MINIPORT_SYNCHRONOUS_OID_REQUEST_HANDLER = unsafe extern "efiapi" fn(
    MiniportAdapterContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS;
