//! An adapter: how it is initialised, what it says about itself, how it is paused and restarted.
//!
//! Size constants end at the last member of a revision; `…_REGISTRATION_ATTRIBUTES_REVISION_2` is 0x1C though
//! the structure is padded to 0x20.

use super::{
    NDIS_HANDLE, NDIS_INTERFACE_TYPE, NDIS_MEDIUM, NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES, NDIS_OBJECT_HEADER,
    NDIS_OID, NDIS_PHYSICAL_MEDIUM, NET_IF_ACCESS_TYPE, NET_IF_CONNECTION_TYPE, NET_IF_DIRECTION_TYPE,
    NET_IF_MEDIA_CONNECT_STATE, NET_IF_MEDIA_DUPLEX_STATE,
};
use crate::netioapi::{NET_IFINDEX, NET_LUID};
use crate::wdm::{BOOLEAN, PVOID, UCHAR, UINT, ULONG, ULONG64, USHORT};

layout! {
    /// The parameters of an adapter's initialisation.
    struct NDIS_MINIPORT_INIT_PARAMETERS: 0x40 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// `NDIS_MINIPORT_INIT_…`.
        0x04 => Flags: ULONG,
        /// Hardware resources, or null.
        0x08 => AllocatedResources: PVOID,
        /// For intermediate drivers.
        0x10 => IMDeviceInstanceContext: NDIS_HANDLE,
        /// The context that the driver gave when the device was added.
        0x18 => MiniportAddDeviceContext: NDIS_HANDLE,
        /// The interface's index.
        0x20 => IfIndex: NET_IFINDEX,
        /// The interface's identity.
        0x28 => NetLuid: NET_LUID,
        /// The state of the default port.
        0x30 => DefaultPortAuthStates: PVOID,
        /// Properties of a PCI device, or null.
        0x38 => PciDeviceCustomProperties: PVOID,
    }

    /// The attributes that an adapter must set first.
    struct NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES: 0x20 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The driver's context, handed to its handlers.
        0x08 => MiniportAdapterContext: NDIS_HANDLE,
        /// `NDIS_MINIPORT_ATTRIBUTES_…`.
        0x10 => AttributeFlags: ULONG,
        /// The interval of the checks for a hang, in seconds; zero for the default.
        0x14 => CheckForHangTimeInSeconds: UINT,
        /// The bus.
        0x18 => InterfaceType: NDIS_INTERFACE_TYPE,
    }

    /// The general attributes of an adapter.
    struct NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES: 0xE0 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x04 => Flags: ULONG,
        /// The medium.
        0x08 => MediaType: NDIS_MEDIUM,
        /// The physical medium.
        0x0C => PhysicalMediumType: NDIS_PHYSICAL_MEDIUM,
        /// The most payload of a frame, in bytes.
        0x10 => MtuSize: ULONG,
        /// The fastest it can send, in bits per second.
        0x18 => MaxXmitLinkSpeed: ULONG64,
        /// The speed at which it sends now, in bits per second.
        0x20 => XmitLinkSpeed: ULONG64,
        /// The fastest it can receive, in bits per second.
        0x28 => MaxRcvLinkSpeed: ULONG64,
        /// The speed at which it receives now, in bits per second.
        0x30 => RcvLinkSpeed: ULONG64,
        /// The connection state.
        0x38 => MediaConnectState: NET_IF_MEDIA_CONNECT_STATE,
        /// The duplex state.
        0x3C => MediaDuplexState: NET_IF_MEDIA_DUPLEX_STATE,
        /// Bytes of a frame that are at once accessible.
        0x40 => LookaheadSize: ULONG,
        /// Null from NDIS 6.20 on.
        0x48 => PowerManagementCapabilities: PVOID,
        /// `NDIS_MAC_OPTION_…`.
        0x50 => MacOptions: ULONG,
        /// `NDIS_PACKET_TYPE_…`.
        0x54 => SupportedPacketFilters: ULONG,
        /// The number of multicast addresses that it can filter.
        0x58 => MaxMulticastListSize: ULONG,
        /// Length of its address, in bytes.
        0x5C => MacAddressLength: USHORT,
        /// The address it was made with.
        0x5E => PermanentMacAddress: [UCHAR; NDIS_MAX_PHYS_ADDRESS_LENGTH],
        /// The address it has.
        0x7E => CurrentMacAddress: [UCHAR; NDIS_MAX_PHYS_ADDRESS_LENGTH],
        /// Receive side scaling, or null.
        0xA0 => RecvScaleCapabilities: PVOID,
        /// The access type of the medium.
        0xA8 => AccessType: NET_IF_ACCESS_TYPE,
        /// The directions of data: it sends, receives or both.
        0xAC => DirectionType: NET_IF_DIRECTION_TYPE,
        /// The connection type.
        0xB0 => ConnectionType: NET_IF_CONNECTION_TYPE,
        /// The IANA type of the interface.
        0xB4 => IfType: USHORT,
        /// True if there is a physical connector.
        0xB6 => IfConnectorPresent: BOOLEAN,
        /// `NDIS_STATISTICS_…` that it keeps.
        0xB8 => SupportedStatistics: ULONG,
        /// `NDIS_SUPPORTED_PAUSE_FUNCTIONS`.
        0xBC => SupportedPauseFunctions: ULONG,
        /// Room that it wants before the data, in bytes.
        0xC0 => DataBackFillSize: ULONG,
        /// Room that it wants before the context, in bytes.
        0xC4 => ContextBackFillSize: ULONG,
        /// The object identifiers it knows.
        0xC8 => SupportedOidList: *const NDIS_OID,
        /// Length of that list, in bytes.
        0xD0 => SupportedOidListLength: ULONG,
        /// `NDIS_LINK_STATE_…` that were negotiated.
        0xD4 => AutoNegotiationFlags: ULONG,
        /// Power management, or null.
        0xD8 => PowerManagementCapabilitiesEx: *const NDIS_PM_CAPABILITIES,
    }

    /// Attributes of an adapter: any structure of them, by its head.
    union NDIS_MINIPORT_ADAPTER_ATTRIBUTES: 0xE0 {
        /// The common head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The first to be set.
        0x00 => RegistrationAttributes: NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
        /// The kind of adapter.
        0x00 => GeneralAttributes: NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
        /// Its RDMA side.
        0x00 => NDKAttributes: NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES,
    }

    /// The parameters of a pause.
    struct NDIS_MINIPORT_PAUSE_PARAMETERS: 0xC {
        /// The head.
        0x0 => Header: NDIS_OBJECT_HEADER,
        /// Zero.
        0x4 => Flags: ULONG,
        /// `NDIS_PAUSE_…`.
        0x8 => PauseReason: ULONG,
    }

    /// The parameters of a restart.
    struct NDIS_MINIPORT_RESTART_PARAMETERS: 0x18 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Attributes that have changed, or null.
        0x08 => RestartAttributes: PVOID,
        /// Zero.
        0x10 => Flags: ULONG,
    }

    /// The power management capabilities of an adapter (revision 2; compiled from mingw-w64).
    struct NDIS_PM_CAPABILITIES: 0x3C {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// `NDIS_PM_…`.
        0x04 => Flags: ULONG,
        /// Packets that can wake.
        0x08 => SupportedWoLPacketPatterns: ULONG,
        /// The number of patterns that it can hold.
        0x0C => NumTotalWoLPatterns: ULONG,
        /// Length of a pattern, in bytes.
        0x10 => MaxWoLPatternSize: ULONG,
        /// The offset in a packet at which a pattern can begin, in bytes.
        0x14 => MaxWoLPatternOffset: ULONG,
        /// The part of a waking packet that it can save, in bytes.
        0x18 => MaxWoLPacketSaveBuffer: ULONG,
        /// Protocols that it can answer for.
        0x1C => SupportedProtocolOffloads: ULONG,
        /// Addresses that it can answer ARP for.
        0x20 => NumArpOffloadIPv4Addresses: ULONG,
        /// Addresses that it can answer neighbour solicitation for.
        0x24 => NumNSOffloadIPv6Addresses: ULONG,
        /// The deepest sleep that a magic packet can end.
        0x28 => MinMagicPacketWakeUp: i32,
        /// The deepest sleep that a pattern can end.
        0x2C => MinPatternWakeUp: i32,
        /// The deepest sleep that a change of the link can end.
        0x30 => MinLinkChangeWakeUp: i32,
        /// Other events that can wake.
        0x34 => SupportedWakeUpEvents: ULONG,
        /// Events of the medium that can wake.
        0x38 => MediaSpecificWakeUpEvents: ULONG,
    }
}

