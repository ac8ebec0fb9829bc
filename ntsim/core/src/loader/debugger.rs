//! The place at which a debugger learns of an image.

use core::ffi::{CStr, c_char};
use core::hint::black_box;
use std::ffi::CString;

use super::Image;
use crate::number::ToU64;

/// Tells a debugger, if there is one, where an image is.
pub(super) fn tell(image: &Image) {
    let path = std::path::absolute(&image.path).unwrap_or_else(|_| image.path.clone());
    // A path of the host has no null in it.
    let path = CString::new(path.into_os_string().into_encoded_bytes()).unwrap_or_default();
    ntsim_image_loaded(CStr::as_ptr(&path), image.base.bits(), image.own_size().to_u64());
}

/// Does nothing. A debugger that breaks here reads where the image at `path` came to lie, and adds its symbols.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ntsim_image_loaded(path: *const c_char, base: u64, size: u64) {
    black_box((path, base, size));
}
