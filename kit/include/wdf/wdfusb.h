/* USB devices. */
#pragma once

typedef enum _WDF_USB_REQUEST_TYPE {
    WdfUsbRequestTypeInvalid = 0,
    WdfUsbRequestTypeNoFormat,
    WdfUsbRequestTypeDeviceString,
    WdfUsbRequestTypeDeviceControlTransfer,
    WdfUsbRequestTypeDeviceUrb,
    WdfUsbRequestTypePipeWrite,
    WdfUsbRequestTypePipeRead,
    WdfUsbRequestTypePipeAbort,
    WdfUsbRequestTypePipeReset,
    WdfUsbRequestTypePipeUrb,
} WDF_USB_REQUEST_TYPE, *PWDF_USB_REQUEST_TYPE;

typedef enum _WDF_USB_BMREQUEST_DIRECTION {
    BmRequestHostToDevice = 0,
    BmRequestDeviceToHost = 1,
} WDF_USB_BMREQUEST_DIRECTION;

typedef enum _WDF_USB_BMREQUEST_TYPE {
    BmRequestStandard = 0,
    BmRequestClass = 1,
    BmRequestVendor = 2,
} WDF_USB_BMREQUEST_TYPE;

typedef enum _WDF_USB_BMREQUEST_RECIPIENT {
    BmRequestToDevice = 0,
    BmRequestToInterface = 1,
    BmRequestToEndpoint = 2,
    BmRequestToOther = 3,
} WDF_USB_BMREQUEST_RECIPIENT;

typedef enum _WDF_USB_PIPE_TYPE {
    WdfUsbPipeTypeInvalid = 0,
    WdfUsbPipeTypeControl,
    WdfUsbPipeTypeIsochronous,
    WdfUsbPipeTypeBulk,
    WdfUsbPipeTypeInterrupt,
} WDF_USB_PIPE_TYPE;

typedef enum _WdfUsbTargetDeviceSelectConfigType {
    WdfUsbTargetDeviceSelectConfigTypeInvalid = 0,
    WdfUsbTargetDeviceSelectConfigTypeDeconfig = 1,
    WdfUsbTargetDeviceSelectConfigTypeSingleInterface = 2,
    WdfUsbTargetDeviceSelectConfigTypeMultiInterface = 3,
    WdfUsbTargetDeviceSelectConfigTypeInterfacesPairs = 4,
    WdfUsbTargetDeviceSelectConfigTypeInterfacesDescriptor = 5,
    WdfUsbTargetDeviceSelectConfigTypeUrb = 6,
} WdfUsbTargetDeviceSelectConfigType;

typedef enum _WdfUsbTargetDeviceSelectSettingType {
    WdfUsbInterfaceSelectSettingTypeDescriptor = 0x10,
    WdfUsbInterfaceSelectSettingTypeSetting = 0x11,
    WdfUsbInterfaceSelectSettingTypeUrb = 0x12,
} WdfUsbTargetDeviceSelectSettingType;

typedef enum _WDF_USB_DEVICE_TRAITS {
    WDF_USB_DEVICE_TRAIT_SELF_POWERED = 0x00000001,
    WDF_USB_DEVICE_TRAIT_REMOTE_WAKE_CAPABLE = 0x00000002,
    WDF_USB_DEVICE_TRAIT_AT_HIGH_SPEED = 0x00000004,
} WDF_USB_DEVICE_TRAITS;

typedef union _WDF_USB_CONTROL_SETUP_PACKET {
    struct {
        union {
            struct {
                BYTE Recipient : 2;
                BYTE Reserved : 3;
                BYTE Type : 2;
                BYTE Dir : 1;
            } Request;
            BYTE Byte;
        } bm;
        BYTE bRequest;
        union {
            struct {
                BYTE LowByte;
                BYTE HiByte;
            } Bytes;
            USHORT Value;
        } wValue;
        union {
            struct {
                BYTE LowByte;
                BYTE HiByte;
            } Bytes;
            USHORT Value;
        } wIndex;
        USHORT wLength;
    } Packet;
    struct {
        BYTE Bytes[8];
    } Generic;
} WDF_USB_CONTROL_SETUP_PACKET, *PWDF_USB_CONTROL_SETUP_PACKET;
WDF_LAYOUT_SIZE(WDF_USB_CONTROL_SETUP_PACKET, 8);
WDF_LAYOUT_FIELD(WDF_USB_CONTROL_SETUP_PACKET, Generic, 0);

