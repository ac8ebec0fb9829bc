/* What WDFLDR.SYS exports to a client's entry stub. */
#pragma once

typedef struct _WDF_VERSION {
    ULONG Major;
    ULONG Minor;
    ULONG Build;
} WDF_VERSION;

WDF_LAYOUT_SIZE(WDF_VERSION, 12);

typedef PVOID WDF_COMPONENT_GLOBALS, *PWDF_COMPONENT_GLOBALS;
typedef struct _LIBRARY_MODULE *PLIBRARY_MODULE;

typedef struct _WDF_BIND_INFO {
    ULONG Size;
    PWCHAR Component;
    WDF_VERSION Version;
    ULONG FuncCount;
    /* From KMDF 1.15 on, the address of the variable that receives the table's address. */
    WDFFUNC *FuncTable;
    PLIBRARY_MODULE Module;
} WDF_BIND_INFO, *PWDF_BIND_INFO;

WDF_LAYOUT_SIZE(WDF_BIND_INFO, 48);
WDF_LAYOUT_FIELD(WDF_BIND_INFO, Component, 8);
WDF_LAYOUT_FIELD(WDF_BIND_INFO, Version, 16);
WDF_LAYOUT_FIELD(WDF_BIND_INFO, FuncCount, 28);
WDF_LAYOUT_FIELD(WDF_BIND_INFO, FuncTable, 32);
WDF_LAYOUT_FIELD(WDF_BIND_INFO, Module, 40);

/* From KMDF 1.25 on: for drivers that also run on an older framework than they are built for. */

typedef struct _WDF_BIND_INFO2 {
    WDF_BIND_INFO V1; /* its Size is that of the whole */
    ULONG *MinimumVersionRequired;
    BOOLEAN *ClientVersionHigherThanFramework;
    ULONG *FuncCountPtr;
    ULONG *StructCountPtr;
    WDF_STRUCT_INFO *StructTable;
} WDF_BIND_INFO2, *PWDF_BIND_INFO2;

WDF_LAYOUT_SIZE(WDF_BIND_INFO2, 0x58);
WDF_LAYOUT_FIELD(WDF_BIND_INFO2, MinimumVersionRequired, 0x30);
WDF_LAYOUT_FIELD(WDF_BIND_INFO2, ClientVersionHigherThanFramework, 0x38);
WDF_LAYOUT_FIELD(WDF_BIND_INFO2, FuncCountPtr, 0x40);
WDF_LAYOUT_FIELD(WDF_BIND_INFO2, StructCountPtr, 0x48);
WDF_LAYOUT_FIELD(WDF_BIND_INFO2, StructTable, 0x50);

NTSTATUS NTAPI WdfVersionBind(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath, PWDF_BIND_INFO BindInfo,
                              PWDF_COMPONENT_GLOBALS *ComponentGlobals);

NTSTATUS NTAPI WdfVersionUnbind(PUNICODE_STRING RegistryPath, PWDF_BIND_INFO BindInfo,
                                PWDF_COMPONENT_GLOBALS ComponentGlobals);
