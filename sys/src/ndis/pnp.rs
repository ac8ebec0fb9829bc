//! Plug and play: events that a miniport hears of, and those that it raises.
//!
//! The numbers of the two RDMA events are in symbol files (Windows 10 1511, 1903, 1909).

use super::{NDIS_OBJECT_HEADER, NDIS_PORT_NUMBER};
use crate::wdm::{PVOID, UCHAR, ULONG, ULONG_PTR, USHORT};

layout! {
    /// Something happens to a miniport's device.
    struct NET_DEVICE_PNP_EVENT: 0x30 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The port.
        0x04 => PortNumber: NDIS_PORT_NUMBER,
        /// The code of the event.
        0x08 => DevicePnPEvent: NDIS_DEVICE_PNP_EVENT,
        /// More about it.
        0x10 => InformationBuffer: PVOID,
        /// Length of that, in bytes.
        0x18 => InformationBufferLength: ULONG,
        /// Reserved.
        0x1C => NdisReserved: [UCHAR; 16],
    }

    /// An event.
    struct NET_PNP_EVENT: 0x98 {
        /// The code of the event.
        0x00 => NetEvent: NET_PNP_EVENT_CODE,
        /// More about it.
        0x08 => Buffer: PVOID,
        /// Length of that, in bytes.
        0x10 => BufferLength: ULONG,
        /// Reserved.
        0x18 => NdisReserved: [ULONG_PTR; 4],
        /// The protocol's own.
        0x38 => TransportReserved: [ULONG_PTR; 4],
        /// Reserved.
        0x58 => TdiReserved: [ULONG_PTR; 4],
        /// Reserved.
        0x78 => TdiClientReserved: [ULONG_PTR; 4],
    }

    /// An event on its way through the drivers.
    struct NET_PNP_EVENT_NOTIFICATION: 0xB0 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The port.
        0x04 => PortNumber: NDIS_PORT_NUMBER,
        /// The event.
        0x08 => NetPnPEvent: NET_PNP_EVENT,
        /// Zero.
        0xA0 => Flags: ULONG,
        /// The switch, for virtual functions.
        0xA4 => SwitchId: ULONG,
        /// The virtual port.
        0xA8 => VPortId: ULONG,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NET_PNP_EVENT_NOTIFICATION_REVISION_1 = 1;
    /// NDIS 6.50: switch and virtual port.
    NET_PNP_EVENT_NOTIFICATION_REVISION_2 = 2;
}

constants! { USHORT:
    /// Size of revision 1, in bytes: through `Flags`.
    NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_1 = 0xA4;
    /// Size of revision 2, in bytes: through `VPortId`.
    NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_2 = 0xAC;
}

open_enum! {
    /// Events of a device.
    enum NDIS_DEVICE_PNP_EVENT: i32 {
        /// It may be removed soon.
        NdisDevicePnPEventQueryRemoved = 0,
        /// It is removed.
        NdisDevicePnPEventRemoved = 1,
        /// It is gone.
        NdisDevicePnPEventSurpriseRemoved = 2,
        /// It may be stopped soon.
        NdisDevicePnPEventQueryStopped = 3,
        /// It is stopped.
        NdisDevicePnPEventStopped = 4,
        /// The machine runs on another source of power.
        NdisDevicePnPEventPowerProfileChanged = 5,
    }

    /// Events of an adapter.
    enum NET_PNP_EVENT_CODE: i32 {
        /// RDMA was enabled.
        NetEventNDKEnable = 13,
        /// RDMA is to be disabled; completes when its last adapter is closed.
        NetEventNDKDisable = 14,
    }
}
