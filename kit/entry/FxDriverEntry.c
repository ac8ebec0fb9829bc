/*
 * The entry point of a KMDF driver: binds the framework, calls DriverEntry, unbinds when that fails and
 * when the driver unloads.
 *
 * The framework's own stub is not published. This one keeps to the loader's interface, to what the headers say
 * of the variables that it owns, and to what images with that stub were seen to do: they bind with information of
 * the second form, print a line when DriverEntry fails, and return STATUS_SUCCESS for every success. In https://github.com/microsoft/Windows-Driver-Frameworks
 * these are src/framework/shared/inc/private/common/fxldr.h and src/publicinc/wdf/kmdf/1.33.
 */
#include <ntddk.h>
#include <wdf.h>
#include "wdfldr.h"

/* The component of drivers that have none of their own: dpfilter.h. */
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_ERROR_LEVEL 0

#define FUNCTION_COUNT WdfFunctionTableNumEntries

const WDFFUNC *WdfFunctions;
ULONG WdfFunctionCount = FUNCTION_COUNT;
PWDF_DRIVER_GLOBALS WdfDriverGlobals;
WDFFUNC WdfDriverMiniportUnloadOverride;

DRIVER_INITIALIZE DriverEntry;
DRIVER_INITIALIZE FxDriverEntry;

/* The headers of a WDK define it in each object file that includes them. */
__declspec(selectany) ULONG WdfMinimumVersionRequired = KMDF_VERSION_MINOR;
BOOLEAN WdfClientVersionHigherThanFramework;
ULONG WdfStructureCount;
WDF_STRUCT_INFO WdfStructures;

static WDF_BIND_INFO2 BindInfo = {
    .V1 = {
        .Size = sizeof(WDF_BIND_INFO2),
        .Component = L"KmdfLibrary",
        .Version = { KMDF_VERSION_MAJOR, KMDF_VERSION_MINOR, 0 },
        .FuncCount = FUNCTION_COUNT,
        .FuncTable = (WDFFUNC *)&WdfFunctions,
    },
    .MinimumVersionRequired = &WdfMinimumVersionRequired,
    .ClientVersionHigherThanFramework = &WdfClientVersionHigherThanFramework,
    .FuncCountPtr = &WdfFunctionCount,
    .StructCountPtr = &WdfStructureCount,
    .StructTable = &WdfStructures,
};

/* The registry path that the system passes is valid only during DriverEntry; unbinding needs it later. */
static UNICODE_STRING RegistryPath;
static WCHAR RegistryPathBuffer[260];

static PDRIVER_UNLOAD DisplacedUnload;

static VOID Unbind(VOID)
{
    WdfVersionUnbind(&RegistryPath, &BindInfo.V1, (PWDF_COMPONENT_GLOBALS)WdfDriverGlobals);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    if (DisplacedUnload != NULL) {
        DisplacedUnload(DriverObject);
    }
    Unbind();
}

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfminiport/nf-wdfminiport-wdfdriverminiportunload;
 * the end of the binding deletes the driver object. */
static VOID NTAPI MiniportUnload(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver)
{
    (void)DriverGlobals;
    (void)Driver;
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

    Status = WdfVersionBind(DriverObject, &RegistryPath, &BindInfo.V1, (PWDF_COMPONENT_GLOBALS *)&WdfDriverGlobals);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    /* Until DriverEntry has succeeded, unbinding is this function's task alone. */
    WdfDriverMiniportUnloadOverride = WdfFunctions[WdfDriverMiniportUnloadTableIndex];

    Status = DriverEntry(DriverObject, Path);
    if (!NT_SUCCESS(Status)) {
        DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "DriverEntry failed 0x%x for driver %wZ\n", Status,
                   &RegistryPath);
        Unbind();
        return Status;
    }

    if (WdfDriverGlobals->DisplaceDriverUnload) {
        DisplacedUnload = DriverObject->DriverUnload;
        DriverObject->DriverUnload = Unload;
    } else if (WdfDriverGlobals->DriverFlags & WdfDriverInitNoDispatchOverride) {
        WdfDriverMiniportUnloadOverride = (WDFFUNC)MiniportUnload;
    }
    return STATUS_SUCCESS;
}
