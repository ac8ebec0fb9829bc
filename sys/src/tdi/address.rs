//! Addresses, and how a client opens an object of a transport.
//!
//! The addresses of a family are packed; `TA_ADDRESS` and `TRANSPORT_ADDRESS` are not.

use crate::wdm::{LONG, UCHAR, ULONG, USHORT};

layout! {
    /// One address; its bytes follow the head.
    struct TA_ADDRESS: 0x6 {
        /// Length of the bytes.
        0x0 => AddressLength: USHORT,
        /// `TDI_ADDRESS_TYPE_…`.
        0x2 => AddressType: USHORT,
        /// The first byte.
        0x4 => Address: [UCHAR; 1],
    }

    /// A list of addresses, which follow one another.
    struct TRANSPORT_ADDRESS: 0xC {
        /// The number of entries.
        0x0 => TAAddressCount: LONG,
        /// The first.
        0x4 => Address: [TA_ADDRESS; 1],
    }

    /// An IPv4 address and port, in network byte order.
    #[repr(packed)]
    #[derive(Debug, Eq, PartialEq)]
    struct TDI_ADDRESS_IP: 0xE {
        /// The port.
        0x0 => sin_port: USHORT,
        /// The address.
        0x2 => in_addr: ULONG,
        /// Zero.
        0x6 => sin_zero: [UCHAR; 8],
    }

    /// An IPv6 address and port, in network byte order.
    #[repr(packed)]
    #[derive(Debug, Eq, PartialEq)]
    struct TDI_ADDRESS_IP6: 0x1A {
        /// The port.
        0x00 => sin6_port: USHORT,
        /// The flow label.
        0x02 => sin6_flowinfo: ULONG,
        /// The address.
        0x06 => sin6_addr: [USHORT; 8],
        /// The scope of a link-local address.
        0x16 => sin6_scope_id: ULONG,
    }

    /// The one IPv4 address of a list, with its head.
    #[repr(packed)]
    #[derive(Debug, Eq, PartialEq)]
    struct TA_IP_ADDRESS: 0x16 {
        /// 1.
        0x00 => TAAddressCount: LONG,
        /// 14.
        0x04 => AddressLength: USHORT,
        /// [`TDI_ADDRESS_TYPE_IP`].
        0x06 => AddressType: USHORT,
        /// The address.
        0x08 => Address: TDI_ADDRESS_IP,
    }

    /// The one IPv6 address of a list, with its head.
    #[repr(packed)]
    #[derive(Debug, Eq, PartialEq)]
    struct TA_IP6_ADDRESS: 0x22 {
        /// 1.
        0x00 => TAAddressCount: LONG,
        /// 26.
        0x04 => AddressLength: USHORT,
        /// [`TDI_ADDRESS_TYPE_IP6`].
        0x06 => AddressType: USHORT,
        /// The address.
        0x08 => Address: TDI_ADDRESS_IP6,
    }
}

constants! { USHORT:
    /// No family.
    TDI_ADDRESS_TYPE_UNSPEC = 0;
    /// IPv4.
    TDI_ADDRESS_TYPE_IP = 2;
    /// IPv6.
    TDI_ADDRESS_TYPE_IP6 = 0x17;
}

/// Name of the extended attribute that opens an address object; the value is a [`TRANSPORT_ADDRESS`].
pub const TdiTransportAddress: &[u8; 16] = b"TransportAddress";
/// Name of the extended attribute that opens a connection; the value is a `CONNECTION_CONTEXT`.
pub const TdiConnectionContext: &[u8; 17] = b"ConnectionContext";

constants! { usize:
    /// In `FILE_OBJECT::FsContext2`: an address object.
    TDI_TRANSPORT_ADDRESS_FILE = 1;
    /// In `FILE_OBJECT::FsContext2`: a connection.
    TDI_CONNECTION_FILE = 2;
    /// In `FILE_OBJECT::FsContext2`: a control channel, opened without an attribute.
    TDI_CONTROL_CHANNEL_FILE = 3;
}
