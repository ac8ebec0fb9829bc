//! Opening files, as a test does.

#![forbid(unsafe_code)]

use super::file::{self, File, as_thread};
use super::{Opener, StatusError};
use crate::se::Subject;

/// As [`open_as`], as a program of the system does.
///
/// # Errors
/// As [`open_as`].
pub fn open(name: &str, attributes: &[u8]) -> Result<File, StatusError> {
    open_as(name, attributes, &Opener::new(Subject::system()))
}

/// Opens a device by its name or by a symbolic link, with extended attributes if `attributes` is not
/// empty (a list of `FILE_FULL_EA_INFORMATION`), as `opener` does.
///
/// # Errors
/// The status of the name look-up or of the driver's create routine, and STATUS_ACCESS_DENIED if the device does not
/// admit the opener.
pub fn open_as(name: &str, attributes: &[u8], opener: &Opener) -> Result<File, StatusError> {
    as_thread(|| file::open(name, attributes, opener)).map_err(StatusError)
}