typedef struct _WDF_USB_REQUEST_COMPLETION_PARAMS {
    USBD_STATUS UsbdStatus;
    WDF_USB_REQUEST_TYPE Type;
    union {
        struct {
            WDFMEMORY Buffer;
            USHORT LangID;
            UCHAR StringIndex;
            UCHAR RequiredSize;
        } DeviceString;
        struct {
            WDFMEMORY Buffer;
            WDF_USB_CONTROL_SETUP_PACKET SetupPacket;
            ULONG Length;
        } DeviceControlTransfer;
        struct {
            WDFMEMORY Buffer;
        } DeviceUrb;
        struct {
            WDFMEMORY Buffer;
            size_t Length;
            size_t Offset;
        } PipeWrite;
        struct {
            WDFMEMORY Buffer;
            size_t Length;
            size_t Offset;
        } PipeRead;
        struct {
            WDFMEMORY Buffer;
        } PipeUrb;
    } Parameters;
} WDF_USB_REQUEST_COMPLETION_PARAMS, *PWDF_USB_REQUEST_COMPLETION_PARAMS;
WDF_LAYOUT_SIZE(WDF_USB_REQUEST_COMPLETION_PARAMS, 32);
WDF_LAYOUT_FIELD(WDF_USB_REQUEST_COMPLETION_PARAMS, Parameters, 8);

typedef VOID EVT_WDF_USB_READER_COMPLETION_ROUTINE(WDFUSBPIPE Pipe, WDFMEMORY Buffer,
    size_t NumBytesTransferred, WDFCONTEXT Context);
typedef EVT_WDF_USB_READER_COMPLETION_ROUTINE *PFN_WDF_USB_READER_COMPLETION_ROUTINE;
typedef BOOLEAN EVT_WDF_USB_READERS_FAILED(WDFUSBPIPE Pipe, NTSTATUS Status, USBD_STATUS UsbdStatus);
typedef EVT_WDF_USB_READERS_FAILED *PFN_WDF_USB_READERS_FAILED;

typedef struct _WDF_USB_CONTINUOUS_READER_CONFIG {
    ULONG Size;
    size_t TransferLength;
    size_t HeaderLength;
    size_t TrailerLength;
    UCHAR NumPendingReads;
    PWDF_OBJECT_ATTRIBUTES BufferAttributes;
    PFN_WDF_USB_READER_COMPLETION_ROUTINE EvtUsbTargetPipeReadComplete;
    WDFCONTEXT EvtUsbTargetPipeReadCompleteContext;
    PFN_WDF_USB_READERS_FAILED EvtUsbTargetPipeReadersFailed;
} WDF_USB_CONTINUOUS_READER_CONFIG, *PWDF_USB_CONTINUOUS_READER_CONFIG;
WDF_LAYOUT_SIZE(WDF_USB_CONTINUOUS_READER_CONFIG, 72);
WDF_LAYOUT_FIELD(WDF_USB_CONTINUOUS_READER_CONFIG, EvtUsbTargetPipeReadersFailed, 64);

typedef struct _WDF_USB_DEVICE_INFORMATION {
    ULONG Size;
    USBD_VERSION_INFORMATION UsbdVersionInformation;
    ULONG HcdPortCapabilities;
    ULONG Traits;
} WDF_USB_DEVICE_INFORMATION, *PWDF_USB_DEVICE_INFORMATION;
WDF_LAYOUT_SIZE(WDF_USB_DEVICE_INFORMATION, 20);
WDF_LAYOUT_FIELD(WDF_USB_DEVICE_INFORMATION, Traits, 16);

typedef struct _WDF_USB_INTERFACE_SETTING_PAIR {
    WDFUSBINTERFACE UsbInterface;
    UCHAR SettingIndex;
} WDF_USB_INTERFACE_SETTING_PAIR, *PWDF_USB_INTERFACE_SETTING_PAIR;
WDF_LAYOUT_SIZE(WDF_USB_INTERFACE_SETTING_PAIR, 16);
WDF_LAYOUT_FIELD(WDF_USB_INTERFACE_SETTING_PAIR, SettingIndex, 8);

