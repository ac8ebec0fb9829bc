//! The machine as a program sees it.

#![forbid(unsafe_code)]

use core::fmt;
use std::path::Path;

use nt::io::{self, File, Opener, StatusError};
use nt::ke::debug;
use nt::se::Subject;
use ntsim_core::Settings;
use ntsim_core::boot;
use ntsim_core::loader::LoadError;
use ntsim_core::sched::CaptureFile;
use ntsim_core::subsystem::Subsystems;

use crate::crash;
use crate::driver::Driver;
use crate::report::Report;

/// The settings and subsystems of a machine, before it is booted.
pub type Builder = boot::Builder<Machine>;

/// The parts of the kernel that there are.
pub(crate) const SUBSYSTEMS: Subsystems = &[nt::SUBSYSTEMS, ndk::SUBSYSTEMS, net::SUBSYSTEMS];

/// The running machine. Dropping it shuts it down; [`Machine::shutdown`] also says what was found.
pub struct Machine {
    inner: boot::Machine,
}

impl From<boot::Machine> for Machine {
    fn from(inner: boot::Machine) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Machine {
    /// A machine with two processors, to be changed and booted.
    pub fn builder() -> Builder {
        crash::install();
        Builder::new(SUBSYSTEMS)
    }

    /// Loads the driver image at `path` and calls its entry point.
    ///
    /// # Errors
    /// Where the file is no x64 driver image, imports what the simulator does not have, or its entry
    /// point fails.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Driver, LoadError> {
        Driver::load(path.as_ref())
    }

    /// The text that drivers have printed for the debugger, one entry per call.
    pub fn log(&self) -> Vec<String> {
        debug::lines()
    }

    /// The requests that went through the I/O manager so far.
    pub fn requests(&self) -> io::Statistics {
        io::snapshot()
    }

    /// The names of the devices that have one, in alphabetical order and lower case.
    pub fn device_names(&self) -> Vec<String> {
        io::device_names()
    }

    /// Opens a device by its name or by a symbolic link, with extended attributes if `attributes` is not
    /// empty (a list of `FILE_FULL_EA_INFORMATION`), as a program of the system does.
    ///
    /// # Errors
    /// The status of the name look-up or of the driver's create routine.
    pub fn open(&self, name: &str, attributes: &[u8]) -> Result<File, StatusError> {
        io::open(name, attributes)
    }

    /// As [`open`](Self::open), with the share access that is asked for.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(&self, name: &str, attributes: &[u8], share: u16) -> Result<File, StatusError> {
        self.open_as(name, attributes, &Opener::new(Subject::system()).share(share))
    }

    /// As [`open`](Self::open), in another security context or otherwise.
    ///
    /// # Errors
    /// As [`open`](Self::open), and STATUS_ACCESS_DENIED if the device does not admit the opener.
    pub fn open_as(&self, name: &str, attributes: &[u8], opener: &Opener) -> Result<File, StatusError> {
        io::open_as(name, attributes, opener)
    }

    /// Shuts the machine down and says what was found since it was booted.
    pub fn shutdown(mut self) -> Report {
        self.inner.settle();
        let ndk = ndk::summary();
        let capture = Settings::current().sockets.capture;
        let boot::ShutdownReport { findings, pool, deepest_stack, schedule } = self.inner.stop();
        let capture_error = capture.and_then(CaptureFile::error);
        Report { findings, pool, deepest_stack, ndk, io: io::snapshot(), schedule, capture_error }
    }
}
