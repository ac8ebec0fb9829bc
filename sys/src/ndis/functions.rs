//! Exports of `ndis.sys` to a miniport driver.
//!
//! Prototypes: Microsoft's pages of `ndis.h`, `ndis/nf-ndis-…`.

use super::{
    LOCK_STATE, LOCK_STATE_EX, NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_PARAMETER,
    NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_DRIVER_OPTIONAL_HANDLERS, NDIS_ERROR_CODE, NDIS_HANDLE,
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES, NDIS_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_OID_REQUEST,
    NDIS_PARAMETER_TYPE, NDIS_PORT_NUMBER, NDIS_RW_LOCK, NDIS_RW_LOCK_EX, NDIS_STATUS_INDICATION,
    NDIS_STRING, NDIS_TIMER_CHARACTERISTICS, NET_BUFFER, NET_BUFFER_LIST, NET_BUFFER_LIST_POOL_PARAMETERS,
    NET_PNP_EVENT_NOTIFICATION,
};
use crate::status::NDIS_STATUS;
use crate::wdm::{
    BOOLEAN, DEVICE_OBJECT, DRIVER_OBJECT, EX_POOL_PRIORITY, LARGE_INTEGER, LONG, PMDL, PUNICODE_STRING,
    PVOID, SIZE_T, UCHAR, UINT, ULONG, USHORT,
};

/// The routine of a work item. PASSIVE_LEVEL.
pub type NDIS_IO_WORKITEM_ROUTINE =
    unsafe extern "efiapi" fn(WorkItemContext: PVOID, NdisIoWorkItemHandle: NDIS_HANDLE);