typedef struct _WDF_USB_DEVICE_SELECT_CONFIG_PARAMS {
    ULONG Size;
    WdfUsbTargetDeviceSelectConfigType Type;
    union {
        struct {
            PUSB_CONFIGURATION_DESCRIPTOR ConfigurationDescriptor;
            PUSB_INTERFACE_DESCRIPTOR *InterfaceDescriptors;
            ULONG NumInterfaceDescriptors;
        } Descriptor;
        struct {
            PURB Urb;
        } Urb;
        struct {
            UCHAR NumberConfiguredPipes;
            WDFUSBINTERFACE ConfiguredUsbInterface;
        } SingleInterface;
        struct {
            UCHAR NumberInterfaces;
            PWDF_USB_INTERFACE_SETTING_PAIR Pairs;
            UCHAR NumberOfConfiguredInterfaces;
        } MultiInterface;
    } Types;
} WDF_USB_DEVICE_SELECT_CONFIG_PARAMS, *PWDF_USB_DEVICE_SELECT_CONFIG_PARAMS;
WDF_LAYOUT_SIZE(WDF_USB_DEVICE_SELECT_CONFIG_PARAMS, 32);
WDF_LAYOUT_FIELD(WDF_USB_DEVICE_SELECT_CONFIG_PARAMS, Types, 8);

typedef struct _WDF_USB_INTERFACE_SELECT_SETTING_PARAMS {
    ULONG Size;
    WdfUsbTargetDeviceSelectSettingType Type;
    union {
        struct {
            PUSB_INTERFACE_DESCRIPTOR InterfaceDescriptor;
        } Descriptor;
        struct {
            UCHAR SettingIndex;
        } Interface;
        struct {
            PURB Urb;
        } Urb;
    } Types;
} WDF_USB_INTERFACE_SELECT_SETTING_PARAMS, *PWDF_USB_INTERFACE_SELECT_SETTING_PARAMS;
WDF_LAYOUT_SIZE(WDF_USB_INTERFACE_SELECT_SETTING_PARAMS, 16);
WDF_LAYOUT_FIELD(WDF_USB_INTERFACE_SELECT_SETTING_PARAMS, Types, 8);

typedef struct _WDF_USB_PIPE_INFORMATION {
    ULONG Size;
    ULONG MaximumPacketSize;
    UCHAR EndpointAddress;
    UCHAR Interval;
    UCHAR SettingIndex;
    WDF_USB_PIPE_TYPE PipeType;
    ULONG MaximumTransferSize;
} WDF_USB_PIPE_INFORMATION, *PWDF_USB_PIPE_INFORMATION;
WDF_LAYOUT_SIZE(WDF_USB_PIPE_INFORMATION, 20);
WDF_LAYOUT_FIELD(WDF_USB_PIPE_INFORMATION, MaximumTransferSize, 16);

typedef struct _WDF_USB_DEVICE_CREATE_CONFIG {
    ULONG Size;
    ULONG USBDClientContractVersion;
} WDF_USB_DEVICE_CREATE_CONFIG, *PWDF_USB_DEVICE_CREATE_CONFIG;
WDF_LAYOUT_SIZE(WDF_USB_DEVICE_CREATE_CONFIG, 8);
WDF_LAYOUT_FIELD(WDF_USB_DEVICE_CREATE_CONFIG, USBDClientContractVersion, 4);

typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICECREATE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDEVICE Device,
    PWDF_OBJECT_ATTRIBUTES Attributes, WDFUSBDEVICE *UsbDevice);
#define WdfUsbTargetDeviceCreate(...) WDF_CALL(WdfUsbTargetDeviceCreate, WDFUSBTARGETDEVICECREATE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICECREATEWITHPARAMETERS)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFDEVICE Device, PWDF_USB_DEVICE_CREATE_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes,
    WDFUSBDEVICE *UsbDevice);
