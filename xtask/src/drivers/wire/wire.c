#include "wire.h"
#include "wire.tmh"

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

static NDIS_HANDLE Driver;
static NDIS_RW_LOCK Lock;
static ADAPTER *All[ADAPTERS];

static NDIS_OID Supported[] = { OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_CURRENT_LOOKAHEAD };

static void Release(ADAPTER *Adapter)
{
    if (NdisInterlockedDecrement(&Adapter->Outstanding) == 0)
        NdisMPauseComplete(Adapter->Handle);
}

/* Counts one more, unless the adapter is paused. */
static BOOLEAN Hold(ADAPTER *Adapter)
{
    BOOLEAN running;

    NdisDprAcquireSpinLock(&Adapter->Lock);
    running = Adapter->Running;
    if (running)
        NdisInterlockedIncrement(&Adapter->Outstanding);
    NdisDprReleaseSpinLock(&Adapter->Lock);
    return running;
}

static void Free(NET_BUFFER_LIST *List)
{
    MDL *mdl = NET_BUFFER_FIRST_MDL(NET_BUFFER_LIST_FIRST_NB(List));
    PVOID memory = MmGetMdlVirtualAddress(mdl);

    NdisFreeNetBufferList(List);
    NdisFreeMdl(mdl);
    NdisFreeMemoryWithTagPriority(Driver, memory, TAG);
}

static NET_BUFFER_LIST *Copy(ADAPTER *To, NET_BUFFER *Buffer)
{
    ULONG length = NET_BUFFER_DATA_LENGTH(Buffer), copied = 0;
    UCHAR *memory = NdisAllocateMemoryWithTagPriority(Driver, length, TAG, NormalPoolPriority);
    MDL *mdl = memory ? NdisAllocateMdl(Driver, memory, length) : NULL;
    NET_BUFFER_LIST *list = mdl ? NdisAllocateNetBufferAndNetBufferList(To->Pool, 0, 0, mdl, 0, length) : NULL;

    if (list == NULL) {
        if (mdl)
            NdisFreeMdl(mdl);
        if (memory)
            NdisFreeMemory(memory, 0, 0);
        return NULL;
    }
    NdisCopyFromNetBufferToNetBuffer(NET_BUFFER_LIST_FIRST_NB(list), 0, length, Buffer, 0, &copied);
    list->SourceHandle = To->Handle;
    NET_BUFFER_LIST_STATUS(list) = NDIS_STATUS_SUCCESS;
    return list;
}

