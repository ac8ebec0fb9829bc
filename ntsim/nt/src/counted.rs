//! Reading counted strings of drivers.

use sys::wdm::UNICODE_STRING;

/// The units of a counted string; none for null.
///
/// # Safety
/// `string` is null or a valid string that does not change while the result is used.
pub(crate) unsafe fn counted<'a>(string: *const UNICODE_STRING) -> &'a [u16] {
    // SAFETY: the caller's contract.
    let Some(string) = (unsafe { string.as_ref() }) else { return &[] };
    if string.Length == 0 {
        return &[];
    }
    // SAFETY: a valid string has so many bytes at its buffer.
    unsafe { core::slice::from_raw_parts(string.Buffer, usize::from(string.Length) / 2) }
}

/// A counted string of a driver as a string of ours.
///
/// # Safety
/// `string` is null or a valid string that does not change meanwhile.
pub unsafe fn from_counted(string: *const UNICODE_STRING) -> String {
    // SAFETY: the caller's contract.
    String::from_utf16_lossy(unsafe { counted(string) })
}
