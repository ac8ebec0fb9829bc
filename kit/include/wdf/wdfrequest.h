/* Requests. */
#pragma once

typedef enum _WDF_REQUEST_TYPE {
    WdfRequestTypeCreate = 0x0, WdfRequestTypeCreateNamedPipe = 0x1, WdfRequestTypeClose = 0x2,
    WdfRequestTypeRead = 0x3, WdfRequestTypeWrite = 0x4, WdfRequestTypeQueryInformation = 0x5,
    WdfRequestTypeSetInformation = 0x6, WdfRequestTypeQueryEA = 0x7, WdfRequestTypeSetEA = 0x8,
    WdfRequestTypeFlushBuffers = 0x9, WdfRequestTypeQueryVolumeInformation = 0xa,
    WdfRequestTypeSetVolumeInformation = 0xb, WdfRequestTypeDirectoryControl = 0xc,
    WdfRequestTypeFileSystemControl = 0xd, WdfRequestTypeDeviceControl = 0xe,
    WdfRequestTypeDeviceControlInternal = 0xf, WdfRequestTypeShutdown = 0x10,
    WdfRequestTypeLockControl = 0x11, WdfRequestTypeCleanup = 0x12, WdfRequestTypeCreateMailSlot = 0x13,
    WdfRequestTypeQuerySecurity = 0x14, WdfRequestTypeSetSecurity = 0x15, WdfRequestTypePower = 0x16,
    WdfRequestTypeSystemControl = 0x17, WdfRequestTypeDeviceChange = 0x18, WdfRequestTypeQueryQuota = 0x19,
    WdfRequestTypeSetQuota = 0x1A, WdfRequestTypePnp = 0x1B, WdfRequestTypeOther = 0x1C,
    WdfRequestTypeUsb = 0x40, WdfRequestTypeNoFormat = 0xFF, WdfRequestTypeMax,
} WDF_REQUEST_TYPE;

typedef enum _WDF_REQUEST_REUSE_FLAGS {
    WDF_REQUEST_REUSE_NO_FLAGS = 0x00000000,
    WDF_REQUEST_REUSE_SET_NEW_IRP = 0x00000001,
} WDF_REQUEST_REUSE_FLAGS;

typedef enum _WDF_REQUEST_STOP_ACTION_FLAGS {
    WdfRequestStopActionInvalid = 0,
    WdfRequestStopActionSuspend = 0x01,
    WdfRequestStopActionPurge = 0x2,
    WdfRequestStopRequestCancelable = 0x10000000,
} WDF_REQUEST_STOP_ACTION_FLAGS;

typedef enum _WDF_REQUEST_SEND_OPTIONS_FLAGS {
    WDF_REQUEST_SEND_OPTION_TIMEOUT = 0x00000001,
    WDF_REQUEST_SEND_OPTION_SYNCHRONOUS = 0x00000002,
    WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE = 0x00000004,
    WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET = 0x00000008,
    WDF_REQUEST_SEND_OPTION_IMPERSONATE_CLIENT = 0x00010000,
    WDF_REQUEST_SEND_OPTION_IMPERSONATION_IGNORE_FAILURE = 0x00020000,
} WDF_REQUEST_SEND_OPTIONS_FLAGS;

typedef VOID EVT_WDF_REQUEST_CANCEL(WDFREQUEST Request);
typedef EVT_WDF_REQUEST_CANCEL *PFN_WDF_REQUEST_CANCEL;

