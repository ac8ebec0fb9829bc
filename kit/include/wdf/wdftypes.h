/* The framework's handles and shared enumerations. */
#pragma once

#define WDF_LAYOUT_SIZE(Type, Size) _Static_assert(sizeof(Type) == (Size), #Type)
#define WDF_LAYOUT_FIELD(Type, Field, Offset) \
    _Static_assert(offsetof(Type, Field) == (Offset), #Type "." #Field)

typedef HANDLE WDFOBJECT, *PWDFOBJECT;

#define WDF_HANDLE(Name) \
    struct Name##__ { int unused; }; \
    typedef struct Name##__ *Name

WDF_HANDLE(WDFDRIVER);
WDF_HANDLE(WDFDEVICE);
WDF_HANDLE(WDFSPINLOCK);
WDF_HANDLE(WDFTIMER);

typedef struct WDFDEVICE_INIT *PWDFDEVICE_INIT;

typedef enum _WDF_TRI_STATE {
    WdfFalse = FALSE,
    WdfTrue = TRUE,
    WdfUseDefault = 2,
} WDF_TRI_STATE, *PWDF_TRI_STATE;
