/* Deferred procedure calls. */
#pragma once

typedef VOID EVT_WDF_DPC(WDFDPC Dpc);
typedef EVT_WDF_DPC *PFN_WDF_DPC;

typedef struct _WDF_DPC_CONFIG {
    ULONG Size;
    PFN_WDF_DPC EvtDpcFunc;
    BOOLEAN AutomaticSerialization;
} WDF_DPC_CONFIG, *PWDF_DPC_CONFIG;
WDF_LAYOUT_SIZE(WDF_DPC_CONFIG, 24);
WDF_LAYOUT_FIELD(WDF_DPC_CONFIG, AutomaticSerialization, 16);

typedef NTSTATUS(NTAPI *PFN_WDFDPCCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals, PWDF_DPC_CONFIG Config,
    PWDF_OBJECT_ATTRIBUTES Attributes, WDFDPC *Dpc);
#define WdfDpcCreate(...) WDF_CALL(WdfDpcCreate, WDFDPCCREATE, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFDPCENQUEUE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDPC Dpc);
#define WdfDpcEnqueue(...) WDF_CALL(WdfDpcEnqueue, WDFDPCENQUEUE, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFDPCCANCEL)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDPC Dpc, BOOLEAN Wait);
#define WdfDpcCancel(...) WDF_CALL(WdfDpcCancel, WDFDPCCANCEL, ##__VA_ARGS__)
typedef WDFOBJECT(NTAPI *PFN_WDFDPCGETPARENTOBJECT)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDPC Dpc);
#define WdfDpcGetParentObject(...) WDF_CALL(WdfDpcGetParentObject, WDFDPCGETPARENTOBJECT, ##__VA_ARGS__)
typedef PKDPC(NTAPI *PFN_WDFDPCWDMGETDPC)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDPC Dpc);
#define WdfDpcWdmGetDpc(...) WDF_CALL(WdfDpcWdmGetDpc, WDFDPCWDMGETDPC, ##__VA_ARGS__)
