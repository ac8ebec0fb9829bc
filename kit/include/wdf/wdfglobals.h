/* What the framework keeps for one driver. */
#pragma once

typedef struct _WDF_DRIVER_GLOBALS {
    WDFDRIVER Driver;
    ULONG DriverFlags;
    ULONG DriverTag;
    CHAR DriverName[32];
    BOOLEAN DisplaceDriverUnload;
} WDF_DRIVER_GLOBALS, *PWDF_DRIVER_GLOBALS;

WDF_LAYOUT_SIZE(WDF_DRIVER_GLOBALS, 56);
WDF_LAYOUT_FIELD(WDF_DRIVER_GLOBALS, DriverFlags, 8);
WDF_LAYOUT_FIELD(WDF_DRIVER_GLOBALS, DriverTag, 12);
WDF_LAYOUT_FIELD(WDF_DRIVER_GLOBALS, DriverName, 16);
WDF_LAYOUT_FIELD(WDF_DRIVER_GLOBALS, DisplaceDriverUnload, 48);

/* A variable of the entry stub, which fills it when it binds. */
extern PWDF_DRIVER_GLOBALS WdfDriverGlobals;
