/* The members of packets that drivers read and write, by the names that pages use for them. */
#pragma once

#define NET_BUFFER_LIST_NEXT_NBL(List) ((List)->Next)
#define NET_BUFFER_LIST_FIRST_NB(List) ((List)->FirstNetBuffer)
#define NET_BUFFER_LIST_FLAGS(List) ((List)->Flags)
#define NET_BUFFER_LIST_NBL_FLAGS(List) ((List)->NblFlags)
#define NET_BUFFER_LIST_STATUS(List) ((List)->Status)
#define NET_BUFFER_LIST_INFO(List, Id) ((List)->NetBufferListInfo[(Id)])
#define NET_BUFFER_LIST_MINIPORT_RESERVED(List) ((List)->MiniportReserved)

#define NET_BUFFER_NEXT_NB(Buffer) ((Buffer)->Next)
#define NET_BUFFER_FIRST_MDL(Buffer) ((Buffer)->MdlChain)
#define NET_BUFFER_CURRENT_MDL(Buffer) ((Buffer)->CurrentMdl)
#define NET_BUFFER_CURRENT_MDL_OFFSET(Buffer) ((Buffer)->CurrentMdlOffset)
#define NET_BUFFER_DATA_LENGTH(Buffer) ((Buffer)->DataLength)
#define NET_BUFFER_DATA_OFFSET(Buffer) ((Buffer)->DataOffset)
#define NET_BUFFER_MINIPORT_RESERVED(Buffer) ((Buffer)->MiniportReserved)

#define NDIS_TEST_SEND_AT_DISPATCH_LEVEL(Flags) (((Flags) & NDIS_SEND_FLAGS_DISPATCH_LEVEL) != 0)

#define NDIS_MDL_LINKAGE(Mdl) ((Mdl)->Next)
#define NdisAdjustMdlLength(Mdl, Length) ((Mdl)->ByteCount = (Length))
#define NdisQueryMdl(Mdl, Address, Length, Priority) \
    do { \
        if ((Address) != NULL) \
            *(PVOID *)(Address) = MmGetSystemAddressForMdlSafe(Mdl, (Priority) | MdlMappingNoExecute); \
        *(Length) = MmGetMdlByteCount(Mdl); \
    } while (0)