#define WdfUsbTargetDeviceCreateWithParameters(...) WDF_CALL(WdfUsbTargetDeviceCreateWithParameters, WDFUSBTARGETDEVICECREATEWITHPARAMETERS, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICERETRIEVEINFORMATION)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PWDF_USB_DEVICE_INFORMATION Information);
#define WdfUsbTargetDeviceRetrieveInformation(...) WDF_CALL(WdfUsbTargetDeviceRetrieveInformation, WDFUSBTARGETDEVICERETRIEVEINFORMATION, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFUSBTARGETDEVICEGETDEVICEDESCRIPTOR)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PUSB_DEVICE_DESCRIPTOR UsbDeviceDescriptor);
#define WdfUsbTargetDeviceGetDeviceDescriptor(...) WDF_CALL(WdfUsbTargetDeviceGetDeviceDescriptor, WDFUSBTARGETDEVICEGETDEVICEDESCRIPTOR, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICERETRIEVECONFIGDESCRIPTOR)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PVOID ConfigDescriptor, PUSHORT ConfigDescriptorLength);
#define WdfUsbTargetDeviceRetrieveConfigDescriptor(...) WDF_CALL(WdfUsbTargetDeviceRetrieveConfigDescriptor, WDFUSBTARGETDEVICERETRIEVECONFIGDESCRIPTOR, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEQUERYSTRING)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions, PUSHORT String,
    PUSHORT NumCharacters, UCHAR StringIndex, USHORT LangID);
#define WdfUsbTargetDeviceQueryString(...) WDF_CALL(WdfUsbTargetDeviceQueryString, WDFUSBTARGETDEVICEQUERYSTRING, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEALLOCANDQUERYSTRING)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PWDF_OBJECT_ATTRIBUTES StringMemoryAttributes, WDFMEMORY *StringMemory,
    PUSHORT NumCharacters, UCHAR StringIndex, USHORT LangID);
#define WdfUsbTargetDeviceAllocAndQueryString(...) WDF_CALL(WdfUsbTargetDeviceAllocAndQueryString, WDFUSBTARGETDEVICEALLOCANDQUERYSTRING, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEFORMATREQUESTFORSTRING)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request, WDFMEMORY Memory, PWDFMEMORY_OFFSET Offset, UCHAR StringIndex,
    USHORT LangID);
#define WdfUsbTargetDeviceFormatRequestForString(...) WDF_CALL(WdfUsbTargetDeviceFormatRequestForString, WDFUSBTARGETDEVICEFORMATREQUESTFORSTRING, ##__VA_ARGS__)
typedef UCHAR(NTAPI *PFN_WDFUSBTARGETDEVICEGETNUMINTERFACES)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice);
#define WdfUsbTargetDeviceGetNumInterfaces(...) WDF_CALL(WdfUsbTargetDeviceGetNumInterfaces, WDFUSBTARGETDEVICEGETNUMINTERFACES, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICESELECTCONFIG)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PWDF_OBJECT_ATTRIBUTES PipeAttributes,
    PWDF_USB_DEVICE_SELECT_CONFIG_PARAMS Params);
#define WdfUsbTargetDeviceSelectConfig(...) WDF_CALL(WdfUsbTargetDeviceSelectConfig, WDFUSBTARGETDEVICESELECTCONFIG, ##__VA_ARGS__)
typedef USBD_CONFIGURATION_HANDLE(NTAPI *PFN_WDFUSBTARGETDEVICEWDMGETCONFIGURATIONHANDLE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice);
#define WdfUsbTargetDeviceWdmGetConfigurationHandle(...) WDF_CALL(WdfUsbTargetDeviceWdmGetConfigurationHandle, WDFUSBTARGETDEVICEWDMGETCONFIGURATIONHANDLE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICERETRIEVECURRENTFRAMENUMBER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PULONG CurrentFrameNumber);
#define WdfUsbTargetDeviceRetrieveCurrentFrameNumber(...) WDF_CALL(WdfUsbTargetDeviceRetrieveCurrentFrameNumber, WDFUSBTARGETDEVICERETRIEVECURRENTFRAMENUMBER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICESENDCONTROLTRANSFERSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
    PWDF_USB_CONTROL_SETUP_PACKET SetupPacket, PWDF_MEMORY_DESCRIPTOR MemoryDescriptor,
    PULONG BytesTransferred);
#define WdfUsbTargetDeviceSendControlTransferSynchronously(...) WDF_CALL(WdfUsbTargetDeviceSendControlTransferSynchronously, WDFUSBTARGETDEVICESENDCONTROLTRANSFERSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEFORMATREQUESTFORCONTROLTRANSFER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request, PWDF_USB_CONTROL_SETUP_PACKET SetupPacket,
    WDFMEMORY TransferMemory, PWDFMEMORY_OFFSET TransferOffset);
