//! Counted strings that drivers give to NDIS.

use ntsim_core::address::Va;
use sys::wdm::UNICODE_STRING;

use super::violation;

/// Checks that a string which has characters ends with a null character behind them. The page of
/// `NDIS_DEVICE_OBJECT_ATTRIBUTES` says so of the device's name
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/ns-ndis-_ndis_device_object_attributes>);
/// no page says of the others that they may do without, and all samples terminate them.
///
/// # Safety
/// `string` is null or points to a valid string.
pub(super) unsafe fn check(function: &'static str, string: *const UNICODE_STRING) {
    // SAFETY: the caller's contract.
    let Some(string) = (unsafe { string.as_ref() }) else { return };
    let length = string.Length;
    if length == 0 {
        return;
    }
    let has_room = string.MaximumLength >= length + 2;
    // SAFETY: the buffer has as many bytes as its maximal length says.
    let ends = has_room && unsafe { string.Buffer.wrapping_byte_add(length.into()).read() } == 0;
    if !ends {
        let text = format!("{function} got a string of {length} bytes without a null character behind it");
        violation("NdisStringTermination", [0, Va::of(string.Buffer).bits(), length.into(), 0], text);
    }
}
