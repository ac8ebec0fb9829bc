//! Text of Windows, and its errors.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;

use runner::Error;

/// `text` in UTF-16, ended by a zero.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// The text up to the first zero.
pub(super) fn narrow(wide: &[u16]) -> String {
    let end = wide.iter().position(|unit| *unit == 0).unwrap_or(wide.len());
    String::from_utf16_lossy(&wide[..end])
}

/// The text at `start`, which a zero ends; empty if there is none.
///
/// # Safety
/// `start` is null, or so many units are there up to a zero.
pub(super) unsafe fn text_at(start: *const u16) -> String {
    if start.is_null() {
        return String::new();
    }
    let mut text = Vec::new();
    loop {
        // SAFETY: the caller's contract, as no unit before was zero.
        let unit = unsafe { *start.wrapping_add(text.len()) };
        if unit == 0 {
            return String::from_utf16_lossy(&text);
        }
        text.push(unit);
    }
}

/// The failure of `what` with the calling thread's last error.
pub(super) fn last_error(what: &'static str) -> Error {
    failed(what, std::io::Error::last_os_error())
}

/// The failure of `what`.
pub(super) fn failed(what: &'static str, why: impl core::fmt::Display) -> Error {
    Error::Host { what, why: why.to_string() }
}
