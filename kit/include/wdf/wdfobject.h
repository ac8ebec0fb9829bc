/* Framework objects: attributes, contexts, references, deletion. */
#pragma once

#define WDF_TYPE_INIT_BASE_SECTION_NAME ".kmdftypeinit"
#define WDF_TYPE_INIT_SECTION_NAME ".kmdftypeinit$b"
#define WDF_TYPE_DEFAULT_SECTION_NAME ".data"

typedef enum _WDF_EXECUTION_LEVEL {
    WdfExecutionLevelInvalid = 0x00,
    WdfExecutionLevelInheritFromParent,
    WdfExecutionLevelPassive,
    WdfExecutionLevelDispatch,
} WDF_EXECUTION_LEVEL;

typedef enum _WDF_SYNCHRONIZATION_SCOPE {
    WdfSynchronizationScopeInvalid = 0x00,
    WdfSynchronizationScopeInheritFromParent,
    WdfSynchronizationScopeDevice,
    WdfSynchronizationScopeQueue,
    WdfSynchronizationScopeNone,
} WDF_SYNCHRONIZATION_SCOPE;

typedef VOID EVT_WDF_OBJECT_CONTEXT_CLEANUP(WDFOBJECT Object);
typedef EVT_WDF_OBJECT_CONTEXT_CLEANUP *PFN_WDF_OBJECT_CONTEXT_CLEANUP;
typedef VOID EVT_WDF_OBJECT_CONTEXT_DESTROY(WDFOBJECT Object);
typedef EVT_WDF_OBJECT_CONTEXT_DESTROY *PFN_WDF_OBJECT_CONTEXT_DESTROY;
typedef const struct _WDF_OBJECT_CONTEXT_TYPE_INFO *PCWDF_OBJECT_CONTEXT_TYPE_INFO;

typedef struct _WDF_OBJECT_ATTRIBUTES {
    ULONG Size;
    PFN_WDF_OBJECT_CONTEXT_CLEANUP EvtCleanupCallback;
    PFN_WDF_OBJECT_CONTEXT_DESTROY EvtDestroyCallback;
    WDF_EXECUTION_LEVEL ExecutionLevel;
    WDF_SYNCHRONIZATION_SCOPE SynchronizationScope;
    WDFOBJECT ParentObject;
    size_t ContextSizeOverride;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO ContextTypeInfo;
} WDF_OBJECT_ATTRIBUTES, *PWDF_OBJECT_ATTRIBUTES;
WDF_LAYOUT_SIZE(WDF_OBJECT_ATTRIBUTES, 56);
WDF_LAYOUT_FIELD(WDF_OBJECT_ATTRIBUTES, ContextTypeInfo, 48);

typedef PCWDF_OBJECT_CONTEXT_TYPE_INFO(*PFN_GET_UNIQUE_CONTEXT_TYPE)(VOID);

typedef struct _WDF_OBJECT_CONTEXT_TYPE_INFO {
    ULONG Size;
    LPCSTR ContextName;
    size_t ContextSize;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO UniqueType;
    PFN_GET_UNIQUE_CONTEXT_TYPE EvtDriverGetUniqueContextType;
} WDF_OBJECT_CONTEXT_TYPE_INFO, *PWDF_OBJECT_CONTEXT_TYPE_INFO;
WDF_LAYOUT_SIZE(WDF_OBJECT_CONTEXT_TYPE_INFO, 40);
WDF_LAYOUT_FIELD(WDF_OBJECT_CONTEXT_TYPE_INFO, EvtDriverGetUniqueContextType, 32);

typedef struct _WDF_CUSTOM_TYPE_CONTEXT {
    ULONG Size;
    ULONG_PTR Data;
} WDF_CUSTOM_TYPE_CONTEXT, *PWDF_CUSTOM_TYPE_CONTEXT;
WDF_LAYOUT_SIZE(WDF_CUSTOM_TYPE_CONTEXT, 16);
WDF_LAYOUT_FIELD(WDF_CUSTOM_TYPE_CONTEXT, Data, 8);

typedef PVOID(NTAPI *PFN_WDFOBJECTGETTYPEDCONTEXTWORKER)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFOBJECT Handle,
    PCWDF_OBJECT_CONTEXT_TYPE_INFO TypeInfo);
#define WdfObjectGetTypedContextWorker(...) WDF_CALL(WdfObjectGetTypedContextWorker, WDFOBJECTGETTYPEDCONTEXTWORKER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFOBJECTALLOCATECONTEXT)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFOBJECT Handle,
    PWDF_OBJECT_ATTRIBUTES ContextAttributes, PVOID *Context);
#define WdfObjectAllocateContext(...) WDF_CALL(WdfObjectAllocateContext, WDFOBJECTALLOCATECONTEXT, ##__VA_ARGS__)
typedef WDFOBJECT(NTAPI *PFN_WDFOBJECTCONTEXTGETOBJECT)(PWDF_DRIVER_GLOBALS DriverGlobals, PVOID ContextPointer);
#define WdfObjectContextGetObject(...) WDF_CALL(WdfObjectContextGetObject, WDFOBJECTCONTEXTGETOBJECT, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFOBJECTREFERENCEACTUAL)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFOBJECT Handle,
    PVOID Tag, LONG Line, PCCH File);
#define WdfObjectReferenceActual(...) WDF_CALL(WdfObjectReferenceActual, WDFOBJECTREFERENCEACTUAL, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFOBJECTDEREFERENCEACTUAL)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFOBJECT Handle,
    PVOID Tag, LONG Line, PCCH File);
#define WdfObjectDereferenceActual(...) WDF_CALL(WdfObjectDereferenceActual, WDFOBJECTDEREFERENCEACTUAL, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFOBJECTCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES Attributes, WDFOBJECT *Object);
#define WdfObjectCreate(...) WDF_CALL(WdfObjectCreate, WDFOBJECTCREATE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFOBJECTDELETE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFOBJECT Object);
#define WdfObjectDelete(...) WDF_CALL(WdfObjectDelete, WDFOBJECTDELETE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFOBJECTQUERY)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFOBJECT Object,
    const GUID *Guid, ULONG QueryBufferLength, PVOID QueryBuffer);
#define WdfObjectQuery(...) WDF_CALL(WdfObjectQuery, WDFOBJECTQUERY, ##__VA_ARGS__)
