/* Breaks into the debugger. */
#pragma once

typedef VOID(NTAPI *PFN_WDFVERIFIERDBGBREAKPOINT)(PWDF_DRIVER_GLOBALS DriverGlobals);
#define WdfVerifierDbgBreakPoint(...) WDF_CALL(WdfVerifierDbgBreakPoint, WDFVERIFIERDBGBREAKPOINT, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFVERIFIERKEBUGCHECK)(PWDF_DRIVER_GLOBALS DriverGlobals, ULONG BugCheckCode,
    ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2, ULONG_PTR BugCheckParameter3,
    ULONG_PTR BugCheckParameter4);
#define WdfVerifierKeBugCheck(...) WDF_CALL(WdfVerifierKeBugCheck, WDFVERIFIERKEBUGCHECK, ##__VA_ARGS__)
typedef PVOID(NTAPI *PFN_WDFGETTRIAGEINFO)(PWDF_DRIVER_GLOBALS DriverGlobals);
#define WdfGetTriageInfo(...) WDF_CALL(WdfGetTriageInfo, WDFGETTRIAGEINFO, ##__VA_ARGS__)
