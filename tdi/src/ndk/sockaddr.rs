//! Socket addresses and private data, as NDK takes and gives them.

use core::mem::MaybeUninit;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sys::sockaddr::{
    AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET,
};

use super::call::ulong;

/// A socket address in the form of the interface.
pub(super) struct Raw {
    address: SOCKADDR_INET,
    length: u32,
}

impl Raw {
    pub(super) fn new(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self {
                address: SOCKADDR_INET {
                    Ipv4: SOCKADDR_IN {
                        sin_family: AF_INET,
                        sin_port: v4.port().to_be(),
                        sin_addr: IN_ADDR { S_addr: v4.ip().to_bits().to_be() },
                        sin_zero: [0; 8],
                    },
                },
                length: ulong(size_of::<SOCKADDR_IN>()),
            },
            SocketAddr::V6(v6) => Self {
                address: SOCKADDR_INET {
                    Ipv6: SOCKADDR_IN6 {
                        sin6_family: AF_INET6,
                        sin6_port: v6.port().to_be(),
                        sin6_flowinfo: 0,
                        sin6_addr: IN6_ADDR { Byte: v6.ip().octets() },
                        sin6_scope_id: 0,
                    },
                },
                length: ulong(size_of::<SOCKADDR_IN6>()),
            },
        }
    }

    /// Pointer and length, for the duration of a borrow.
    pub(super) fn parts(&self) -> (*const SOCKADDR, u32) {
        ((&raw const self.address).cast(), self.length)
    }

    /// The address that `ask` writes, given room and its length; `None` if it writes none.
    pub(super) fn asked(ask: impl FnOnce(*mut SOCKADDR, *mut u32) -> Option<i32>) -> Option<SocketAddr> {
        let mut room = MaybeUninit::<SOCKADDR_INET>::zeroed();
        let mut length = ulong(size_of::<SOCKADDR_INET>());
        ask(room.as_mut_ptr().cast(), &raw mut length).filter(|status| sys::status::NT_SUCCESS(*status))?;
        // SAFETY: all zero is an address of no family, and what was written over it is one of a family.
        let address = unsafe { room.assume_init() };
        // SAFETY: the family is common to all.
        match unsafe { address.si_family } {
            AF_INET => {
                // SAFETY: the family says so, and any bytes are one.
                let v4 = unsafe { address.Ipv4 };
                let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.S_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            AF_INET6 => {
                // SAFETY: the family says so, and any bytes are one.
                let v6 = unsafe { address.Ipv6 };
                let ip = Ipv6Addr::from_octets(v6.sin6_addr.Byte);
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, 0).into())
            }
            _ => None,
        }
    }
}

/// Bytes of the private data.
pub(super) const HELLO: usize = 6;
/// The greeting of a transport: its name and version.
const MAGIC: [u8; 4] = *b"TDI\x02";

/// The private data of a connect from an address object with this port.
pub(super) fn hello(port: u16) -> [u8; HELLO] {
    let ([t, d, i, version], [high, low]) = (MAGIC, port.to_be_bytes());
    [t, d, i, version, high, low]
}

/// The port that a peer says it connects from; `None` if it is no transport of this version.
pub(super) fn read_hello(data: &[u8]) -> Option<u16> {
    let (magic, port) = data.split_first_chunk()?;
    let port = port.try_into().ok()?;
    (*magic == MAGIC).then_some(u16::from_be_bytes(port))
}

#[cfg(test)]
mod tests {
    use provider::number::usize_from;

    use super::*;

    #[test]
    fn address_reads_back() {
        for address in ["10.1.2.3:445", "[fe80::1]:80"] {
            let address: SocketAddr = address.parse().unwrap();
            let raw = Raw::new(address);
            let read = Raw::asked(|place, length| {
                let (from, bytes) = raw.parts();
                // SAFETY: there is room for any address, and `from` has so many bytes.
                unsafe {
                    assert!(*length >= bytes);
                    place.cast::<u8>().copy_from(from.cast(), usize_from(bytes));
                }
                Some(0)
            });
            assert_eq!(read, Some(address));
        }
    }

    #[test]
    fn hello_of_another_protocol_is_rejected() {
        assert_eq!(read_hello(&hello(0x1234)), Some(0x1234));
        for stranger in
            [&b""[..], b"TDI\x02\x12", b"TDI\x01\x12\x34", b"TDI\x02\x12\x34\x56", b"SMB\x02\x12\x34"]
        {
            assert_eq!(read_hello(stranger), None);
        }
    }
}
