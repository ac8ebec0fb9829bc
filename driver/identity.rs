//! Constants by which NDIS and the kernel know the driver, and the header of structures for NDIS.

#![forbid(unsafe_code)]

use sys::ndis::NDIS_OBJECT_HEADER;

/// The version of NDIS that the driver is written for: 6.50.
pub(crate) const NDIS_VERSION: (u8, u8) = (6, 50);

/// The driver's own version: that of its package.
pub(crate) const DRIVER_VERSION: (u8, u8) = (0, 1);

/// The tag of what NDIS and the framework allocate for the driver.
pub(crate) const POOL_TAG: u32 = u32::from_ne_bytes(*b"sndk");

/// The header of a structure for NDIS.
pub(crate) const fn header(kind: u8, revision: u8, size: u16) -> NDIS_OBJECT_HEADER {
    NDIS_OBJECT_HEADER { Type: kind, Revision: revision, Size: size }
}
