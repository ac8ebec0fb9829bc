//! Exports of `ntoskrnl.exe` of the run-time library: strings, memory, debug output.
//!
//! `RtlCopyMemory`, `RtlZeroMemory` and `RtlFillMemory` are macros over the C functions;
//! `InitializeListHead`, `InsertTailList` and their relatives are inline.

use super::*;
use crate::status::NTSTATUS;

constants! { ULONG:
    /// Debug output component: network drivers without a component of their own.
    DPFLTR_IHVNETWORK_ID = 80;
    /// Debug output component: drivers without a component of their own.
    DPFLTR_IHVDRIVER_ID = 77;
    /// Debug output level: always shown.
    DPFLTR_ERROR_LEVEL = 0;
    /// Debug output level: warnings.
    DPFLTR_WARNING_LEVEL = 1;
    /// Debug output level: tracing.
    DPFLTR_TRACE_LEVEL = 2;
    /// Debug output level: information.
    DPFLTR_INFO_LEVEL = 3;
}

layout! {
    /// The version of Windows. (Compiled from mingw-w64.)
    struct OSVERSIONINFOW: 0x114 {
        /// Size of this structure, in bytes.
        0x00 => dwOSVersionInfoSize: ULONG,
        /// The major version.
        0x04 => dwMajorVersion: ULONG,
        /// The minor version.
        0x08 => dwMinorVersion: ULONG,
        /// The build.
        0x0C => dwBuildNumber: ULONG,
        /// 2.
        0x10 => dwPlatformId: ULONG,
        /// Empty.
        0x14 => szCSDVersion: [WCHAR; 128],
    }
}

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Makes a counted string of a terminated one, which it does not copy. Any level.
    fn RtlInitUnicodeString(DestinationString: *mut UNICODE_STRING, SourceString: *const WCHAR);
    /// Makes a counted string of a terminated one, which it does not copy. Any level.
    fn RtlInitAnsiString(DestinationString: *mut ANSI_STRING, SourceString: *const CHAR);
    /// Makes a counted string of a terminated one, which it does not copy. Any level.
    fn RtlInitString(DestinationString: *mut ANSI_STRING, SourceString: *const CHAR);
    /// Replaces generic rights by what they stand for. ≤ APC_LEVEL.
    fn RtlMapGenericMask(AccessMask: *mut ACCESS_MASK, GenericMapping: *const GENERIC_MAPPING);
    /// Copies as much as fits. Any level if both are resident, else ≤ APC_LEVEL.
    fn RtlCopyUnicodeString(DestinationString: *mut UNICODE_STRING, SourceString: PCUNICODE_STRING);
    /// Appends a terminated string. Any level if both are resident, else ≤ APC_LEVEL.
    fn RtlAppendUnicodeToString(Destination: *mut UNICODE_STRING, Source: *const WCHAR) -> NTSTATUS;
    /// Appends a counted string. Any level if both are resident, else ≤ APC_LEVEL.
    fn RtlAppendUnicodeStringToString(
        Destination: *mut UNICODE_STRING,
        Source: PCUNICODE_STRING,
    ) -> NTSTATUS;
    /// Compares. PASSIVE_LEVEL.
    fn RtlCompareUnicodeString(
        String1: PCUNICODE_STRING,
        String2: PCUNICODE_STRING,
        CaseInSensitive: BOOLEAN,
    ) -> LONG;
    /// Returns whether two strings are equal. PASSIVE_LEVEL.
    fn RtlEqualUnicodeString(
        String1: PCUNICODE_STRING,
        String2: PCUNICODE_STRING,
        CaseInSensitive: BOOLEAN,
    ) -> BOOLEAN;
    /// Converts, into new memory if asked. PASSIVE_LEVEL.
    fn RtlUnicodeStringToAnsiString(
        DestinationString: *mut ANSI_STRING,
        SourceString: PCUNICODE_STRING,
        AllocateDestinationString: BOOLEAN,
    ) -> NTSTATUS;
    /// Converts, into new memory if asked. PASSIVE_LEVEL.
    fn RtlAnsiStringToUnicodeString(
        DestinationString: *mut UNICODE_STRING,
        SourceString: *const ANSI_STRING,
        AllocateDestinationString: BOOLEAN,
    ) -> NTSTATUS;
    /// Writes a number. PASSIVE_LEVEL.
    fn RtlIntegerToUnicodeString(Value: ULONG, Base: ULONG, String: *mut UNICODE_STRING) -> NTSTATUS;
    /// Reads a number. PASSIVE_LEVEL.
    fn RtlUnicodeStringToInteger(String: PCUNICODE_STRING, Base: ULONG, Value: *mut ULONG) -> NTSTATUS;
    /// Frees what a conversion allocated. ≤ APC_LEVEL.
    fn RtlFreeUnicodeString(UnicodeString: *mut UNICODE_STRING);
    /// Frees what a conversion allocated. ≤ APC_LEVEL.
    fn RtlFreeAnsiString(AnsiString: *mut ANSI_STRING);
    /// Returns the number of leading bytes that are equal. Any level.
    fn RtlCompareMemory(Source1: *const VOID, Source2: *const VOID, Length: SIZE_T) -> SIZE_T;
    /// The version of Windows. PASSIVE_LEVEL.
    fn RtlGetVersion(lpVersionInformation: *mut OSVERSIONINFOW) -> NTSTATUS;
    /// A random number below 2^31. ≤ APC_LEVEL.
    fn RtlRandomEx(Seed: *mut ULONG) -> ULONG;

    /// Copies between ranges that do not overlap. Any level.
    fn memcpy(dest: PVOID, src: *const VOID, count: SIZE_T) -> PVOID;
    /// Copies. Any level.
    fn memmove(dest: PVOID, src: *const VOID, count: SIZE_T) -> PVOID;
    /// Fills. Any level.
    fn memset(dest: PVOID, c: i32, count: SIZE_T) -> PVOID;
    /// Compares. Any level.
    fn memcmp(buf1: *const VOID, buf2: *const VOID, count: SIZE_T) -> i32;
    /// Length of a terminated string. Any level.
    fn strlen(str: *const CHAR) -> SIZE_T;
    /// Length of a terminated string. Any level.
    fn wcslen(str: *const WCHAR) -> SIZE_T;
    /// Compares terminated strings. Any level.
    fn strcmp(string1: *const CHAR, string2: *const CHAR) -> i32;
    /// The language-specific handler of structured exceptions in C. Any level.
    fn __C_specific_handler(
        ExceptionRecord: *mut EXCEPTION_RECORD,
        EstablisherFrame: PVOID,
        ContextRecord: *mut CONTEXT,
        DispatcherContext: *mut DISPATCHER_CONTEXT,
    ) -> i32;
    /// The caller's registers. Any level.
    fn RtlCaptureContext(ContextRecord: *mut CONTEXT);

    variadic {
        /// Writes to the debugger. Any level; with Unicode text, PASSIVE_LEVEL.
        fn DbgPrint(Format: *const CHAR) -> ULONG;
        /// Writes to the debugger, filtered. Any level; with Unicode text, PASSIVE_LEVEL.
        fn DbgPrintEx(ComponentId: ULONG, Level: ULONG, Format: *const CHAR) -> ULONG;
    }
}
