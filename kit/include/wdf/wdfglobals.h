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
WDF_LAYOUT_FIELD(WDF_DRIVER_GLOBALS, DisplaceDriverUnload, 48);
