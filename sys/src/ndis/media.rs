//! Media: what an adapter is connected to, and how frames are filtered.

use crate::wdm::{ULONG, USHORT};

constants! { ULONG:
    /// Lookahead data may be copied by any means.
    NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA = 0x1;
    /// Receives are indicated one after the other.
    NDIS_MAC_OPTION_RECEIVE_SERIALIZED = 0x2;
    /// Transfers never pend.
    NDIS_MAC_OPTION_TRANSFERS_NOT_PEND = 0x4;
    /// The adapter does not loop frames back.
    NDIS_MAC_OPTION_NO_LOOPBACK = 0x8;
    /// The adapter sends and receives at once.
    NDIS_MAC_OPTION_FULL_DUPLEX = 0x10;
}

constants! { ULONG:
    /// Frames to the adapter's address.
    NDIS_PACKET_TYPE_DIRECTED = 0x1;
    /// Frames to addresses of the multicast list.
    NDIS_PACKET_TYPE_MULTICAST = 0x2;
    /// Frames to any multicast address.
    NDIS_PACKET_TYPE_ALL_MULTICAST = 0x4;
    /// Frames to all.
    NDIS_PACKET_TYPE_BROADCAST = 0x8;
    /// All frames.
    NDIS_PACKET_TYPE_PROMISCUOUS = 0x20;
}

constants! { USHORT:
    /// Ethernet.
    IF_TYPE_ETHERNET_CSMACD = 0x6;
}

open_enum! {
    /// A medium, as seen from above.
    enum NDIS_MEDIUM: i32 {
        /// Ethernet.
        NdisMedium802_3 = 0,
        /// Loopback.
        NdisMediumLoopback = 17,
        /// IP.
        NdisMediumIP = 19,
    }

    /// A physical medium.
    enum NDIS_PHYSICAL_MEDIUM: i32 {
        /// None.
        NdisPhysicalMediumUnspecified = 0,
        /// InfiniBand.
        NdisPhysicalMediumInfiniband = 11,
        /// Ethernet.
        NdisPhysicalMedium802_3 = 14,
    }

    /// A bus.
    enum NDIS_INTERFACE_TYPE: i32 {
        /// None: a software device.
        NdisInterfaceInternal = 0,
        /// PCI.
        NdisInterfacePci = 5,
        /// The plug-and-play bus.
        NdisInterfacePNPBus = 15,
    }

    /// Access types of media.
    enum NET_IF_ACCESS_TYPE: i32 {
        /// Not at all: it leads back.
        NET_IF_ACCESS_LOOPBACK = 1,
        /// By all.
        NET_IF_ACCESS_BROADCAST = 2,
        /// By two.
        NET_IF_ACCESS_POINT_TO_POINT = 3,
        /// By one and several.
        NET_IF_ACCESS_POINT_TO_MULTI_POINT = 4,
    }

    /// Directions of data.
    enum NET_IF_DIRECTION_TYPE: i32 {
        /// Both ways.
        NET_IF_DIRECTION_SENDRECEIVE = 0,
        /// Out only.
        NET_IF_DIRECTION_SENDONLY = 1,
        /// In only.
        NET_IF_DIRECTION_RECEIVEONLY = 2,
    }

    /// Connection types of interfaces.
    enum NET_IF_CONNECTION_TYPE: i32 {
        /// Always.
        NET_IF_CONNECTION_DEDICATED = 1,
        /// By others.
        NET_IF_CONNECTION_PASSIVE = 2,
        /// If needed.
        NET_IF_CONNECTION_DEMAND = 3,
    }
}