typedef struct _WDF_REQUEST_PARAMETERS {
    USHORT Size;
    UCHAR MinorFunction;
    WDF_REQUEST_TYPE Type;
    union {
        struct {
            PIO_SECURITY_CONTEXT SecurityContext;
            ULONG Options;
            USHORT DECLSPEC_ALIGN(8) FileAttributes;
            USHORT ShareAccess;
            ULONG DECLSPEC_ALIGN(8) EaLength;
        } Create;
        struct {
            size_t Length;
            ULONG DECLSPEC_ALIGN(8) Key;
            LONGLONG DeviceOffset;
        } Read;
        struct {
            size_t Length;
            ULONG DECLSPEC_ALIGN(8) Key;
            LONGLONG DeviceOffset;
        } Write;
        struct {
            size_t OutputBufferLength;
            size_t DECLSPEC_ALIGN(8) InputBufferLength;
            ULONG DECLSPEC_ALIGN(8) IoControlCode;
            PVOID Type3InputBuffer;
        } DeviceIoControl;
        struct {
            PVOID Arg1;
            PVOID Arg2;
            ULONG DECLSPEC_ALIGN(8) IoControlCode;
            PVOID Arg4;
        } Others;
    } Parameters;
} WDF_REQUEST_PARAMETERS, *PWDF_REQUEST_PARAMETERS;
WDF_LAYOUT_SIZE(WDF_REQUEST_PARAMETERS, 40);
WDF_LAYOUT_FIELD(WDF_REQUEST_PARAMETERS, Parameters, 8);

typedef struct _WDF_USB_REQUEST_COMPLETION_PARAMS *PWDF_USB_REQUEST_COMPLETION_PARAMS;
typedef struct _WDF_REQUEST_COMPLETION_PARAMS {
    ULONG Size;
    WDF_REQUEST_TYPE Type;
    IO_STATUS_BLOCK IoStatus;
    union {
        struct {
            WDFMEMORY Buffer;
            size_t Length;
            size_t Offset;
        } Write;
        struct {
            WDFMEMORY Buffer;
            size_t Length;
            size_t Offset;
        } Read;
        struct {
            ULONG IoControlCode;
            struct {
                WDFMEMORY Buffer;
                size_t Offset;
            } Input;
            struct {
                WDFMEMORY Buffer;
                size_t Offset;
                size_t Length;
            } Output;
        } Ioctl;
        struct {
            union {
                PVOID Ptr;
                ULONG_PTR Value;
            } Argument1;
            union {
                PVOID Ptr;
                ULONG_PTR Value;
            } Argument2;
            union {
                PVOID Ptr;
                ULONG_PTR Value;
            } Argument3;
            union {
                PVOID Ptr;
                ULONG_PTR Value;
            } Argument4;
        } Others;
        struct {
            PWDF_USB_REQUEST_COMPLETION_PARAMS Completion;
        } Usb;
    } Parameters;
} WDF_REQUEST_COMPLETION_PARAMS, *PWDF_REQUEST_COMPLETION_PARAMS;
WDF_LAYOUT_SIZE(WDF_REQUEST_COMPLETION_PARAMS, 72);
WDF_LAYOUT_FIELD(WDF_REQUEST_COMPLETION_PARAMS, Parameters, 24);

typedef VOID EVT_WDF_REQUEST_COMPLETION_ROUTINE(WDFREQUEST Request, WDFIOTARGET Target,
    PWDF_REQUEST_COMPLETION_PARAMS Params, WDFCONTEXT Context);
typedef EVT_WDF_REQUEST_COMPLETION_ROUTINE *PFN_WDF_REQUEST_COMPLETION_ROUTINE;

typedef struct _WDF_REQUEST_REUSE_PARAMS {
    ULONG Size;
    ULONG Flags;
    NTSTATUS Status;
    PIRP NewIrp;
} WDF_REQUEST_REUSE_PARAMS, *PWDF_REQUEST_REUSE_PARAMS;
WDF_LAYOUT_SIZE(WDF_REQUEST_REUSE_PARAMS, 24);
WDF_LAYOUT_FIELD(WDF_REQUEST_REUSE_PARAMS, NewIrp, 16);

typedef struct _WDF_REQUEST_SEND_OPTIONS {
    ULONG Size;
    ULONG Flags;
    LONGLONG Timeout;
} WDF_REQUEST_SEND_OPTIONS, *PWDF_REQUEST_SEND_OPTIONS;
WDF_LAYOUT_SIZE(WDF_REQUEST_SEND_OPTIONS, 16);
WDF_LAYOUT_FIELD(WDF_REQUEST_SEND_OPTIONS, Timeout, 8);

