//! Exports of `ntoskrnl.exe` under the prefix Etw: the provider's side of Event Tracing for Windows.
//!
//! Prototypes and structures have the documented members of the pages `wdm/nf-wdm-etw…` and of
//! <https://learn.microsoft.com/windows/win32/api/evntprov/>. `EtwSetInformation` is not in mingw-w64's import
//! library.

use super::*;
use crate::status::NTSTATUS;

/// A registration of a provider; zero is none.
pub type REGHANDLE = u64;

layout! {
    /// The fixed part of an event (<https://learn.microsoft.com/windows/win32/api/evntprov/ns-evntprov-event_descriptor>).
    #[derive(Debug, Eq, PartialEq)]
    struct EVENT_DESCRIPTOR: 0x10 {
        /// Its number; zero for one that brings its own description.
        0x00 => Id: USHORT,
        /// The version of the description.
        0x02 => Version: UCHAR,
        /// The channel; 11 for an event that brings its own description.
        0x03 => Channel: UCHAR,
        /// The severity: 1 (critical) to 5 (verbose); 0 passes every session.
        0x04 => Level: UCHAR,
        /// The operation.
        0x05 => Opcode: UCHAR,
        /// The task.
        0x06 => Task: USHORT,
        /// The categories.
        0x08 => Keyword: u64,
    }

    /// A part of an event's data
    /// (<https://learn.microsoft.com/windows/win32/api/evntprov/ns-evntprov-event_data_descriptor>).
    #[derive(Debug, Eq, PartialEq)]
    struct EVENT_DATA_DESCRIPTOR: 0x10 {
        /// The address of the part.
        0x00 => Ptr: u64,
        /// Its length, in bytes.
        0x08 => Size: ULONG,
        /// `EVENT_DATA_DESCRIPTOR_TYPE_...`
        0x0C => Type: ULONG,
    }
}

constants! { ULONG:
    /// Data of the event.
    EVENT_DATA_DESCRIPTOR_TYPE_NONE = 0;
    /// The description of the event.
    EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA = 1;
    /// The traits of the provider.
    EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA = 2;
    /// `EventProviderSetTraits` of `EVENT_INFO_CLASS`
    /// (<https://learn.microsoft.com/windows/win32/api/evntprov/ne-evntprov-event_info_class>).
    EVENT_PROVIDER_SET_TRAITS = 2;
    /// The provider is disabled
    /// (<https://learn.microsoft.com/windows/win32/api/evntprov/nc-evntprov-penablecallback>).
    EVENT_CONTROL_CODE_DISABLE_PROVIDER = 0;
    /// The provider is enabled, or its level or keywords change.
    EVENT_CONTROL_CODE_ENABLE_PROVIDER = 1;
    /// The provider is to tell its state.
    EVENT_CONTROL_CODE_CAPTURE_STATE = 2;
}

/// Tells a provider that sessions enable or disable it. PASSIVE_LEVEL
/// (page `wdm/nc-wdm-etwenablecallback`).
pub type ETWENABLECALLBACK = unsafe extern "efiapi" fn(
    SourceId: *const GUID,
    ControlCode: ULONG,
    Level: UCHAR,
    MatchAnyKeyword: u64,
    MatchAllKeyword: u64,
    FilterData: PVOID,
    CallbackContext: PVOID,
);

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Registers a provider. PASSIVE_LEVEL, in a system thread.
    fn EtwRegister(
        ProviderId: *const GUID,
        EnableCallback: Option<ETWENABLECALLBACK>,
        CallbackContext: PVOID,
        RegHandle: *mut REGHANDLE,
    ) -> NTSTATUS;
    /// Ends a registration. PASSIVE_LEVEL, in a system thread.
    fn EtwUnregister(RegHandle: REGHANDLE) -> NTSTATUS;
    /// Changes a registration. PASSIVE_LEVEL.
    fn EtwSetInformation(
        RegHandle: REGHANDLE,
        InformationClass: ULONG,
        EventInformation: *const VOID,
        InformationLength: ULONG,
    ) -> NTSTATUS;
    /// Writes an event. Any level; above APC_LEVEL nothing that is passed is pageable.
    fn EtwWriteTransfer(
        RegHandle: REGHANDLE,
        EventDescriptor: *const EVENT_DESCRIPTOR,
        ActivityId: *const GUID,
        RelatedActivityId: *const GUID,
        UserDataCount: ULONG,
        UserData: *const EVENT_DATA_DESCRIPTOR,
    ) -> NTSTATUS;
}