static void Deliver(ADAPTER *From, NET_BUFFER *Buffer)
{
    LOCK_STATE state;
    ADAPTER *to[ADAPTERS];
    ULONG count = 0, i;

    NdisAcquireReadWriteLock(&Lock, FALSE, &state);
    for (i = 0; i < ADAPTERS; i++) {
        if (All[i] != NULL && All[i] != From && Hold(All[i]))
            to[count++] = All[i];
    }
    NdisReleaseReadWriteLock(&Lock, &state);
    for (i = 0; i < count; i++) {
        NET_BUFFER_LIST *list = Copy(to[i], Buffer);

        if (list != NULL)
            NdisMIndicateReceiveNetBufferLists(to[i]->Handle, list, 0, 1, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
        else
            Release(to[i]);
    }
}

void Drain(ADAPTER *Adapter)
{
    for (;;) {
        NET_BUFFER_LIST *list;
        NET_BUFFER *buffer;

        NdisDprAcquireSpinLock(&Adapter->Lock);
        list = Adapter->Queue;
        if (list != NULL && (Adapter->Queue = NET_BUFFER_LIST_NEXT_NBL(list)) == NULL)
            Adapter->Tail = &Adapter->Queue;
        NdisDprReleaseSpinLock(&Adapter->Lock);
        if (list == NULL)
            return;
        for (buffer = NET_BUFFER_LIST_FIRST_NB(list); buffer != NULL; buffer = NET_BUFFER_NEXT_NB(buffer))
            Deliver(Adapter, buffer);
        NET_BUFFER_LIST_NEXT_NBL(list) = NULL;
        NET_BUFFER_LIST_STATUS(list) = NDIS_STATUS_SUCCESS;
        NdisMSendNetBufferListsComplete(Adapter->Handle, list, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
        Release(Adapter);
    }
}

static void Tick(PVOID One, PVOID Adapter, PVOID Two, PVOID Three)
{
    Drain(Adapter);
}

static void Send(NDIS_HANDLE Context, NET_BUFFER_LIST *Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *adapter = Context;
    LARGE_INTEGER due = { .QuadPart = -1000 };
    NET_BUFFER_LIST *next;

    for (; Lists != NULL; Lists = next) {
        BOOLEAN taken;

        next = NET_BUFFER_LIST_NEXT_NBL(Lists);
        NET_BUFFER_LIST_NEXT_NBL(Lists) = NULL;
        NdisAcquireSpinLock(&adapter->Lock);
        taken = adapter->Running && !adapter->Gone;
        if (taken) {
            NdisInterlockedIncrement(&adapter->Outstanding);
            *adapter->Tail = Lists;
            adapter->Tail = &NET_BUFFER_LIST_NEXT_NBL(Lists);
        }
        NdisReleaseSpinLock(&adapter->Lock);
        if (!taken) {
            NET_BUFFER_LIST_STATUS(Lists) = adapter->Gone ? NDIS_STATUS_NOT_ACCEPTED : NDIS_STATUS_PAUSED;
            NdisMSendNetBufferListsComplete(adapter->Handle, Lists,
                NDIS_TEST_SEND_AT_DISPATCH_LEVEL(Flags) ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0);
        }
    }
    NdisSetTimerObject(adapter->Timer, due, 0, NULL);
}

static void Return(NDIS_HANDLE Context, NET_BUFFER_LIST *Lists, ULONG Flags)
{
    while (Lists != NULL) {
        NET_BUFFER_LIST *next = NET_BUFFER_LIST_NEXT_NBL(Lists);

        Free(Lists);
        Release(Context);
        Lists = next;
    }
}

static void CancelSend(NDIS_HANDLE Context, PVOID Id)
{
}

static NDIS_STATUS Request(NDIS_HANDLE Context, NDIS_OID_REQUEST *Request)
{
    ADAPTER *adapter = Context;

    if (adapter->Gone)
        return NDIS_STATUS_NOT_ACCEPTED;
    if (Request->RequestType == NdisRequestSetInformation &&
        Request->DATA.SET_INFORMATION.Oid == OID_GEN_CURRENT_PACKET_FILTER) {
        Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
        return NDIS_STATUS_SUCCESS;
    }
    return NDIS_STATUS_NOT_SUPPORTED;
}

static void CancelRequest(NDIS_HANDLE Context, PVOID Id)
{
}

static NDIS_STATUS Restart(NDIS_HANDLE Context, NDIS_MINIPORT_RESTART_PARAMETERS *Parameters)
{
    ADAPTER *adapter = Context;

    NdisAcquireSpinLock(&adapter->Lock);
    adapter->Outstanding = 1;
    adapter->Running = TRUE;
    NdisReleaseSpinLock(&adapter->Lock);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS Pause(NDIS_HANDLE Context, NDIS_MINIPORT_PAUSE_PARAMETERS *Parameters)
{
    ADAPTER *adapter = Context;

    NdisAcquireSpinLock(&adapter->Lock);
    adapter->Running = FALSE;
    NdisReleaseSpinLock(&adapter->Lock);
    Release(adapter);
    return NDIS_STATUS_PENDING;
}

static void Event(NDIS_HANDLE Context, NET_DEVICE_PNP_EVENT *Event)
{
    TRACE(1, "event %u", Event->DevicePnPEvent);
    if (Event->DevicePnPEvent == NdisDevicePnPEventSurpriseRemoved)
        ((ADAPTER *)Context)->Gone = TRUE;
}

static void Shutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
}

/* Puts an adapter on the wire in place of another, either of which may be none. */
static BOOLEAN Exchange(ADAPTER *Old, ADAPTER *New)
{
    LOCK_STATE state;
    ULONG i;

    NdisAcquireReadWriteLock(&Lock, TRUE, &state);
    for (i = 0; i < ADAPTERS && All[i] != Old; i++)
        ;
    if (i < ADAPTERS) {
        All[i] = New;
        if (New)
            New->Address[5] = (UCHAR)i;
    }
    NdisReleaseReadWriteLock(&Lock, &state);
    return i < ADAPTERS;
}

static void Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    ADAPTER *adapter = Context;

    Exchange(adapter, NULL);
    if (adapter->Timer) {
        NdisCancelTimerObject(adapter->Timer);
        KeFlushQueuedDpcs();
        NdisFreeTimerObject(adapter->Timer);
    }
    if (adapter->Pool)
        NdisFreeNetBufferListPool(adapter->Pool);
    NdisFreeSpinLock(&adapter->Lock);
    NdisFreeMemoryWithTagPriority(Driver, adapter, TAG);
}

static NDIS_STATUS Attributes(ADAPTER *Adapter)
{
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES registration = { 0 };
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES general = { 0 };
    NDIS_STATUS status;

    registration.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    registration.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    registration.Header.Size = sizeof(registration);
    registration.MiniportAdapterContext = Adapter;
    registration.AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK | NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM;
    registration.InterfaceType = NdisInterfaceInternal;
    status = NdisMSetMiniportAttributes(Adapter->Handle, (PNDIS_MINIPORT_ADAPTER_ATTRIBUTES)&registration);
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    general.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    general.Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1;
    general.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1;
    general.MediaType = NdisMedium802_3;
    general.MtuSize = 1500;
    general.LookaheadSize = 1500;
    general.MediaConnectState = MediaConnectStateConnected;
    general.MediaDuplexState = MediaDuplexStateFull;
    general.MacAddressLength = ETH_LENGTH_OF_ADDRESS;
    ETH_COPY_NETWORK_ADDRESS(general.PermanentMacAddress, Adapter->Address);
    ETH_COPY_NETWORK_ADDRESS(general.CurrentMacAddress, Adapter->Address);
    general.IfType = IF_TYPE_ETHERNET_CSMACD;
    general.SupportedOidList = Supported;
    general.SupportedOidListLength = sizeof(Supported);
    return NdisMSetMiniportAttributes(Adapter->Handle, (PNDIS_MINIPORT_ADAPTER_ATTRIBUTES)&general);
}

static NDIS_STATUS Initialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, NDIS_MINIPORT_INIT_PARAMETERS *Parameters)
{
    static const UCHAR first[] = { 2, 0x57, 0x69, 0x72, 0x65, 0 };
    NET_BUFFER_LIST_POOL_PARAMETERS pool = { 0 };
    NDIS_TIMER_CHARACTERISTICS timer = { 0 };
    NDIS_STATUS status = NDIS_STATUS_RESOURCES;
    ADAPTER *adapter = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*adapter), TAG, NormalPoolPriority);

    if (adapter == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(adapter, sizeof(*adapter));
    adapter->Handle = Handle;
    adapter->Tail = &adapter->Queue;
    NdisMoveMemory(adapter->Address, first, sizeof(first));
    NdisAllocateSpinLock(&adapter->Lock);
    pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    pool.Header.Size = sizeof(pool);
    pool.fAllocateNetBuffer = TRUE;
    pool.PoolTag = TAG;
    timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    timer.Header.Size = sizeof(timer);
    timer.AllocationTag = TAG;
    timer.TimerFunction = Tick;
    timer.FunctionContext = adapter;
    adapter->Pool = NdisAllocateNetBufferListPool(Handle, &pool);
    if (adapter->Pool != NULL && NdisAllocateTimerObject(Handle, &timer, &adapter->Timer) == NDIS_STATUS_SUCCESS &&
        Exchange(NULL, adapter))
        status = Attributes(adapter);
    if (status != NDIS_STATUS_SUCCESS)
        Halt(adapter, NdisHaltDeviceInitializationFailed);
    return status;
}

static void Unload(PDRIVER_OBJECT DriverObject)
{
    NdisMDeregisterMiniportDriver(Driver);
    WPP_CLEANUP(DriverObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS own = { 0 };

    WPP_INIT_TRACING(DriverObject, RegistryPath);
    NdisInitializeReadWriteLock(&Lock);
    own.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    own.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
    own.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
    own.MajorNdisVersion = NDIS_MINIPORT_MAJOR_VERSION;
    own.MinorNdisVersion = NDIS_MINIPORT_MINOR_VERSION;
    own.InitializeHandlerEx = Initialize;
    own.HaltHandlerEx = Halt;
    own.UnloadHandler = Unload;
    own.PauseHandler = Pause;
    own.RestartHandler = Restart;
    own.OidRequestHandler = Request;
    own.SendNetBufferListsHandler = Send;
    own.ReturnNetBufferListsHandler = Return;
    own.CancelSendHandler = CancelSend;
    own.DevicePnPEventNotifyHandler = Event;
    own.ShutdownHandlerEx = Shutdown;
    own.CancelOidRequestHandler = CancelRequest;
    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &own, &Driver);
}
