//! Binding to the framework.
//!
//! Structures: `fxldr.h` of the framework's sources. What a stub passes as the component's name comes from
//! ReactOS; the source of Microsoft's own stub (`WdfDriverEntry.lib`) is not public.

use super::{WDF_DRIVER_GLOBALS, WDFFUNC};
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, DRIVER_OBJECT, PUNICODE_STRING, PVOID, ULONG, WCHAR};

layout! {
    /// A version of the framework.
    #[derive(Debug, Eq, PartialEq)]
    struct WDF_VERSION: 0xC {
        /// The major version.
        0x0 => Major: ULONG,
        /// The minor version.
        0x4 => Minor: ULONG,
        /// The build.
        0x8 => Build: ULONG,
    }

    /// The bind information of a driver: the version that it asks for, and where the framework's table goes.
    struct WDF_BIND_INFO: 0x30 {
        /// Size of this structure, or of [`WDF_BIND_INFO2`] if it is the head of one, in bytes.
        0x00 => Size: ULONG,
        /// `KmdfLibrary`, terminated.
        0x08 => Component: *const WCHAR,
        /// The version that the driver is built for.
        0x10 => Version: WDF_VERSION,
        /// The number of functions that the driver knows; must be a released table's size.
        0x1C => FuncCount: ULONG,
        /// From 1.15 on, where to store the address of the table; before, the driver's own table, to be filled.
        0x20 => FuncTable: *mut *const WDFFUNC,
        /// The loader's.
        0x28 => Module: PVOID,
    }

    /// The bind information of a driver that runs on older frameworks too (from 1.25 on; offsets computed).
    struct WDF_BIND_INFO2: 0x58 {
        /// The head.
        0x00 => V1: WDF_BIND_INFO,
        /// The oldest minor version that will do.
        0x30 => MinimumVersionRequired: *const ULONG,
        /// The place for whether the framework is older than the driver.
        0x38 => ClientVersionHigherThanFramework: *mut BOOLEAN,
        /// The place for the number of functions.
        0x40 => FuncCountPtr: *mut ULONG,
        /// The place for the number of structures.
        0x48 => StructCountPtr: *mut ULONG,
        /// The place for the sizes of the structures.
        0x50 => StructTable: PVOID,
    }
}

constants! { ULONG:
    /// The number of functions of KMDF 1.15.
    WDF_FUNCTION_COUNT_1_15 = 444;
    /// The number of functions of KMDF 1.33.
    WDF_FUNCTION_COUNT_1_33 = 458;
}

imports! {
    "wdfldr.sys", "wdfldr";

    /// Binds a driver to the framework, which is loaded if need be. PASSIVE_LEVEL.
    fn WdfVersionBind(
        DriverObject: *mut DRIVER_OBJECT,
        RegistryPath: PUNICODE_STRING,
        BindInfo: *mut WDF_BIND_INFO,
        ComponentGlobals: *mut *mut WDF_DRIVER_GLOBALS,
    ) -> NTSTATUS;
    /// Ends the binding. PASSIVE_LEVEL.
    fn WdfVersionUnbind(
        RegistryPath: PUNICODE_STRING,
        BindInfo: *mut WDF_BIND_INFO,
        ComponentGlobals: *mut WDF_DRIVER_GLOBALS,
    ) -> NTSTATUS;
    /// Binds a driver to a class extension. PASSIVE_LEVEL.
    fn WdfVersionBindClass(
        BindInfo: *mut WDF_BIND_INFO,
        Globals: *mut WDF_DRIVER_GLOBALS,
        ClassBindInfo: PVOID,
    ) -> NTSTATUS;
    /// Ends that binding. PASSIVE_LEVEL.
    fn WdfVersionUnbindClass(BindInfo: *mut WDF_BIND_INFO, Globals: *mut WDF_DRIVER_GLOBALS, ClassBindInfo: PVOID);
    /// Hands over an interface of the loader: a header with the address of its GUID and its size, which is filled
    /// in. PASSIVE_LEVEL.
    fn WdfLdrQueryInterface(Interface: PVOID) -> NTSTATUS;
}
