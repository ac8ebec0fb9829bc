//! Options of the machine's sockets.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::Builder;
use crate::sched::{CaptureFile, SocketFaults, Transport};

impl<M> Builder<M> {
    /// With the host's sockets below those of Winsock Kernel, in place of a pipe between sockets of the machine.
    /// Addresses are the host's then. Not together with a [schedule](Builder::schedule).
    #[must_use]
    pub fn host_sockets(mut self) -> Self {
        self.settings.sockets.transport = Transport::Host;
        self
    }

    /// With received data indicated in many parts of any length, chosen from a seed: a byte, a piece of a header, lists
    /// and MDL chains with offsets.
    #[must_use]
    pub fn shred(mut self, seed: u64) -> Self {
        self.settings.sockets.shred = Some(seed);
        self
    }

    /// With sends over the host's sockets that complete when the peer's transport has acknowledged them, as
    /// [WskSend](https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_send), which buffers
    /// nothing, does; without this, when the host has taken them.
    #[must_use]
    pub fn acknowledged_sends(mut self) -> Self {
        self.settings.sockets.acknowledged_sends = true;
        self
    }

    /// With faults of connections over the pipe.
    #[must_use]
    pub fn socket_faults(mut self, faults: SocketFaults) -> Self {
        self.settings.sockets.faults = faults;
        self
    }

    /// With this seed for the pipe's choices, where the machine has no [schedule](Builder::schedule), whose seed it is
    /// else.
    #[must_use]
    pub fn socket_seed(mut self, seed: u64) -> Self {
        self.settings.sockets.seed = seed;
        self
    }

    /// With the bytes of all connections in a file (pcapng), as packets with made-up headers of IP and TCP. The file is
    /// written anew; it is complete when the machine has been shut down, whose report says why where it is not.
    #[must_use]
    pub fn capture(mut self, path: impl Into<PathBuf>) -> Self {
        // The settings are copied freely, and a process has few machines.
        self.settings.sockets.capture = Some(Box::leak(Box::new(CaptureFile::new(path.into()))));
        self
    }
}
