/* The driver object. */
#pragma once

typedef enum _WDF_DRIVER_INIT_FLAGS {
    WdfDriverInitNonPnpDriver = 0x00000001,
    WdfDriverInitNoDispatchOverride = 0x00000002,
    WdfDriverInitCompanion = 0x00000010,
} WDF_DRIVER_INIT_FLAGS;

typedef NTSTATUS EVT_WDF_DRIVER_DEVICE_ADD(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit);
typedef EVT_WDF_DRIVER_DEVICE_ADD *PFN_WDF_DRIVER_DEVICE_ADD;

typedef VOID EVT_WDF_DRIVER_UNLOAD(WDFDRIVER Driver);
typedef EVT_WDF_DRIVER_UNLOAD *PFN_WDF_DRIVER_UNLOAD;

typedef struct _WDF_DRIVER_CONFIG {
    ULONG Size;
    PFN_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
    PFN_WDF_DRIVER_UNLOAD EvtDriverUnload;
    ULONG DriverInitFlags;
    ULONG DriverPoolTag;
} WDF_DRIVER_CONFIG, *PWDF_DRIVER_CONFIG;

WDF_LAYOUT_SIZE(WDF_DRIVER_CONFIG, 32);
WDF_LAYOUT_FIELD(WDF_DRIVER_CONFIG, EvtDriverDeviceAdd, 8);
WDF_LAYOUT_FIELD(WDF_DRIVER_CONFIG, EvtDriverUnload, 16);
WDF_LAYOUT_FIELD(WDF_DRIVER_CONFIG, DriverInitFlags, 24);
WDF_LAYOUT_FIELD(WDF_DRIVER_CONFIG, DriverPoolTag, 28);

typedef NTSTATUS(NTAPI *PFN_WDFDRIVERCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals, PDRIVER_OBJECT DriverObject,
                                             PCUNICODE_STRING RegistryPath,
                                             PWDF_OBJECT_ATTRIBUTES DriverAttributes,
                                             PWDF_DRIVER_CONFIG DriverConfig, WDFDRIVER *Driver);
