//! Opening files, as a test does.

use super::file::{self, File, as_thread};
use super::{Opener, Status};
use crate::Machine;
use crate::se::Subject;

/// As [`Machine::open_as`], for threads of the machine.
///
/// # Errors
/// As [`Machine::open_as`].
pub fn open_as(name: &str, attributes: &[u8], opener: &Opener) -> Result<File, Status> {
    as_thread(|| file::open(name, attributes, opener)).map_err(Status)
}

impl Machine {
    /// Opens a device by its name or by a symbolic link, with extended attributes if `attributes` is not
    /// empty (a list of `FILE_FULL_EA_INFORMATION`), as a program of the system does.
    ///
    /// # Errors
    /// The status of the name look-up or of the driver's create routine.
    pub fn open(&self, name: &str, attributes: &[u8]) -> Result<File, Status> {
        self.open_as(name, attributes, &Opener::new(Subject::system()))
    }

    /// As [`open`](Self::open), with the share access that is asked for.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(&self, name: &str, attributes: &[u8], share: u16) -> Result<File, Status> {
        self.open_as(name, attributes, &Opener::new(Subject::system()).share(share))
    }

    /// As [`open`](Self::open), by somebody else or otherwise.
    ///
    /// # Errors
    /// As [`open`](Self::open), and STATUS_ACCESS_DENIED if the device does not admit the opener.
    pub fn open_as(&self, name: &str, attributes: &[u8], opener: &Opener) -> Result<File, Status> {
        open_as(name, attributes, opener)
    }
}
