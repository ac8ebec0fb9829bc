//! Interrupt moderation.
//!
//! Layout and values: `ntddndis.h` as mingw-w64 publishes it.

use super::NDIS_OBJECT_HEADER;
use crate::wdm::{UCHAR, ULONG, USHORT};

layout! {
    /// The answer to `OID_GEN_INTERRUPT_MODERATION`, and what it is set to.
    struct NDIS_INTERRUPT_MODERATION_PARAMETERS: 0xC {
        /// The head.
        0x0 => Header: NDIS_OBJECT_HEADER,
        /// `NDIS_INTERRUPT_MODERATION_CHANGE_NEEDS_…`.
        0x4 => Flags: ULONG,
        /// The state of interrupt moderation.
        0x8 => InterruptModeration: NDIS_INTERRUPT_MODERATION,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1 = 0xC;
}

open_enum! {
    /// States of interrupt moderation.
    enum NDIS_INTERRUPT_MODERATION: i32 {
        /// Not known.
        NdisInterruptModerationUnknown = 0,
        /// They cannot be.
        NdisInterruptModerationNotSupported = 1,
        /// They are.
        NdisInterruptModerationEnabled = 2,
        /// They are not.
        NdisInterruptModerationDisabled = 3,
    }
}
