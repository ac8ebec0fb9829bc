/* Memory objects and lookaside lists. */
#pragma once

typedef enum _WDF_MEMORY_DESCRIPTOR_TYPE {
    WdfMemoryDescriptorTypeInvalid = 0,
    WdfMemoryDescriptorTypeBuffer,
    WdfMemoryDescriptorTypeMdl,
    WdfMemoryDescriptorTypeHandle,
} WDF_MEMORY_DESCRIPTOR_TYPE;

typedef struct _WDFMEMORY_OFFSET {
    size_t BufferOffset;
    size_t BufferLength;
} WDFMEMORY_OFFSET, *PWDFMEMORY_OFFSET;
WDF_LAYOUT_SIZE(WDFMEMORY_OFFSET, 16);
WDF_LAYOUT_FIELD(WDFMEMORY_OFFSET, BufferLength, 8);

typedef struct _WDF_MEMORY_DESCRIPTOR {
    WDF_MEMORY_DESCRIPTOR_TYPE Type;
    union {
        struct {
            PVOID Buffer;
            ULONG Length;
        } BufferType;
        struct {
            PMDL Mdl;
            ULONG BufferLength;
        } MdlType;
        struct {
            WDFMEMORY Memory;
            PWDFMEMORY_OFFSET Offsets;
        } HandleType;
    } u;
} WDF_MEMORY_DESCRIPTOR, *PWDF_MEMORY_DESCRIPTOR;
WDF_LAYOUT_SIZE(WDF_MEMORY_DESCRIPTOR, 24);
WDF_LAYOUT_FIELD(WDF_MEMORY_DESCRIPTOR, u, 8);

typedef NTSTATUS(NTAPI *PFN_WDFMEMORYCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES Attributes, POOL_TYPE PoolType, ULONG PoolTag, size_t BufferSize,
    WDFMEMORY *Memory, PVOID *Buffer);
#define WdfMemoryCreate(...) WDF_CALL(WdfMemoryCreate, WDFMEMORYCREATE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFMEMORYCREATEPREALLOCATED)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES Attributes, PVOID Buffer, size_t BufferSize, WDFMEMORY *Memory);
#define WdfMemoryCreatePreallocated(...) WDF_CALL(WdfMemoryCreatePreallocated, WDFMEMORYCREATEPREALLOCATED, ##__VA_ARGS__)
typedef PVOID(NTAPI *PFN_WDFMEMORYGETBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFMEMORY Memory,
    size_t *BufferSize);
#define WdfMemoryGetBuffer(...) WDF_CALL(WdfMemoryGetBuffer, WDFMEMORYGETBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFMEMORYASSIGNBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFMEMORY Memory,
    PVOID Buffer, size_t BufferSize);
#define WdfMemoryAssignBuffer(...) WDF_CALL(WdfMemoryAssignBuffer, WDFMEMORYASSIGNBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFMEMORYCOPYTOBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFMEMORY SourceMemory,
    size_t SourceOffset, PVOID Buffer, size_t NumBytesToCopyTo);
#define WdfMemoryCopyToBuffer(...) WDF_CALL(WdfMemoryCopyToBuffer, WDFMEMORYCOPYTOBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFMEMORYCOPYFROMBUFFER)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFMEMORY DestinationMemory, size_t DestinationOffset, PVOID Buffer, size_t NumBytesToCopyFrom);
#define WdfMemoryCopyFromBuffer(...) WDF_CALL(WdfMemoryCopyFromBuffer, WDFMEMORYCOPYFROMBUFFER, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFLOOKASIDELISTCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES LookasideAttributes, size_t BufferSize, POOL_TYPE PoolType,
    PWDF_OBJECT_ATTRIBUTES MemoryAttributes, ULONG PoolTag, WDFLOOKASIDE *Lookaside);
#define WdfLookasideListCreate(...) WDF_CALL(WdfLookasideListCreate, WDFLOOKASIDELISTCREATE, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFMEMORYCREATEFROMLOOKASIDE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFLOOKASIDE Lookaside, WDFMEMORY *Memory);
#define WdfMemoryCreateFromLookaside(...) WDF_CALL(WdfMemoryCreateFromLookaside, WDFMEMORYCREATEFROMLOOKASIDE, ##__VA_ARGS__)
