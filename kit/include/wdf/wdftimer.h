/* Timers. */
#pragma once

#define TolerableDelayUnlimited ((ULONG)-1)

typedef VOID EVT_WDF_TIMER(WDFTIMER Timer);
typedef EVT_WDF_TIMER *PFN_WDF_TIMER;

typedef struct _WDF_TIMER_CONFIG {
    ULONG Size;
    PFN_WDF_TIMER EvtTimerFunc;
    ULONG Period;
    BOOLEAN AutomaticSerialization;
    ULONG TolerableDelay;
    DECLSPEC_ALIGN(8) BOOLEAN UseHighResolutionTimer;
} WDF_TIMER_CONFIG, *PWDF_TIMER_CONFIG;
WDF_LAYOUT_SIZE(WDF_TIMER_CONFIG, 40);
WDF_LAYOUT_FIELD(WDF_TIMER_CONFIG, TolerableDelay, 24);

typedef NTSTATUS(NTAPI *PFN_WDFTIMERCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals, PWDF_TIMER_CONFIG Config,
    PWDF_OBJECT_ATTRIBUTES Attributes, WDFTIMER *Timer);
#define WdfTimerCreate(...) WDF_CALL(WdfTimerCreate, WDFTIMERCREATE, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFTIMERSTART)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFTIMER Timer,
    LONGLONG DueTime);
#define WdfTimerStart(...) WDF_CALL(WdfTimerStart, WDFTIMERSTART, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFTIMERSTOP)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFTIMER Timer, BOOLEAN Wait);
#define WdfTimerStop(...) WDF_CALL(WdfTimerStop, WDFTIMERSTOP, ##__VA_ARGS__)
typedef WDFOBJECT(NTAPI *PFN_WDFTIMERGETPARENTOBJECT)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFTIMER Timer);
#define WdfTimerGetParentObject(...) WDF_CALL(WdfTimerGetParentObject, WDFTIMERGETPARENTOBJECT, ##__VA_ARGS__)