imports! {
    "ndis.sys", "ndis";

    /// Registers a miniport driver. PASSIVE_LEVEL.
    fn NdisMRegisterMiniportDriver(
        DriverObject: *mut DRIVER_OBJECT,
        RegistryPath: PUNICODE_STRING,
        MiniportDriverContext: NDIS_HANDLE,
        MiniportDriverCharacteristics: *const NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
        NdisMiniportDriverHandle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;
    /// Deregisters a miniport driver. PASSIVE_LEVEL.
    fn NdisMDeregisterMiniportDriver(NdisMiniportDriverHandle: NDIS_HANDLE);
    /// Registers optional handlers. PASSIVE_LEVEL.
    fn NdisSetOptionalHandlers(
        NdisHandle: NDIS_HANDLE,
        OptionalHandlers: *const NDIS_DRIVER_OPTIONAL_HANDLERS,
    ) -> NDIS_STATUS;
    /// Sets attributes of an adapter. PASSIVE_LEVEL.
    fn NdisMSetMiniportAttributes(
        NdisMiniportAdapterHandle: NDIS_HANDLE,
        MiniportAttributes: *const NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
    ) -> NDIS_STATUS;
    /// The devices of an adapter: at the bottom, its own, the next below. PASSIVE_LEVEL.
    fn NdisMGetDeviceProperty(
        MiniportAdapterHandle: NDIS_HANDLE,
        PhysicalDeviceObject: *mut *mut DEVICE_OBJECT,
        FunctionalDeviceObject: *mut *mut DEVICE_OBJECT,
        NextDeviceObject: *mut *mut DEVICE_OBJECT,
        AllocatedResources: *mut PVOID,
        AllocatedResourcesTranslated: *mut PVOID,
    );
    /// The version of NDIS: major in the high word, minor in the low one. ≤ DISPATCH_LEVEL.
    fn NdisGetVersion() -> UINT;

    /// Opens a configuration. PASSIVE_LEVEL.
    fn NdisOpenConfigurationEx(
        ConfigObject: *const NDIS_CONFIGURATION_OBJECT,
        ConfigurationHandle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;
    /// Reads the value of a keyword, which lives until the configuration is closed. PASSIVE_LEVEL.
    fn NdisReadConfiguration(
        Status: *mut NDIS_STATUS,
        ParameterValue: *mut *mut NDIS_CONFIGURATION_PARAMETER,
        ConfigurationHandle: NDIS_HANDLE,
        Keyword: *const NDIS_STRING,
        ParameterType: NDIS_PARAMETER_TYPE,
    );
    /// Reads the address that an administrator has set, which lives until the configuration is closed.
    /// PASSIVE_LEVEL.
    fn NdisReadNetworkAddress(
        Status: *mut NDIS_STATUS,
        NetworkAddress: *mut PVOID,
        NetworkAddressLength: *mut UINT,
        ConfigurationHandle: NDIS_HANDLE,
    );
    /// Closes a configuration. PASSIVE_LEVEL.
    fn NdisCloseConfiguration(ConfigurationHandle: NDIS_HANDLE);

    /// Hands received data up. ≤ DISPATCH_LEVEL.
    fn NdisMIndicateReceiveNetBufferLists(
        MiniportAdapterHandle: NDIS_HANDLE,
        NetBufferList: *mut NET_BUFFER_LIST,
        PortNumber: NDIS_PORT_NUMBER,
        NumberOfNetBufferLists: ULONG,
        ReceiveFlags: ULONG,
    );
    /// Gives sent data back. ≤ DISPATCH_LEVEL.
    fn NdisMSendNetBufferListsComplete(
        MiniportAdapterHandle: NDIS_HANDLE,
        NetBufferList: *mut NET_BUFFER_LIST,
        SendCompleteFlags: ULONG,
    );
    /// Completes a pause that was pending. ≤ DISPATCH_LEVEL.
    fn NdisMPauseComplete(MiniportAdapterHandle: NDIS_HANDLE);
    /// Completes a restart that was pending. ≤ DISPATCH_LEVEL.
    fn NdisMRestartComplete(MiniportAdapterHandle: NDIS_HANDLE, Status: NDIS_STATUS);
    /// Completes an OID request that was pending. ≤ DISPATCH_LEVEL.
    fn NdisMOidRequestComplete(
        MiniportAdapterHandle: NDIS_HANDLE,
        OidRequest: *mut NDIS_OID_REQUEST,
        Status: NDIS_STATUS,
    );
    /// Completes a direct OID request that was pending. ≤ DISPATCH_LEVEL.
    fn NdisMDirectOidRequestComplete(
        MiniportAdapterHandle: NDIS_HANDLE,
        OidRequest: *mut NDIS_OID_REQUEST,
        Status: NDIS_STATUS,
    );
    /// Indicates a status. ≤ DISPATCH_LEVEL.
    fn NdisMIndicateStatusEx(
        MiniportAdapterHandle: NDIS_HANDLE,
        StatusIndication: *const NDIS_STATUS_INDICATION,
    );
    /// Raises an event, and waits for those who hear it. PASSIVE_LEVEL.
    fn NdisMNetPnPEvent(
        MiniportAdapterHandle: NDIS_HANDLE,
        NetPnPEvent: *const NET_PNP_EVENT_NOTIFICATION,
    ) -> NDIS_STATUS;

    /// Makes a pool of lists. ≤ DISPATCH_LEVEL.
    fn NdisAllocateNetBufferListPool(
        NdisHandle: NDIS_HANDLE,
        Parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
    ) -> NDIS_HANDLE;
    /// Frees a pool of lists, all of which are back. ≤ DISPATCH_LEVEL.
    fn NdisFreeNetBufferListPool(PoolHandle: NDIS_HANDLE);
    /// Allocates a list with one packet. ≤ DISPATCH_LEVEL.
    fn NdisAllocateNetBufferAndNetBufferList(
        PoolHandle: NDIS_HANDLE,
        ContextSize: USHORT,
        ContextBackFill: USHORT,
        MdlChain: PMDL,
        DataOffset: ULONG,
        DataLength: SIZE_T,
    ) -> *mut NET_BUFFER_LIST;
    /// Frees a list. ≤ DISPATCH_LEVEL.
    fn NdisFreeNetBufferList(NetBufferList: *mut NET_BUFFER_LIST);
    /// Makes a list that shares the data of another. ≤ DISPATCH_LEVEL.
    fn NdisAllocateCloneNetBufferList(
        OriginalNetBufferList: *mut NET_BUFFER_LIST,
        NetBufferListPoolHandle: NDIS_HANDLE,
        NetBufferPoolHandle: NDIS_HANDLE,
        AllocateCloneFlags: ULONG,
    ) -> *mut NET_BUFFER_LIST;
    /// Frees a list that shares the data of another. ≤ DISPATCH_LEVEL.
    fn NdisFreeCloneNetBufferList(CloneNetBufferList: *mut NET_BUFFER_LIST, FreeCloneFlags: ULONG);
    /// The first bytes of a packet in one piece, copied to the storage if need be. ≤ DISPATCH_LEVEL.
    fn NdisGetDataBuffer(
        NetBuffer: *mut NET_BUFFER,
        BytesNeeded: ULONG,
        Storage: PVOID,
        AlignMultiple: UINT,
        AlignOffset: UINT,
    ) -> PVOID;
    /// Copies from one packet to another. ≤ DISPATCH_LEVEL.
    fn NdisCopyFromNetBufferToNetBuffer(
        Destination: *mut NET_BUFFER,
        DestinationOffset: ULONG,
        BytesToCopy: ULONG,
        Source: *const NET_BUFFER,
        SourceOffset: ULONG,
        BytesCopied: *mut ULONG,
    ) -> NDIS_STATUS;

    /// Creates a device of the driver's own. PASSIVE_LEVEL.
    fn NdisRegisterDeviceEx(
        NdisHandle: NDIS_HANDLE,
        DeviceObjectAttributes: *const NDIS_DEVICE_OBJECT_ATTRIBUTES,
        pDeviceObject: *mut *mut DEVICE_OBJECT,
        NdisDeviceHandle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;
    /// Deletes a device of the driver's own. PASSIVE_LEVEL.
    fn NdisDeregisterDeviceEx(NdisDeviceHandle: NDIS_HANDLE);

    /// Allocates a work item. ≤ DISPATCH_LEVEL.
    fn NdisAllocateIoWorkItem(NdisObjectHandle: NDIS_HANDLE) -> NDIS_HANDLE;
    /// Queues a work item. ≤ DISPATCH_LEVEL.
    fn NdisQueueIoWorkItem(
        NdisIoWorkItemHandle: NDIS_HANDLE,
        Routine: Option<NDIS_IO_WORKITEM_ROUTINE>,
        WorkItemContext: PVOID,
    );
    /// Frees a work item. ≤ DISPATCH_LEVEL.
    fn NdisFreeIoWorkItem(NdisIoWorkItemHandle: NDIS_HANDLE);

    /// Allocates nonpaged memory. ≤ DISPATCH_LEVEL.
    fn NdisAllocateMemoryWithTagPriority(
        NdisHandle: NDIS_HANDLE,
        Length: UINT,
        Tag: ULONG,
        Priority: EX_POOL_PRIORITY,
    ) -> PVOID;
    /// Frees memory; the length may be zero. ≤ DISPATCH_LEVEL.
    fn NdisFreeMemory(VirtualAddress: PVOID, Length: UINT, MemoryFlags: UINT);
    /// Frees memory; the tag is the one that it was allocated with. ≤ DISPATCH_LEVEL.
    fn NdisFreeMemoryWithTagPriority(NdisHandle: NDIS_HANDLE, VirtualAddress: PVOID, Tag: ULONG);
    /// The alignment, in bytes, for memory that several processors share. ≤ DISPATCH_LEVEL.
    fn NdisGetSharedDataAlignment() -> ULONG;
    /// Allocates an MDL that describes nonpaged pool, filled in. ≤ DISPATCH_LEVEL.
    fn NdisAllocateMdl(NdisHandle: NDIS_HANDLE, VirtualAddress: PVOID, Length: UINT) -> PMDL;
    /// Frees an MDL that `NdisAllocateMdl` made. ≤ DISPATCH_LEVEL.
    fn NdisFreeMdl(Mdl: PMDL);

    /// Initialises a lock in the driver's memory. Any level.
    fn NdisInitializeReadWriteLock(Lock: *mut NDIS_RW_LOCK);
    /// Takes it, shared or (`fWrite`) exclusively, and raises the level. ≤ DISPATCH_LEVEL.
    fn NdisAcquireReadWriteLock(Lock: *mut NDIS_RW_LOCK, fWrite: BOOLEAN, LockState: *mut LOCK_STATE);
    /// Gives it back, and restores the level. DISPATCH_LEVEL.
    fn NdisReleaseReadWriteLock(Lock: *mut NDIS_RW_LOCK, LockState: *mut LOCK_STATE);
    /// Allocates a lock. ≤ DISPATCH_LEVEL.
    fn NdisAllocateRWLock(NdisHandle: NDIS_HANDLE) -> *mut NDIS_RW_LOCK_EX;
    /// Frees a lock. ≤ DISPATCH_LEVEL.
    fn NdisFreeRWLock(Lock: *mut NDIS_RW_LOCK_EX);
    /// Takes it shared, and raises the level. ≤ DISPATCH_LEVEL.
    fn NdisAcquireRWLockRead(Lock: *mut NDIS_RW_LOCK_EX, LockState: *mut LOCK_STATE_EX, Flags: UCHAR);
    /// Takes it exclusively, and raises the level. ≤ DISPATCH_LEVEL.
    fn NdisAcquireRWLockWrite(Lock: *mut NDIS_RW_LOCK_EX, LockState: *mut LOCK_STATE_EX, Flags: UCHAR);
    /// Gives it back, and restores the level. DISPATCH_LEVEL.
    fn NdisReleaseRWLock(Lock: *mut NDIS_RW_LOCK_EX, LockState: *mut LOCK_STATE_EX);

    /// Allocates a timer. ≤ DISPATCH_LEVEL.
    fn NdisAllocateTimerObject(
        NdisHandle: NDIS_HANDLE,
        TimerCharacteristics: *const NDIS_TIMER_CHARACTERISTICS,
        pTimerObject: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;
    /// Sets a timer; says whether it was set. ≤ DISPATCH_LEVEL.
    fn NdisSetTimerObject(
        TimerObject: NDIS_HANDLE,
        DueTime: LARGE_INTEGER,
        MillisecondsPeriod: LONG,
        FunctionContext: PVOID,
    ) -> BOOLEAN;
    /// Cancels a timer; says whether it was set. ≤ DISPATCH_LEVEL, a periodic one PASSIVE_LEVEL.
    fn NdisCancelTimerObject(TimerObject: NDIS_HANDLE) -> BOOLEAN;
    /// Frees a timer. ≤ DISPATCH_LEVEL.
    fn NdisFreeTimerObject(TimerObject: NDIS_HANDLE);

    /// Completes a reset that was pending. ≤ DISPATCH_LEVEL.
    fn NdisMResetComplete(MiniportAdapterHandle: NDIS_HANDLE, Status: NDIS_STATUS, AddressingReset: BOOLEAN);
    /// Writes the value of a keyword. PASSIVE_LEVEL.
    fn NdisWriteConfiguration(
        Status: *mut NDIS_STATUS,
        ConfigurationHandle: NDIS_HANDLE,
        Keyword: *const NDIS_STRING,
        ParameterValue: *const NDIS_CONFIGURATION_PARAMETER,
    );

    /// Sleeps for so many microseconds. ≤ APC_LEVEL.
    fn NdisMSleep(MicrosecondsToSleep: ULONG);

    variadic {
        /// Writes an entry to the event log: so many `ULONG`s follow. ≤ DISPATCH_LEVEL.
        fn NdisWriteErrorLogEntry(
            NdisAdapterHandle: NDIS_HANDLE,
            ErrorCode: NDIS_ERROR_CODE,
            NumberOfErrorValues: ULONG
        );
    }
}