typedef enum _WDF_REQUEST_FORWARD_OPTIONS_FLAGS {
    WDF_REQUEST_FORWARD_OPTION_SEND_AND_FORGET = 0x00000001,
} WDF_REQUEST_FORWARD_OPTIONS_FLAGS;

typedef struct _WDF_REQUEST_FORWARD_OPTIONS {
    ULONG Size;
    ULONG Flags;
} WDF_REQUEST_FORWARD_OPTIONS, *PWDF_REQUEST_FORWARD_OPTIONS;
WDF_LAYOUT_SIZE(WDF_REQUEST_FORWARD_OPTIONS, 8);
WDF_LAYOUT_FIELD(WDF_REQUEST_FORWARD_OPTIONS, Flags, 4);

typedef NTSTATUS(NTAPI *PFN_WDFREQUESTCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES RequestAttributes, WDFIOTARGET IoTarget, WDFREQUEST *Request);
#define WdfRequestCreate(...) WDF_CALL(WdfRequestCreate, WDFREQUESTCREATE, ##__VA_ARGS__)
typedef ULONG(NTAPI *PFN_WDFREQUESTGETREQUESTORPROCESSID)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestGetRequestorProcessId(...) WDF_CALL(WdfRequestGetRequestorProcessId, WDFREQUESTGETREQUESTORPROCESSID, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTCREATEFROMIRP)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES RequestAttributes, PIRP Irp, BOOLEAN RequestFreesIrp, WDFREQUEST *Request);
#define WdfRequestCreateFromIrp(...) WDF_CALL(WdfRequestCreateFromIrp, WDFREQUESTCREATEFROMIRP, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTREUSE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    PWDF_REQUEST_REUSE_PARAMS ReuseParams);
#define WdfRequestReuse(...) WDF_CALL(WdfRequestReuse, WDFREQUESTREUSE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTCHANGETARGET)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    WDFIOTARGET IoTarget);
#define WdfRequestChangeTarget(...) WDF_CALL(WdfRequestChangeTarget, WDFREQUESTCHANGETARGET, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTFORMATREQUESTUSINGCURRENTTYPE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestFormatRequestUsingCurrentType(...) WDF_CALL(WdfRequestFormatRequestUsingCurrentType, WDFREQUESTFORMATREQUESTUSINGCURRENTTYPE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTWDMFORMATUSINGSTACKLOCATION)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PIO_STACK_LOCATION Stack);
#define WdfRequestWdmFormatUsingStackLocation(...) WDF_CALL(WdfRequestWdmFormatUsingStackLocation, WDFREQUESTWDMFORMATUSINGSTACKLOCATION, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFREQUESTSEND)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    WDFIOTARGET Target, PWDF_REQUEST_SEND_OPTIONS Options);
#define WdfRequestSend(...) WDF_CALL(WdfRequestSend, WDFREQUESTSEND, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTGETSTATUS)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestGetStatus(...) WDF_CALL(WdfRequestGetStatus, WDFREQUESTGETSTATUS, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTMARKCANCELABLE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    PFN_WDF_REQUEST_CANCEL EvtRequestCancel);
#define WdfRequestMarkCancelable(...) WDF_CALL(WdfRequestMarkCancelable, WDFREQUESTMARKCANCELABLE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTMARKCANCELABLEEX)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PFN_WDF_REQUEST_CANCEL EvtRequestCancel);
#define WdfRequestMarkCancelableEx(...) WDF_CALL(WdfRequestMarkCancelableEx, WDFREQUESTMARKCANCELABLEEX, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTUNMARKCANCELABLE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestUnmarkCancelable(...) WDF_CALL(WdfRequestUnmarkCancelable, WDFREQUESTUNMARKCANCELABLE, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFREQUESTISCANCELED)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestIsCanceled(...) WDF_CALL(WdfRequestIsCanceled, WDFREQUESTISCANCELED, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFREQUESTCANCELSENTREQUEST)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestCancelSentRequest(...) WDF_CALL(WdfRequestCancelSentRequest, WDFREQUESTCANCELSENTREQUEST, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFREQUESTISFROM32BITPROCESS)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestIsFrom32BitProcess(...) WDF_CALL(WdfRequestIsFrom32BitProcess, WDFREQUESTISFROM32BITPROCESS, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTSETCOMPLETIONROUTINE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PFN_WDF_REQUEST_COMPLETION_ROUTINE CompletionRoutine, WDFCONTEXT CompletionContext);
#define WdfRequestSetCompletionRoutine(...) WDF_CALL(WdfRequestSetCompletionRoutine, WDFREQUESTSETCOMPLETIONROUTINE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTGETCOMPLETIONPARAMS)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    PWDF_REQUEST_COMPLETION_PARAMS Params);
#define WdfRequestGetCompletionParams(...) WDF_CALL(WdfRequestGetCompletionParams, WDFREQUESTGETCOMPLETIONPARAMS, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTALLOCATETIMER)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestAllocateTimer(...) WDF_CALL(WdfRequestAllocateTimer, WDFREQUESTALLOCATETIMER, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTCOMPLETE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    NTSTATUS Status);
#define WdfRequestComplete(...) WDF_CALL(WdfRequestComplete, WDFREQUESTCOMPLETE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTCOMPLETEWITHPRIORITYBOOST)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, NTSTATUS Status, CCHAR PriorityBoost);
#define WdfRequestCompleteWithPriorityBoost(...) WDF_CALL(WdfRequestCompleteWithPriorityBoost, WDFREQUESTCOMPLETEWITHPRIORITYBOOST, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTCOMPLETEWITHINFORMATION)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, NTSTATUS Status, ULONG_PTR Information);
#define WdfRequestCompleteWithInformation(...) WDF_CALL(WdfRequestCompleteWithInformation, WDFREQUESTCOMPLETEWITHINFORMATION, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTGETPARAMETERS)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    PWDF_REQUEST_PARAMETERS Parameters);
#define WdfRequestGetParameters(...) WDF_CALL(WdfRequestGetParameters, WDFREQUESTGETPARAMETERS, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEINPUTMEMORY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, WDFMEMORY *Memory);
#define WdfRequestRetrieveInputMemory(...) WDF_CALL(WdfRequestRetrieveInputMemory, WDFREQUESTRETRIEVEINPUTMEMORY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEOUTPUTMEMORY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, WDFMEMORY *Memory);
#define WdfRequestRetrieveOutputMemory(...) WDF_CALL(WdfRequestRetrieveOutputMemory, WDFREQUESTRETRIEVEOUTPUTMEMORY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEINPUTBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *Buffer, size_t *Length);
#define WdfRequestRetrieveInputBuffer(...) WDF_CALL(WdfRequestRetrieveInputBuffer, WDFREQUESTRETRIEVEINPUTBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEOUTPUTBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, size_t MinimumRequiredSize, PVOID *Buffer, size_t *Length);
#define WdfRequestRetrieveOutputBuffer(...) WDF_CALL(WdfRequestRetrieveOutputBuffer, WDFREQUESTRETRIEVEOUTPUTBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEINPUTWDMMDL)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PMDL *Mdl);
#define WdfRequestRetrieveInputWdmMdl(...) WDF_CALL(WdfRequestRetrieveInputWdmMdl, WDFREQUESTRETRIEVEINPUTWDMMDL, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEOUTPUTWDMMDL)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PMDL *Mdl);
#define WdfRequestRetrieveOutputWdmMdl(...) WDF_CALL(WdfRequestRetrieveOutputWdmMdl, WDFREQUESTRETRIEVEOUTPUTWDMMDL, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEUNSAFEUSERINPUTBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *InputBuffer, size_t *Length);
#define WdfRequestRetrieveUnsafeUserInputBuffer(...) WDF_CALL(WdfRequestRetrieveUnsafeUserInputBuffer, WDFREQUESTRETRIEVEUNSAFEUSERINPUTBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTRETRIEVEUNSAFEUSEROUTPUTBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *OutputBuffer, size_t *Length);
#define WdfRequestRetrieveUnsafeUserOutputBuffer(...) WDF_CALL(WdfRequestRetrieveUnsafeUserOutputBuffer, WDFREQUESTRETRIEVEUNSAFEUSEROUTPUTBUFFER, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTSETINFORMATION)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    ULONG_PTR Information);
#define WdfRequestSetInformation(...) WDF_CALL(WdfRequestSetInformation, WDFREQUESTSETINFORMATION, ##__VA_ARGS__)
typedef ULONG_PTR(NTAPI *PFN_WDFREQUESTGETINFORMATION)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestGetInformation(...) WDF_CALL(WdfRequestGetInformation, WDFREQUESTGETINFORMATION, ##__VA_ARGS__)
typedef WDFFILEOBJECT(NTAPI *PFN_WDFREQUESTGETFILEOBJECT)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestGetFileObject(...) WDF_CALL(WdfRequestGetFileObject, WDFREQUESTGETFILEOBJECT, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTPROBEANDLOCKUSERBUFFERFORREAD)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PVOID Buffer, size_t Length, WDFMEMORY *MemoryObject);
#define WdfRequestProbeAndLockUserBufferForRead(...) WDF_CALL(WdfRequestProbeAndLockUserBufferForRead, WDFREQUESTPROBEANDLOCKUSERBUFFERFORREAD, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTPROBEANDLOCKUSERBUFFERFORWRITE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, PVOID Buffer, size_t Length, WDFMEMORY *MemoryObject);
#define WdfRequestProbeAndLockUserBufferForWrite(...) WDF_CALL(WdfRequestProbeAndLockUserBufferForWrite, WDFREQUESTPROBEANDLOCKUSERBUFFERFORWRITE, ##__VA_ARGS__)
typedef KPROCESSOR_MODE(NTAPI *PFN_WDFREQUESTGETREQUESTORMODE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request);
#define WdfRequestGetRequestorMode(...) WDF_CALL(WdfRequestGetRequestorMode, WDFREQUESTGETREQUESTORMODE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTFORWARDTOIOQUEUE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, WDFQUEUE DestinationQueue);
#define WdfRequestForwardToIoQueue(...) WDF_CALL(WdfRequestForwardToIoQueue, WDFREQUESTFORWARDTOIOQUEUE, ##__VA_ARGS__)
typedef WDFQUEUE(NTAPI *PFN_WDFREQUESTGETIOQUEUE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestGetIoQueue(...) WDF_CALL(WdfRequestGetIoQueue, WDFREQUESTGETIOQUEUE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTREQUEUE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestRequeue(...) WDF_CALL(WdfRequestRequeue, WDFREQUESTREQUEUE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFREQUESTSTOPACKNOWLEDGE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request,
    BOOLEAN Requeue);
#define WdfRequestStopAcknowledge(...) WDF_CALL(WdfRequestStopAcknowledge, WDFREQUESTSTOPACKNOWLEDGE, ##__VA_ARGS__)
typedef PIRP(NTAPI *PFN_WDFREQUESTWDMGETIRP)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestWdmGetIrp(...) WDF_CALL(WdfRequestWdmGetIrp, WDFREQUESTWDMGETIRP, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFREQUESTISRESERVED)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFREQUEST Request);
#define WdfRequestIsReserved(...) WDF_CALL(WdfRequestIsReserved, WDFREQUESTISRESERVED, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFREQUESTFORWARDTOPARENTDEVICEIOQUEUE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFREQUEST Request, WDFQUEUE ParentDeviceQueue, PWDF_REQUEST_FORWARD_OPTIONS ForwardOptions);
#define WdfRequestForwardToParentDeviceIoQueue(...) WDF_CALL(WdfRequestForwardToParentDeviceIoQueue, WDFREQUESTFORWARDTOPARENTDEVICEIOQUEUE, ##__VA_ARGS__)
