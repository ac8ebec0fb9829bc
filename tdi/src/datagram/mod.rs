//! Datagrams: what is sent from one address object to another without a connection.
//!
//! NDK has no unconnected service, and all addresses that the network below serves belong to adapters of this
//! driver. So a datagram is handed over inside the transport:
//!
//! ```text
//! send ──copy──▶ queue ──DPC──▶ each open address object that the destination names
//!   │            (bounded)      1. receives that wait and want it, in their order
//!   ▼                           2. or else the client's handler
//! completes                     3. or else it is dropped
//! ```
//!
//! The DPC keeps clients apart: a handler that answers a datagram with another one does not run the
//! other client's handler inside its own call, however long the conversation is. One call is under way at a
//! time, so the datagrams from one address to another one arrive in their order.
//!
//! A send needs memory for its datagram and a receive for its place among those that wait; without, they are
//! refused. Delivering, a cancel and a cleanup need none. Nothing is kept for a receive that comes later.

mod deliver;
mod receive;
mod send;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use provider::NoMemory;
use provider::number::u64_from;
pub(crate) use receive::Receives;

use crate::system::System;
use crate::transport::Entered;

/// The most bytes of a datagram: as many as one of UDP over IPv4 can have.
pub const MAX_DATAGRAM: usize = 65_507;
/// The most datagrams that are under way at a time.
pub(crate) const MAX_UNDER_WAY: usize = 64;

/// One under way.
struct Datagram<S: System> {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
    /// The sender's file stays until the datagram is being delivered: so where no file is left, none is under
    /// way.
    sender: Entered<S>,
}

/// A number of datagrams, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) datagrams: u32,
    pub(crate) bytes: u64,
}

impl Count {
    /// As other statistics do, the number begins anew when it is full.
    fn add(&mut self, bytes: usize) {
        self.datagrams = self.datagrams.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(u64_from(bytes));
    }
}

/// All that are under way.
pub(crate) struct Datagrams<S: System> {
    queue: VecDeque<Datagram<S>>,
    /// The DPC is queued, or runs.
    delivering: bool,
    pub(crate) sent: Count,
    /// Those that had an address to go to.
    pub(crate) received: Count,
}

impl<S: System> Datagrams<S> {
    /// None, with room for all that may be.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new() -> Result<Self, NoMemory> {
        let mut queue = VecDeque::new();
        queue.try_reserve_exact(MAX_UNDER_WAY).map_err(|_| NoMemory)?;
        Ok(Self { queue, delivering: false, sent: Count::default(), received: Count::default() })
    }

    /// Datagrams that are under way.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::request::Source;

    #[test]
    fn source_admits_what_it_names() {
        let from = "10.0.0.1:7".parse().unwrap();
        let only = |address: &str| Source::Address(address.parse().unwrap());
        assert!(Source::Any.admits(from) && !Source::Unknown.admits(from));
        for named in ["10.0.0.1:7", "10.0.0.1:0", "0.0.0.0:7", "0.0.0.0:0"] {
            assert!(only(named).admits(from), "{named}");
        }
        for other in ["10.0.0.1:8", "10.0.0.2:7", "0.0.0.0:8", "[::]:7", "[::1]:7"] {
            assert!(!only(other).admits(from), "{other}");
        }
    }
}
