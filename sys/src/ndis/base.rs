//! The common part of NDIS: handles, the head of every structure.

use crate::wdm::{KIRQL, KSPIN_LOCK, PVOID, UCHAR, ULONG, UNICODE_STRING, USHORT};

/// A handle: NDIS's to a driver's, or a driver's to NDIS's.
pub type NDIS_HANDLE = PVOID;
/// A counted UTF-16 string.
pub type NDIS_STRING = UNICODE_STRING;
/// An object identifier: what is asked or set.
pub type NDIS_OID = ULONG;
/// A port of an adapter; zero, the default, stands for all.
pub type NDIS_PORT_NUMBER = ULONG;

layout! {
    /// The head of a structure that can grow.
    #[derive(Debug, Eq, PartialEq)]
    struct NDIS_OBJECT_HEADER: 0x4 {
        /// `NDIS_OBJECT_TYPE_…`.
        0x0 => Type: UCHAR,
        /// `…_REVISION_…`.
        0x1 => Revision: UCHAR,
        /// Size of that revision, in bytes.
        0x2 => Size: USHORT,
    }

    /// A spin lock with the level to go back to.
    struct NDIS_SPIN_LOCK: 0x10 {
        /// The lock.
        0x00 => SpinLock: KSPIN_LOCK,
        /// The level.
        0x08 => OldIrql: KIRQL,
    }
}

constants! { UCHAR:
    /// A structure whose type is clear from where it is.
    NDIS_OBJECT_TYPE_DEFAULT = 0x80;
    /// `NDIS_MINIPORT_INIT_PARAMETERS`.
    NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS = 0x81;
    /// `NDIS_DEVICE_OBJECT_ATTRIBUTES`.
    NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES = 0x85;
    /// `NDIS_MINIPORT_DRIVER_CHARACTERISTICS`.
    NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS = 0x8A;
    /// `NDIS_MINIPORT_PNP_CHARACTERISTICS`.
    NDIS_OBJECT_TYPE_MINIPORT_PNP_CHARACTERISTICS = 0x92;
    /// `NDIS_OID_REQUEST`.
    NDIS_OBJECT_TYPE_OID_REQUEST = 0x96;
    /// `NDIS_STATUS_INDICATION`.
    NDIS_OBJECT_TYPE_STATUS_INDICATION = 0x98;
    /// `NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`.
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES = 0x9E;
    /// `NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`.
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = 0x9F;
    /// `NDIS_TIMER_CHARACTERISTICS`.
    NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS = 0x97;
    /// `NDIS_CONFIGURATION_OBJECT`.
    NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT = 0xA9;
    /// `NDIS_NDK_PROVIDER_CHARACTERISTICS`.
    NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS = 0xB2;
    /// `NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES`.
    NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES = 0xB3;
}