#define WdfUsbTargetDeviceFormatRequestForControlTransfer(...) WDF_CALL(WdfUsbTargetDeviceFormatRequestForControlTransfer, WDFUSBTARGETDEVICEFORMATREQUESTFORCONTROLTRANSFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEISCONNECTEDSYNCHRONOUS)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice);
#define WdfUsbTargetDeviceIsConnectedSynchronous(...) WDF_CALL(WdfUsbTargetDeviceIsConnectedSynchronous, WDFUSBTARGETDEVICEISCONNECTEDSYNCHRONOUS, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICERESETPORTSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice);
#define WdfUsbTargetDeviceResetPortSynchronously(...) WDF_CALL(WdfUsbTargetDeviceResetPortSynchronously, WDFUSBTARGETDEVICERESETPORTSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICECYCLEPORTSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice);
#define WdfUsbTargetDeviceCyclePortSynchronously(...) WDF_CALL(WdfUsbTargetDeviceCyclePortSynchronously, WDFUSBTARGETDEVICECYCLEPORTSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEFORMATREQUESTFORCYCLEPORT)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request);
#define WdfUsbTargetDeviceFormatRequestForCyclePort(...) WDF_CALL(WdfUsbTargetDeviceFormatRequestForCyclePort, WDFUSBTARGETDEVICEFORMATREQUESTFORCYCLEPORT, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICESENDURBSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions, PURB Urb);
#define WdfUsbTargetDeviceSendUrbSynchronously(...) WDF_CALL(WdfUsbTargetDeviceSendUrbSynchronously, WDFUSBTARGETDEVICESENDURBSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEFORMATREQUESTFORURB)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, WDFREQUEST Request, WDFMEMORY UrbMemory, PWDFMEMORY_OFFSET UrbMemoryOffset);
#define WdfUsbTargetDeviceFormatRequestForUrb(...) WDF_CALL(WdfUsbTargetDeviceFormatRequestForUrb, WDFUSBTARGETDEVICEFORMATREQUESTFORURB, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICEQUERYUSBCAPABILITY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, const GUID *CapabilityType, ULONG CapabilityBufferLength, PVOID CapabilityBuffer,
    PULONG ResultLength);
#define WdfUsbTargetDeviceQueryUsbCapability(...) WDF_CALL(WdfUsbTargetDeviceQueryUsbCapability, WDFUSBTARGETDEVICEQUERYUSBCAPABILITY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICECREATEURB)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PWDF_OBJECT_ATTRIBUTES Attributes, WDFMEMORY *UrbMemory, PURB *Urb);
#define WdfUsbTargetDeviceCreateUrb(...) WDF_CALL(WdfUsbTargetDeviceCreateUrb, WDFUSBTARGETDEVICECREATEURB, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETDEVICECREATEISOCHURB)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, PWDF_OBJECT_ATTRIBUTES Attributes, ULONG NumberOfIsochPackets,
    WDFMEMORY *UrbMemory, PURB *Urb);
#define WdfUsbTargetDeviceCreateIsochUrb(...) WDF_CALL(WdfUsbTargetDeviceCreateIsochUrb, WDFUSBTARGETDEVICECREATEISOCHURB, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFUSBTARGETPIPEGETINFORMATION)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFUSBPIPE Pipe,
    PWDF_USB_PIPE_INFORMATION PipeInformation);
#define WdfUsbTargetPipeGetInformation(...) WDF_CALL(WdfUsbTargetPipeGetInformation, WDFUSBTARGETPIPEGETINFORMATION, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFUSBTARGETPIPEISINENDPOINT)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFUSBPIPE Pipe);
#define WdfUsbTargetPipeIsInEndpoint(...) WDF_CALL(WdfUsbTargetPipeIsInEndpoint, WDFUSBTARGETPIPEISINENDPOINT, ##__VA_ARGS__)
typedef BOOLEAN(NTAPI *PFN_WDFUSBTARGETPIPEISOUTENDPOINT)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe);
#define WdfUsbTargetPipeIsOutEndpoint(...) WDF_CALL(WdfUsbTargetPipeIsOutEndpoint, WDFUSBTARGETPIPEISOUTENDPOINT, ##__VA_ARGS__)
typedef WDF_USB_PIPE_TYPE(NTAPI *PFN_WDFUSBTARGETPIPEGETTYPE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe);
#define WdfUsbTargetPipeGetType(...) WDF_CALL(WdfUsbTargetPipeGetType, WDFUSBTARGETPIPEGETTYPE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFUSBTARGETPIPESETNOMAXIMUMPACKETSIZECHECK)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe);
#define WdfUsbTargetPipeSetNoMaximumPacketSizeCheck(...) WDF_CALL(WdfUsbTargetPipeSetNoMaximumPacketSizeCheck, WDFUSBTARGETPIPESETNOMAXIMUMPACKETSIZECHECK, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEWRITESYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
    PWDF_MEMORY_DESCRIPTOR MemoryDescriptor, PULONG BytesWritten);
