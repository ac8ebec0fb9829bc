/* Addresses of Ethernet, as the sources of miniports name what is done with them. */
#pragma once

#define ETH_LENGTH_OF_ADDRESS 6
#define IF_TYPE_ETHERNET_CSMACD 6

#define ETH_IS_MULTICAST(Address) ((BOOLEAN)(((UCHAR const *)(Address))[0] & 1))
#define ETH_IS_BROADCAST(Address) \
    (((UCHAR const *)(Address))[0] == 0xFF && ((UCHAR const *)(Address))[1] == 0xFF && \
     ((UCHAR const *)(Address))[2] == 0xFF && ((UCHAR const *)(Address))[3] == 0xFF && \
     ((UCHAR const *)(Address))[4] == 0xFF && ((UCHAR const *)(Address))[5] == 0xFF)
#define ETH_COPY_NETWORK_ADDRESS(To, From) RtlCopyMemory(To, From, ETH_LENGTH_OF_ADDRESS)

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/nbl8021q/ns-nbl8021q-ndis_net_buffer_list_8021q_info */
typedef struct _NDIS_NET_BUFFER_LIST_8021Q_INFO {
    union {
        struct {
            UINT32 UserPriority : 3;
            UINT32 CanonicalFormatId : 1;
            UINT32 VlanId : 12;
            UINT32 Reserved : 16;
        } TagHeader;
        struct {
            UINT32 UserPriority : 3;
            UINT32 CanonicalFormatId : 1;
            UINT32 VlanId : 12;
            UINT32 WMMInfo : 4;
            UINT32 Reserved : 12;
        } WLanTagHeader;
        PVOID Value;
    };
} NDIS_NET_BUFFER_LIST_8021Q_INFO, *PNDIS_NET_BUFFER_LIST_8021Q_INFO;
NDIS_LAYOUT_SIZE(NDIS_NET_BUFFER_LIST_8021Q_INFO, 8);