/// Room for the address of an adapter, in bytes.
pub const NDIS_MAX_PHYS_ADDRESS_LENGTH: usize = 32;

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1 = 1;
    /// NDIS 6.0.
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 = 1;
    /// NDIS 6.30.
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2 = 2;
    /// NDIS 6.0.
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1 = 1;
    /// NDIS 6.20: power management.
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2 = 2;
    /// NDIS 6.0.
    NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1 = 1;
    /// NDIS 6.0.
    NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 2, in bytes.
    NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2 = 0x1C;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1 = 0xD8;
    /// Size of revision 2, in bytes.
    NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2 = 0xE0;
}

constants! { ULONG:
    /// There is hardware.
    NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE = 0x1;
    /// There is another driver interface below.
    NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM = 0x2;
    /// The device may go at any time.
    NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK = 0x4;
    /// The adapter is not halted when the machine goes to sleep.
    NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND = 0x20;
    /// The adapter is not paused when the machine goes to sleep.
    NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND = 0x100;
}

constants! { ULONG:
    /// The reason: something of NDIS.
    NDIS_PAUSE_NDIS_INTERNAL = 0x1;
    /// The reason: the device is removed; there will be no restart.
    NDIS_PAUSE_MINIPORT_DEVICE_REMOVE = 0x80;
}