#define WdfUsbTargetPipeWriteSynchronously(...) WDF_CALL(WdfUsbTargetPipeWriteSynchronously, WDFUSBTARGETPIPEWRITESYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEFORMATREQUESTFORWRITE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, WDFMEMORY WriteMemory, PWDFMEMORY_OFFSET WriteOffset);
#define WdfUsbTargetPipeFormatRequestForWrite(...) WDF_CALL(WdfUsbTargetPipeFormatRequestForWrite, WDFUSBTARGETPIPEFORMATREQUESTFORWRITE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEREADSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions,
    PWDF_MEMORY_DESCRIPTOR MemoryDescriptor, PULONG BytesRead);
#define WdfUsbTargetPipeReadSynchronously(...) WDF_CALL(WdfUsbTargetPipeReadSynchronously, WDFUSBTARGETPIPEREADSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEFORMATREQUESTFORREAD)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, WDFMEMORY ReadMemory, PWDFMEMORY_OFFSET ReadOffset);
#define WdfUsbTargetPipeFormatRequestForRead(...) WDF_CALL(WdfUsbTargetPipeFormatRequestForRead, WDFUSBTARGETPIPEFORMATREQUESTFORREAD, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPECONFIGCONTINUOUSREADER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, PWDF_USB_CONTINUOUS_READER_CONFIG Config);
#define WdfUsbTargetPipeConfigContinuousReader(...) WDF_CALL(WdfUsbTargetPipeConfigContinuousReader, WDFUSBTARGETPIPECONFIGCONTINUOUSREADER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEABORTSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions);
#define WdfUsbTargetPipeAbortSynchronously(...) WDF_CALL(WdfUsbTargetPipeAbortSynchronously, WDFUSBTARGETPIPEABORTSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEFORMATREQUESTFORABORT)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request);
#define WdfUsbTargetPipeFormatRequestForAbort(...) WDF_CALL(WdfUsbTargetPipeFormatRequestForAbort, WDFUSBTARGETPIPEFORMATREQUESTFORABORT, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPERESETSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions);
#define WdfUsbTargetPipeResetSynchronously(...) WDF_CALL(WdfUsbTargetPipeResetSynchronously, WDFUSBTARGETPIPERESETSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEFORMATREQUESTFORRESET)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request);
#define WdfUsbTargetPipeFormatRequestForReset(...) WDF_CALL(WdfUsbTargetPipeFormatRequestForReset, WDFUSBTARGETPIPEFORMATREQUESTFORRESET, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPESENDURBSYNCHRONOUSLY)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE Pipe, WDFREQUEST Request, PWDF_REQUEST_SEND_OPTIONS RequestOptions, PURB Urb);
#define WdfUsbTargetPipeSendUrbSynchronously(...) WDF_CALL(WdfUsbTargetPipeSendUrbSynchronously, WDFUSBTARGETPIPESENDURBSYNCHRONOUSLY, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBTARGETPIPEFORMATREQUESTFORURB)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE PIPE, WDFREQUEST Request, WDFMEMORY UrbMemory, PWDFMEMORY_OFFSET UrbMemoryOffset);
#define WdfUsbTargetPipeFormatRequestForUrb(...) WDF_CALL(WdfUsbTargetPipeFormatRequestForUrb, WDFUSBTARGETPIPEFORMATREQUESTFORURB, ##__VA_ARGS__)
typedef BYTE(NTAPI *PFN_WDFUSBINTERFACEGETINTERFACENUMBER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface);
#define WdfUsbInterfaceGetInterfaceNumber(...) WDF_CALL(WdfUsbInterfaceGetInterfaceNumber, WDFUSBINTERFACEGETINTERFACENUMBER, ##__VA_ARGS__)
typedef BYTE(NTAPI *PFN_WDFUSBINTERFACEGETNUMENDPOINTS)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface, UCHAR SettingIndex);
#define WdfUsbInterfaceGetNumEndpoints(...) WDF_CALL(WdfUsbInterfaceGetNumEndpoints, WDFUSBINTERFACEGETNUMENDPOINTS, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFUSBINTERFACEGETDESCRIPTOR)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface, UCHAR SettingIndex, PUSB_INTERFACE_DESCRIPTOR InterfaceDescriptor);
#define WdfUsbInterfaceGetDescriptor(...) WDF_CALL(WdfUsbInterfaceGetDescriptor, WDFUSBINTERFACEGETDESCRIPTOR, ##__VA_ARGS__)
typedef BYTE(NTAPI *PFN_WDFUSBINTERFACEGETNUMSETTINGS)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface);
#define WdfUsbInterfaceGetNumSettings(...) WDF_CALL(WdfUsbInterfaceGetNumSettings, WDFUSBINTERFACEGETNUMSETTINGS, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFUSBINTERFACESELECTSETTING)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface, PWDF_OBJECT_ATTRIBUTES PipesAttributes,
    PWDF_USB_INTERFACE_SELECT_SETTING_PARAMS Params);
