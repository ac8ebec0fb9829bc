//! The transfer session: two adapters, a connection between them, and chunks that cross it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One end: an adapter and a socket address on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Endpoint {
    /// The interface index by which `WskOpenNdkAdapter` finds the adapter.
    pub if_index: u32,
    /// The number of bytes of `address` that count: 16 for IPv4, 28 for IPv6.
    pub address_length: u32,
    /// A `SOCKADDR_IN` or a `SOCKADDR_IN6`.
    pub address: [u8; 28],
}

impl Endpoint {
    /// `address` and `port` on the adapter with interface index `if_index`.
    ///
    /// The layouts are those of `SOCKADDR_IN` (family, port, address, padding) and `SOCKADDR_IN6`
    /// (family, port, flow, address, scope); the family is in the machine's order, the port in the
    /// network's (windows-driver-docs-ddi, ws2def and ws2ipdef).
    #[must_use]
    pub fn new(if_index: u32, address: core::net::IpAddr, port: u16) -> Self {
        const AF_INET: u16 = 2;
        const AF_INET6: u16 = 23;
        let mut bytes = [0_u8; 28];
        let (family, address_length) = match address {
            core::net::IpAddr::V4(v4) => {
                fill(&mut bytes, 4, &v4.octets());
                (AF_INET, 16)
            }
            core::net::IpAddr::V6(v6) => {
                fill(&mut bytes, 8, &v6.octets());
                (AF_INET6, 28)
            }
        };
        fill(&mut bytes, 0, &family.to_le_bytes());
        fill(&mut bytes, 2, &port.to_be_bytes());
        Self { if_index, address_length, address: bytes }
    }

    /// As [`new`](Self::new), with the zone that an address of IPv6 may be of.
    #[must_use]
    pub fn at(if_index: u32, address: core::net::SocketAddr) -> Self {
        let mut end = Self::new(if_index, address.ip(), address.port());
        if let core::net::SocketAddr::V6(v6) = address {
            fill(&mut end.address, 24, &v6.scope_id().to_le_bytes());
        }
        end
    }

    /// The socket address, if there is one.
    #[must_use]
    pub fn socket_address(&self) -> Option<core::net::SocketAddr> {
        let port = self.port();
        let bytes = |skip| self.address.iter().skip(skip).copied();
        match self.address_length {
            16 => {
                let mut octets = [0; 4];
                octets.iter_mut().zip(bytes(4)).for_each(|(to, from)| *to = from);
                Some(core::net::SocketAddr::new(octets.into(), port))
            }
            28 => {
                let (mut octets, mut scope) = ([0; 16], [0; 4]);
                octets.iter_mut().zip(bytes(8)).for_each(|(to, from)| *to = from);
                scope.iter_mut().zip(bytes(24)).for_each(|(to, from)| *to = from);
                let scope = u32::from_le_bytes(scope);
                Some(core::net::SocketAddrV6::new(octets.into(), port, 0, scope).into())
            }
            _ => None,
        }
    }

    /// The same end with another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        fill(&mut self.address, 2, &port.to_be_bytes());
        self
    }

    /// The same end at the address whose last byte is `host`.
    #[must_use]
    pub fn with_host(mut self, host: u8) -> Self {
        let last = if self.address_length == 16 { 7 } else { 23 };
        fill(&mut self.address, last, &[host]);
        self
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let [_, _, high, low, ..] = self.address;
        u16::from_be_bytes([high, low])
    }
}

fn fill(bytes: &mut [u8], skip: usize, with: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(skip).zip(with) {
        *to = *from;
    }
}

/// Opens a session.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SessionRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The longest chunk, in bytes, that the runner would like to move at once.
    pub chunk_length: u32,
    /// The end that connects and transmits.
    pub near: Endpoint,
    /// The end that listens and collects.
    pub far: Endpoint,
}

/// The limits that one adapter reported.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AdapterLimits {
    /// The NDK version, major in the high half, minor in the low half.
    pub version: u32,
    /// Bytes that one work request may move.
    pub max_transfer_length: u32,
    /// Bytes that one memory region may cover.
    pub max_registration_size: u64,
    /// Bytes of private data a connector may send.
    pub max_caller_data: u32,
    /// Bytes of private data an acceptor may send.
    pub max_callee_data: u32,
    /// Work requests that an initiator queue may hold.
    pub max_initiator_queue_depth: u32,
    /// Work requests that a receive queue may hold.
    pub max_receive_queue_depth: u32,
}

