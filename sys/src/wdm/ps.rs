//! Exports of `ntoskrnl.exe` under the prefixes Ps, Ob and Zw: threads, handles, the registry.

use super::*;
use crate::status::NTSTATUS;

open_enum! {
    /// The parts of a registry value that a query reads.
    enum KEY_VALUE_INFORMATION_CLASS: i32 {
        /// Its name.
        KeyValueBasicInformation = 0,
        /// Its name and data.
        KeyValueFullInformation = 1,
        /// Its data, [`KEY_VALUE_PARTIAL_INFORMATION`].
        KeyValuePartialInformation = 2,
    }
}

layout! {
    /// A registry value without its name. (Compiled from mingw-w64.)
    struct KEY_VALUE_PARTIAL_INFORMATION: 0x10 {
        /// Zero.
        0x0 => TitleIndex: ULONG,
        /// `REG_…`.
        0x4 => Type: ULONG,
        /// Length of the data, in bytes.
        0x8 => DataLength: ULONG,
        /// The first byte of the data.
        0xC => Data: [UCHAR; 1],
    }
}

constants! { ULONG:
    /// A string with its terminator.
    REG_SZ = 1;
    /// Bytes.
    REG_BINARY = 3;
    /// A 32-bit integer.
    REG_DWORD = 4;
    /// Strings, each with its terminator, and an empty one.
    REG_MULTI_SZ = 7;
}

constants! { ACCESS_MASK:
    /// The right to read a key.
    KEY_READ = 0x0002_0019;
}

/// A type of the object manager's, opaque to drivers.
#[repr(C)]
pub struct OBJECT_TYPE {
    opaque: [UCHAR; 0],
}

/// A type of objects, as functions of the object manager take it.
pub type POBJECT_TYPE = *mut OBJECT_TYPE;

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Starts a thread in a process, or in the system's. PASSIVE_LEVEL.
    fn PsCreateSystemThread(
        ThreadHandle: *mut HANDLE,
        DesiredAccess: ULONG,
        ObjectAttributes: *mut OBJECT_ATTRIBUTES,
        ProcessHandle: HANDLE,
        ClientId: *mut CLIENT_ID,
        StartRoutine: Option<PKSTART_ROUTINE>,
        StartContext: PVOID,
    ) -> NTSTATUS;
    /// Ends the current system thread; does not return. PASSIVE_LEVEL.
    fn PsTerminateSystemThread(ExitStatus: NTSTATUS) -> NTSTATUS;
    /// The identity of the current thread. Any level.
    fn PsGetCurrentThreadId() -> HANDLE;
    /// The identity of the current process. Any level.
    fn PsGetCurrentProcessId() -> HANDLE;

    /// The object behind a handle, referenced. PASSIVE_LEVEL.
    fn ObReferenceObjectByHandle(
        Handle: HANDLE,
        DesiredAccess: ACCESS_MASK,
        ObjectType: POBJECT_TYPE,
        AccessMode: KPROCESSOR_MODE,
        Object: *mut PVOID,
        HandleInformation: PVOID,
    ) -> NTSTATUS;
    /// A handle to an object. PASSIVE_LEVEL.
    fn ObOpenObjectByPointer(
        Object: PVOID,
        HandleAttributes: ULONG,
        PassedAccessState: PVOID,
        DesiredAccess: ACCESS_MASK,
        ObjectType: POBJECT_TYPE,
        AccessMode: KPROCESSOR_MODE,
        Handle: *mut HANDLE,
    ) -> NTSTATUS;
    /// Adds a reference (the inline `ObReferenceObject`); returns the count. ≤ DISPATCH_LEVEL.
    fn ObfReferenceObject(Object: PVOID) -> isize;
    /// Drops a reference (the inline `ObDereferenceObject`); returns the count. ≤ DISPATCH_LEVEL.
    fn ObfDereferenceObject(Object: PVOID) -> isize;

    /// Closes a handle. PASSIVE_LEVEL.
    fn ZwClose(Handle: HANDLE) -> NTSTATUS;
    /// Sets parts of an object's security descriptor (`SecurityInformation` says which). PASSIVE_LEVEL.
    fn ZwSetSecurityObject(
        Handle: HANDLE,
        SecurityInformation: ULONG,
        SecurityDescriptor: PVOID,
    ) -> NTSTATUS;
    /// Opens a registry key. PASSIVE_LEVEL.
    fn ZwOpenKey(
        KeyHandle: *mut HANDLE,
        DesiredAccess: ACCESS_MASK,
        ObjectAttributes: *mut OBJECT_ATTRIBUTES,
    ) -> NTSTATUS;
    /// Reads a registry value. PASSIVE_LEVEL.
    fn ZwQueryValueKey(
        KeyHandle: HANDLE,
        ValueName: PUNICODE_STRING,
        KeyValueInformationClass: KEY_VALUE_INFORMATION_CLASS,
        KeyValueInformation: PVOID,
        Length: ULONG,
        ResultLength: *mut ULONG,
    ) -> NTSTATUS;
}
