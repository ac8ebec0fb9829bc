/* Where a function stands in the table that the framework hands out at bind. */
#pragma once

typedef VOID (*WDFFUNC)(VOID);

typedef enum _WDFFUNCENUM {
    WdfDriverCreateTableIndex = 116,
    WdfDeviceMiniportCreateTableIndex = 200,
    WdfDriverMiniportUnloadTableIndex = 201,
    WdfObjectGetTypedContextWorkerTableIndex = 202,
    WdfObjectDeleteTableIndex = 208,
    WdfSpinLockCreateTableIndex = 315,
    WdfSpinLockAcquireTableIndex = 316,
    WdfSpinLockReleaseTableIndex = 317,
    WdfTimerCreateTableIndex = 318,
    WdfTimerStartTableIndex = 319,
    WdfTimerStopTableIndex = 320,
    WdfTimerGetParentObjectTableIndex = 321,
    WdfFunctionTableNumEntries = 458,
} WDFFUNCENUM;

/* These are variables of the entry stub, which fills them when it binds. */
extern const WDFFUNC *WdfFunctions_01033;
extern ULONG WdfFunctionCount;

/*
 * What a driver in miniport mode calls to unload, in place of the table's entry, so that the stub can unbind
 * it from the framework afterwards. The functions of that mode are declared in wdfminiport.h, which wdf.h
 * does not include and wdk-sys therefore does not bind.
 */
extern WDFFUNC WdfDriverMiniportUnloadOverride;