/// The outcome of opening a session.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SessionReport {
    /// `STATUS_SUCCESS`, or the NTSTATUS that ended the attempt (then everything is closed again).
    pub status: i32,
    /// The longest chunk, in bytes, that this session moves.
    pub chunk_length: u32,
    /// The near adapter.
    pub near: AdapterLimits,
    /// The far adapter.
    pub far: AdapterLimits,
    /// The findings while a failed attempt was taken down; of no meaning after success.
    pub outcome: crate::Outcome,
}

/// The operation that moves a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    /// By a Send into a posted Receive.
    Send = 1,
    /// By an RDMA Write into memory that the far side advertised.
    Write = 2,
    /// By an RDMA Read from memory that the near side advertised.
    Read = 3,
    /// By a plain copy on the processor, without NDK: what the other three are measured against.
    Copy = 4,
    /// As SMB Direct writes a file: the near side registers its memory by a work request and tells where it is,
    /// the far side, with its receives in an SRQ, reads it and answers by a Send that invalidates the token.
    SmbDirect = 5,
}

impl Operation {
    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for Operation {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            1 => Ok(Self::Send),
            2 => Ok(Self::Write),
            3 => Ok(Self::Read),
            4 => Ok(Self::Copy),
            5 => Ok(Self::SmbDirect),
            other => Err(other),
        }
    }
}

/// One chunk. Both sides name the same operation and length.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChunkRequest {
    /// An [`Operation`].
    pub operation: u32,
    /// Bytes, at most the session's chunk length and at most what the MDL covers.
    pub length: u32,
}

/// The chunks and bytes that one operation has moved in a session.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TransferCounters {
    /// Chunks that arrived.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Ticks of the performance counter from posting the operation that moves the bytes to having its
    /// completion.
    pub ticks: u64,
}

/// A session's counters up to now.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SessionCounters {
    /// Ticks of the performance counter in a second.
    pub frequency: u64,
    /// Memory registrations by work request.
    pub fast_registrations: u64,
    /// Of these, those that the answer to their chunk has invalidated, and named.
    pub invalidations: u64,
    /// The number of low-watermark notifications of the SRQ, each followed by a refill.
    pub refills: u64,
    /// [`Operation::Send`].
    pub send: TransferCounters,
    /// [`Operation::Write`].
    pub write: TransferCounters,
    /// [`Operation::Read`].
    pub read: TransferCounters,
    /// [`Operation::Copy`].
    pub copy: TransferCounters,
    /// [`Operation::SmbDirect`].
    pub smb_direct: TransferCounters,
}

/// Closes a session.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CloseRequest {
    /// A [`Level`](crate::Level): where the closes are called from.
    pub level: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_end_is_laid_out_as_sockaddr_in() {
        let end = Endpoint::new(12, "10.0.0.1".parse().unwrap(), 0x1234);
        assert_eq!(end.address_length, 16);
        assert_eq!(end.address[..8], [2, 0, 0x12, 0x34, 10, 0, 0, 1]);
    }

    #[test]
    fn ipv6_end_is_laid_out_as_sockaddr_in6() {
        let end = Endpoint::new(15, "fd00::2".parse().unwrap(), 5445);
        assert_eq!(end.address_length, 28);
        assert_eq!(end.address[..10], [23, 0, 0x15, 0x45, 0, 0, 0, 0, 0xfd, 0]);
        assert_eq!(end.address[23], 2);
    }

    #[test]
    fn changing_the_host_changes_the_last_byte_of_the_address() {
        for (one, other) in [("10.0.0.1", "10.0.0.101"), ("fd00::1", "fd00::65")] {
            let [one, other] = [one, other].map(|text| Endpoint::new(12, text.parse().unwrap(), 445));
            assert_eq!(one.with_host(101).address, other.address);
        }
    }

    #[test]
    fn socket_address_of_an_end_is_the_one_that_it_was_made_of() {
        for text in ["127.0.0.1:5445", "[fd00::2]:1", "[fe80::1%3]:445"] {
            let address: core::net::SocketAddr = text.parse().unwrap();
            assert_eq!(Endpoint::at(12, address).socket_address(), Some(address));
        }
    }

    #[test]
    fn changing_the_port_changes_nothing_else() {
        let end = Endpoint::new(12, "10.0.0.1".parse().unwrap(), 1);
        assert_eq!(end.with_port(5445).port(), 5445);
        assert_eq!(end.with_port(5445).with_port(1), end);
    }
}