#define WdfUsbInterfaceSelectSetting(...) WDF_CALL(WdfUsbInterfaceSelectSetting, WDFUSBINTERFACESELECTSETTING, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFUSBINTERFACEGETENDPOINTINFORMATION)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface, UCHAR SettingIndex, UCHAR EndpointIndex,
    PWDF_USB_PIPE_INFORMATION EndpointInfo);
#define WdfUsbInterfaceGetEndpointInformation(...) WDF_CALL(WdfUsbInterfaceGetEndpointInformation, WDFUSBINTERFACEGETENDPOINTINFORMATION, ##__VA_ARGS__)
typedef WDFUSBINTERFACE(NTAPI *PFN_WDFUSBTARGETDEVICEGETINTERFACE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBDEVICE UsbDevice, UCHAR InterfaceIndex);
#define WdfUsbTargetDeviceGetInterface(...) WDF_CALL(WdfUsbTargetDeviceGetInterface, WDFUSBTARGETDEVICEGETINTERFACE, ##__VA_ARGS__)
typedef BYTE(NTAPI *PFN_WDFUSBINTERFACEGETCONFIGUREDSETTINGINDEX)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE Interface);
#define WdfUsbInterfaceGetConfiguredSettingIndex(...) WDF_CALL(WdfUsbInterfaceGetConfiguredSettingIndex, WDFUSBINTERFACEGETCONFIGUREDSETTINGINDEX, ##__VA_ARGS__)
typedef BYTE(NTAPI *PFN_WDFUSBINTERFACEGETNUMCONFIGUREDPIPES)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface);
#define WdfUsbInterfaceGetNumConfiguredPipes(...) WDF_CALL(WdfUsbInterfaceGetNumConfiguredPipes, WDFUSBINTERFACEGETNUMCONFIGUREDPIPES, ##__VA_ARGS__)
typedef WDFUSBPIPE(NTAPI *PFN_WDFUSBINTERFACEGETCONFIGUREDPIPE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBINTERFACE UsbInterface, UCHAR PipeIndex, PWDF_USB_PIPE_INFORMATION PipeInfo);
#define WdfUsbInterfaceGetConfiguredPipe(...) WDF_CALL(WdfUsbInterfaceGetConfiguredPipe, WDFUSBINTERFACEGETCONFIGUREDPIPE, ##__VA_ARGS__)
typedef USBD_PIPE_HANDLE(NTAPI *PFN_WDFUSBTARGETPIPEWDMGETPIPEHANDLE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFUSBPIPE UsbPipe);
#define WdfUsbTargetPipeWdmGetPipeHandle(...) WDF_CALL(WdfUsbTargetPipeWdmGetPipeHandle, WDFUSBTARGETPIPEWDMGETPIPEHANDLE, ##__VA_ARGS__)
