/*
 * The entry point of a KMDF driver: binds the framework, calls DriverEntry, unbinds when that fails and
 * when the driver unloads.
 *
 * The framework's own stub is not published. This one keeps to the loader's interface and to what the
 * headers say of the variables that it owns. In https://github.com/microsoft/Windows-Driver-Frameworks
 * these are src/framework/shared/inc/private/common/fxldr.h and src/publicinc/wdf/kmdf/1.33.
 */
#include <ntddk.h>
#include <wdf.h>
#include "wdfldr.h"

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfminiport/nf-wdfminiport-wdfdriverminiportunload */
typedef VOID(NTAPI *PFN_WDFDRIVERMINIPORTUNLOAD)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver);

#define FUNCTION_COUNT 458 /* of KMDF 1.33 */

const WDFFUNC *WdfFunctions_01033;
ULONG WdfFunctionCount = FUNCTION_COUNT;
PWDF_DRIVER_GLOBALS WdfDriverGlobals;
WDFFUNC WdfDriverMiniportUnloadOverride;

DRIVER_INITIALIZE DriverEntry;
DRIVER_INITIALIZE FxDriverEntry;

static WDF_BIND_INFO BindInfo = {
    .Size = sizeof(WDF_BIND_INFO),
    .Component = L"KmdfLibrary",
    .Version = { 1, 33, 0 },
    .FuncCount = FUNCTION_COUNT,
    .FuncTable = (WDFFUNC *)&WdfFunctions_01033,
};

/* The registry path that the system passes is valid only during DriverEntry; unbinding needs it later. */
static UNICODE_STRING RegistryPath;
static WCHAR RegistryPathBuffer[260];

static PDRIVER_UNLOAD DisplacedUnload;

static VOID Unbind(VOID)
{
    WdfVersionUnbind(&RegistryPath, &BindInfo, (PWDF_COMPONENT_GLOBALS)WdfDriverGlobals);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    if (DisplacedUnload != NULL) {
        DisplacedUnload(DriverObject);
    }
    Unbind();
}

static VOID NTAPI MiniportUnload(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver)
{
    ((PFN_WDFDRIVERMINIPORTUNLOAD)WdfFunctions_01033[WdfDriverMiniportUnloadTableIndex])(DriverGlobals, Driver);
    Unbind();
}

NTSTATUS NTAPI FxDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING Path)
{
    NTSTATUS Status;

    if (DriverObject == NULL) {
        /* Loaded as a library and not as a driver: there is nothing to bind. */
        return DriverEntry(DriverObject, Path);
    }

    RegistryPath.Buffer = RegistryPathBuffer;
    RegistryPath.MaximumLength = sizeof(RegistryPathBuffer);
    RtlCopyUnicodeString(&RegistryPath, Path);

    Status = WdfVersionBind(DriverObject, &RegistryPath, &BindInfo, (PWDF_COMPONENT_GLOBALS *)&WdfDriverGlobals);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    /* Until DriverEntry has succeeded, unbinding is this function's task alone. */
    WdfDriverMiniportUnloadOverride = WdfFunctions_01033[WdfDriverMiniportUnloadTableIndex];

    Status = DriverEntry(DriverObject, Path);
    if (!NT_SUCCESS(Status)) {
        Unbind();
        return Status;
    }

    if (WdfDriverGlobals->DisplaceDriverUnload) {
        DisplacedUnload = DriverObject->DriverUnload;
        DriverObject->DriverUnload = Unload;
    } else {
        WdfDriverMiniportUnloadOverride = (WDFFUNC)MiniportUnload;
    }
    return Status;
}
