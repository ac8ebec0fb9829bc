//! Lists of an adapter's connections, listeners and shared endpoints (NDIS-3).
//!
//! An ND endpoint is a TCP endpoint with the same address and port (AD-1), so both lists pair each entry with that of TCP:
//! the addresses again, in an entry of which nothing else is written. A connection between two adapters of the driver has
//! no TCP connection, and repeats its addresses (AD-8).
//! (<https://learn.microsoft.com/windows-hardware/drivers/network/oid-ndk-connections>,
//! <https://learn.microsoft.com/windows-hardware/drivers/network/oid-ndk-local-endpoints>)
//!
//! Entries are made as bytes, so that what lies between their members is zero and nothing of ours.

#![forbid(unsafe_code)]

use core::mem::offset_of;
use core::net::{IpAddr, SocketAddr};

use sys::ndis::{
    self, NDIS_NDK_CONNECTION_ENTRY, NDIS_NDK_CONNECTIONS, NDIS_NDK_LOCAL_ENDPOINT_ENTRY,
    NDIS_NDK_LOCAL_ENDPOINTS,
};
use sys::sockaddr::{AF_INET, AF_INET6, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET};
use sys::wdm::{TRUE, UCHAR, USHORT};

use super::buffer::{Answer, OidError};
use crate::rdma::Rdma;

/// Bytes before the entries, the same in both lists.
const HEAD: usize = offset_of!(NDIS_NDK_CONNECTIONS, Connections);

/// The place of the flag that says that entries come in pairs.
const MAPPED: usize = offset_of!(NDIS_NDK_CONNECTIONS, NDConnectionsMappedtoTCPConnections);

const _: () = assert!(
    HEAD == offset_of!(NDIS_NDK_LOCAL_ENDPOINTS, LocalEndpoints)
        && offset_of!(NDIS_NDK_CONNECTIONS, Count) == offset_of!(NDIS_NDK_LOCAL_ENDPOINTS, Count)
        && MAPPED == offset_of!(NDIS_NDK_LOCAL_ENDPOINTS, NDLocalEndpointsMappedtoTCPLocalEndpoints),
    "one head serves both lists"
);

/// Answers OID_NDK_CONNECTIONS. All consumers are in the kernel, so no connection has a process.
pub(super) fn connections(rdma: &Rdma, answer: &mut Answer) -> Result<(), OidError> {
    let mut list = List::new(answer);
    rdma.rnic().connections(|local, remote| {
        let mut entry = [0; size_of::<NDIS_NDK_CONNECTION_ENTRY>()];
        let addresses = [
            (offset_of!(NDIS_NDK_CONNECTION_ENTRY, Local), inet(local)),
            (offset_of!(NDIS_NDK_CONNECTION_ENTRY, Remote), inet(remote)),
        ];
        for (offset, address) in &addresses {
            put(&mut entry, *offset, address);
        }
        list.push(&entry, &addresses);
    });
    list.end(ndis::NDIS_NDK_CONNECTIONS_REVISION_1)
}

/// Answers OID_NDK_LOCAL_ENDPOINTS.
pub(super) fn endpoints(rdma: &Rdma, answer: &mut Answer) -> Result<(), OidError> {
    let mut list = List::new(answer);
    rdma.rnic().endpoints(|local, listens| {
        let mut entry = [0; size_of::<NDIS_NDK_LOCAL_ENDPOINT_ENTRY>()];
        let address = (offset_of!(NDIS_NDK_LOCAL_ENDPOINT_ENTRY, Local), inet(local));
        put(&mut entry, address.0, &address.1);
        if listens {
            put(&mut entry, offset_of!(NDIS_NDK_LOCAL_ENDPOINT_ENTRY, Listener), &[TRUE]);
        }
        list.push(&entry, &[address]);
    });
    list.end(ndis::NDIS_NDK_LOCAL_ENDPOINTS_REVISION_1)
}

/// A list on its way into an answer; entries that find no room are counted all the same.
struct List<'a> {
    answer: &'a mut Answer,
    count: u32,
    size: usize,
}

impl<'a> List<'a> {
    fn new(answer: &'a mut Answer) -> Self {
        Self { answer, count: 0, size: HEAD }
    }

    /// Adds an entry, and that of TCP, of which only the addresses at their offsets are written.
    fn push(&mut self, entry: &[u8], addresses: &[(usize, Inet)]) {
        self.answer.place(self.size, entry);
        self.size = self.size.saturating_add(entry.len());
        for (offset, address) in addresses {
            self.answer.place(self.size.saturating_add(*offset), address);
        }
        self.size = self.size.saturating_add(entry.len());
        self.count = self.count.saturating_add(2);
    }

    /// Puts the head before the entries. Its size is cut to what 16 bits hold, as the pages have it.
    fn end(self, revision: UCHAR) -> Result<(), OidError> {
        let size = USHORT::try_from(self.size).unwrap_or(USHORT::MAX);
        let mut head = [0; HEAD];
        put(&mut head, 0, &[ndis::NDIS_OBJECT_TYPE_DEFAULT, revision]);
        put(&mut head, 2, &size.to_le_bytes());
        put(&mut head, MAPPED, &[TRUE]);
        put(&mut head, offset_of!(NDIS_NDK_CONNECTIONS, Count), &self.count.to_le_bytes());
        self.answer.place(0, &head);
        self.answer.end(self.size)
    }
}

/// The bytes of a SOCKADDR_INET.
type Inet = [u8; size_of::<SOCKADDR_INET>()];

/// An address as a SOCKADDR_INET.
fn inet(address: SocketAddr) -> Inet {
    let mut bytes = [0; size_of::<SOCKADDR_INET>()];
    let family = match address.ip() {
        IpAddr::V4(ip) => {
            put(&mut bytes, offset_of!(SOCKADDR_IN, sin_addr), &ip.octets());
            AF_INET
        }
        IpAddr::V6(ip) => {
            put(&mut bytes, offset_of!(SOCKADDR_IN6, sin6_addr), &ip.octets());
            AF_INET6
        }
    };
    put(&mut bytes, offset_of!(SOCKADDR_IN, sin_family), &family.to_le_bytes());
    put(&mut bytes, offset_of!(SOCKADDR_IN, sin_port), &address.port().to_be_bytes());
    bytes
}

fn put(bytes: &mut [u8], offset: usize, part: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(offset).zip(part) {
        *to = *from;
    }
}
