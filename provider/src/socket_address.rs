//! IP addresses with their ports in a layout that debuggers can rely on.

#![forbid(unsafe_code)]

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sys::sockaddr::{ADDRESS_FAMILY, AF_INET, AF_INET6};

/// An IP address and a port. The standard library's type has no layout that a reader of memory could know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SocketAddress {
    family: ADDRESS_FAMILY,
    port: u16,
    flow: u32,
    /// In network byte order; of IPv4 the first four bytes.
    ip: [u8; 16],
    scope: u32,
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let port = address.port();
        match address {
            SocketAddr::V4(address) => {
                let [a, b, c, d] = address.ip().octets();
                let ip = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                Self { family: AF_INET, port, flow: 0, ip, scope: 0 }
            }
            SocketAddr::V6(address) => {
                let (flow, scope) = (address.flowinfo(), address.scope_id());
                Self { family: AF_INET6, port, flow, ip: address.ip().octets(), scope }
            }
        }
    }
}

impl From<SocketAddress> for SocketAddr {
    fn from(address: SocketAddress) -> Self {
        let SocketAddress { family, port, flow, ip, scope } = address;
        match ip {
            [a, b, c, d, ..] if family == AF_INET => {
                SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into()
            }
            ip => SocketAddrV6::new(ip.into(), port, flow, scope).into(),
        }
    }
}

impl SocketAddress {
    /// An address of no family.
    pub(crate) const NONE: Self = Self { family: 0, port: 0, flow: 0, ip: [0; 16], scope: 0 };

    /// The IP address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        SocketAddr::from(self).ip()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn address_of_either_family_reads_back() {
        let v6 = SocketAddrV6::new("fe80::1".parse().unwrap(), 7, 8, 9);
        for address in [SocketAddr::V6(v6), "10.0.0.12:5445".parse().unwrap(), "[::1]:0".parse().unwrap()] {
            let kept = SocketAddress::from(address);
            assert_eq!((SocketAddr::from(kept), kept.ip()), (address, address.ip()));
        }
    }
}
