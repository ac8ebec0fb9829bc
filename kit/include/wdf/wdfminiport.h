/* Drivers in miniport mode. */
#pragma once

typedef NTSTATUS(NTAPI *PFN_WDFDEVICEMINIPORTCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver,
    PWDF_OBJECT_ATTRIBUTES Attributes, PDEVICE_OBJECT DeviceObject, PDEVICE_OBJECT AttachedDeviceObject,
    PDEVICE_OBJECT Pdo, WDFDEVICE *Device);
#define WdfDeviceMiniportCreate(...) WDF_CALL(WdfDeviceMiniportCreate, WDFDEVICEMINIPORTCREATE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFDRIVERMINIPORTUNLOAD)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver);
/* The stub has the function of the table replaced where it has to unbind afterwards. */
#define WdfDriverMiniportUnload(Driver) \
    (((PFN_WDFDRIVERMINIPORTUNLOAD)WdfDriverMiniportUnloadOverride)(WdfDriverGlobals, (Driver)))
