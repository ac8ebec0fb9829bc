//! Data on its way: net buffers and lists of them.
//!
//! `NET_BUFFER_LIST` grows at its end with the Windows build (0x170 bytes in 1703, 0x180 in 1909): only NDIS
//! allocates it. `NET_BUFFER_LIST_POOL_PARAMETERS::Flags` is documented but in no symbol file. Symbol files
//! print the empty array at the end of `NET_BUFFER_LIST_CONTEXT` as `[0]`, the documentation as `[]`.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_PORT_NUMBER};
use crate::status::NDIS_STATUS;
use crate::wdm::{BOOLEAN, LONG, PHYSICAL_ADDRESS, PMDL, PVOID, SIZE_T, UCHAR, ULONG, USHORT};

layout! {
    /// One packet: a part of an MDL chain.
    #[repr(align(16))]
    struct NET_BUFFER: 0xB0 {
        /// The next packet, or null.
        0x00 => Next: *mut NET_BUFFER,
        /// The first MDL that holds data.
        0x08 => CurrentMdl: PMDL,
        /// Offset of the data in it, in bytes.
        0x10 => CurrentMdlOffset: ULONG,
        /// Length of the data, in bytes; as a 32-bit or a pointer-sized number.
        0x18 => DataLength: SIZE_T,
        /// The chain.
        0x20 => MdlChain: PMDL,
        /// Offset of the data in the chain, in bytes.
        0x28 => DataOffset: ULONG,
        /// Padding: the members above share their place with an interlocked list head.
        0x2C => Padding0: ULONG,
        /// For NDIS.
        0x30 => ChecksumBias: USHORT,
        /// Reserved.
        0x32 => Reserved: USHORT,
        /// The pool it came from.
        0x38 => NdisPoolHandle: NDIS_HANDLE,
        /// Reserved.
        0x40 => NdisReserved: [PVOID; 2],
        /// The protocol's own.
        0x50 => ProtocolReserved: [PVOID; 6],
        /// The miniport's own.
        0x80 => MiniportReserved: [PVOID; 4],
        /// The data's physical address, if NDIS knows it.
        0xA0 => DataPhysicalAddress: PHYSICAL_ADDRESS,
        /// Shared memory, or a scatter/gather list.
        0xA8 => ScatterGatherList: PVOID,
    }

    /// One or more packets with what is common to them.
    #[repr(align(16))]
    struct NET_BUFFER_LIST: 0x180 {
        /// The next list, or null.
        0x000 => Next: *mut NET_BUFFER_LIST,
        /// The first packet.
        0x008 => FirstNetBuffer: *mut NET_BUFFER,
        /// Context that drivers have added.
        0x010 => Context: *mut NET_BUFFER_LIST_CONTEXT,
        /// The list that it is derived from.
        0x018 => ParentNetBufferList: *mut NET_BUFFER_LIST,
        /// The pool it came from.
        0x020 => NdisPoolHandle: NDIS_HANDLE,
        /// Padding: the next member is aligned to 16 bytes.
        0x028 => Padding0: PVOID,
        /// Reserved.
        0x030 => NdisReserved: [PVOID; 2],
        /// The protocol's own.
        0x040 => ProtocolReserved: [PVOID; 4],
        /// The miniport's own.
        0x060 => MiniportReserved: [PVOID; 2],
        /// The current owner may use this.
        0x070 => Scratch: PVOID,
        /// The handle of its sender.
        0x078 => SourceHandle: NDIS_HANDLE,
        /// `NDIS_NBL_FLAGS_…`.
        0x080 => NblFlags: ULONG,
        /// The number of lists that are derived from it.
        0x084 => ChildRefCount: LONG,
        /// Flags of NDIS.
        0x088 => Flags: ULONG,
        /// The outcome of the send.
        0x08C => Status: NDIS_STATUS,
        /// Information that goes with it beside the packets.
        0x090 => NetBufferListInfo: [PVOID; 29],
    }

    /// Context that a driver has added to a list; the data follows the head.
    #[repr(align(16))]
    struct NET_BUFFER_LIST_CONTEXT: 0x10 {
        /// The next context, or null.
        0x00 => Next: *mut NET_BUFFER_LIST_CONTEXT,
        /// Size of the data, in bytes.
        0x08 => Size: USHORT,
        /// The end of the unused part, in bytes.
        0x0A => Offset: USHORT,
        /// Padding: the data is aligned to 16 bytes.
        0x0C => Padding0: ULONG,
        /// The data.
        0x10 => ContextData: [UCHAR; 0],
    }

    /// A pool of lists.
    struct NET_BUFFER_LIST_POOL_PARAMETERS: 0x10 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// `NDIS_PROTOCOL_ID_…`.
        0x04 => ProtocolId: UCHAR,
        /// True if each list comes with a packet.
        0x05 => fAllocateNetBuffer: BOOLEAN,
        /// Size of the context, in bytes.
        0x06 => ContextSize: USHORT,
        /// The pool tag.
        0x08 => PoolTag: ULONG,
        /// Size of the buffer of each packet, in bytes; zero for none.
        0x0C => DataSize: ULONG,
    }

    /// A pool of packets.
    struct NET_BUFFER_POOL_PARAMETERS: 0xC {
        /// The head.
        0x0 => Header: NDIS_OBJECT_HEADER,
        /// The pool tag.
        0x4 => PoolTag: ULONG,
        /// Size of the buffer of each packet, in bytes; zero for none.
        0x8 => DataSize: ULONG,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 = 1;
    /// NDIS 6.0.
    NET_BUFFER_POOL_PARAMETERS_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 = 0x10;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1 = 0xC;
}

constants! { UCHAR:
    /// No protocol in particular.
    NDIS_PROTOCOL_ID_DEFAULT = 0;
    /// TCP/IP.
    NDIS_PROTOCOL_ID_TCP_IP = 2;
}

constants! { NDIS_PORT_NUMBER:
    /// The default port.
    NDIS_DEFAULT_PORT_NUMBER = 0x0;
}

constants! { ULONG:
    /// Send: the caller is at DISPATCH_LEVEL.
    NDIS_SEND_FLAGS_DISPATCH_LEVEL = 0x1;
    /// Send: NDIS checks whether the packet is for this machine too.
    NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK = 0x2;
    /// Send completion: the caller is at DISPATCH_LEVEL.
    NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL = 0x1;
    /// Receive: the caller is at DISPATCH_LEVEL.
    NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL = 0x1;
    /// Receive: the lists are the miniport's again when the call returns.
    NDIS_RECEIVE_FLAGS_RESOURCES = 0x2;
    /// Return: the caller is at DISPATCH_LEVEL.
    NDIS_RETURN_FLAGS_DISPATCH_LEVEL = 0x1;
}
