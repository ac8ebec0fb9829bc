/* Strings. */
#pragma once

typedef NTSTATUS(NTAPI *PFN_WDFSTRINGCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PCUNICODE_STRING UnicodeString, PWDF_OBJECT_ATTRIBUTES StringAttributes, WDFSTRING *String);
#define WdfStringCreate(...) WDF_CALL(WdfStringCreate, WDFSTRINGCREATE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFSTRINGGETUNICODESTRING)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFSTRING String,
    PUNICODE_STRING UnicodeString);
#define WdfStringGetUnicodeString(...) WDF_CALL(WdfStringGetUnicodeString, WDFSTRINGGETUNICODESTRING, ##__VA_ARGS__)
