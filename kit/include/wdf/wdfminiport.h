/* Miniport mode: the port driver owns dispatch and unload, the framework serves beside it. */
#pragma once

typedef NTSTATUS(NTAPI *PFN_WDFDEVICEMINIPORTCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver,
                                                     PWDF_OBJECT_ATTRIBUTES Attributes,
                                                     PDEVICE_OBJECT DeviceObject,
                                                     PDEVICE_OBJECT AttachedDeviceObject, PDEVICE_OBJECT Pdo,
                                                     WDFDEVICE *Device);

typedef VOID(NTAPI *PFN_WDFDRIVERMINIPORTUNLOAD)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver);

/*
 * A variable of the entry stub. WdfDriverMiniportUnload goes through it and not through the table, so that
 * the stub can unbind the driver from the framework afterwards.
 */
extern WDFFUNC WdfDriverMiniportUnloadOverride;
