//! The codes of entries that miniport drivers write to the event log: those of ndis.h, with the values of netevent.h.

use crate::wdm::ULONG;

/// The identifier of an entry in the event log.
pub type NDIS_ERROR_CODE = ULONG;

constants! {
    NDIS_ERROR_CODE:
    /// The driver ran out of resources (event 5001).
    NDIS_ERROR_CODE_OUT_OF_RESOURCES = 0xC000_1389;
    /// The driver has failed for another reason (event 5005).
    NDIS_ERROR_CODE_DRIVER_FAILURE = 0xC000_138D;
}
