//! The settings of a machine's sockets.

#![forbid(unsafe_code)]

use std::path::Path;

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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
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
    pub capture: Option<&'static Path>,
}
