//! The settings of a machine's sockets.

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

/// The transport below the sockets of Winsock Kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transport {
    /// Connections between sockets of the machine itself, without the host and its time.
    #[default]
    Pipe,
    /// Sockets of the host: their peers may be other processes and machines.
    Host,
}

/// Faults of connections over the pipe: of a thousand operations, so many meet one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SocketFaults {
    /// A send that finds the connection reset.
    pub reset: u16,
    /// A send after which the connection is half closed by the peer's transport, in the middle of its data.
    pub early_end: u16,
    /// A send of which a part is taken only.
    pub partial: u16,
    /// A send that finds the window closed for a while.
    pub closed_window: u16,
    /// A bind that finds the address in use.
    pub address_in_use: u16,
    /// An arrival for which the event says that the socket is no longer functional.
    pub dead: u16,
}

/// The settings of a machine's sockets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sockets {
    /// The transport.
    pub transport: Transport,
    /// The seed for indications that are cut into many parts; `None` leaves each in one.
    pub shred: Option<u64>,
    /// Set if a send over the host completes only when the peer's transport has acknowledged its bytes.
    pub acknowledged_sends: bool,
    /// The faults of the pipe.
    pub faults: SocketFaults,
    /// The seed of the pipe's choices where the machine has no schedule.
    pub seed: u64,
    /// The file that gets the bytes of all connections.
    pub capture: Option<&'static CaptureFile>,
}

/// A file that is written while the machine runs. The first error ends it, and is told when the machine is shut down:
/// the drivers run on.
#[derive(Debug)]
pub struct CaptureFile {
    /// Its path.
    pub path: PathBuf,
    failed: Mutex<Option<io::Error>>,
}

impl CaptureFile {
    /// A file that was not written yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, failed: Mutex::new(None) }
    }

    /// Keeps the first error.
    pub fn fail(&self, error: io::Error) {
        self.failed.lock().get_or_insert(error);
    }

    /// The first error in words, if there was one, with the path.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.failed.lock().as_ref().map(|error| format!("{}: {error}", self.path.display()))
    }
}
