//! Socket addresses, between NT's form and the standard library's.

use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sys::sockaddr::{
    ADDRESS_FAMILY, AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET,
};

/// Reads an address of a driver's; `None` if it is null or of another family.
///
/// # Safety
/// `address` is null or points to an address as long as its family's.
pub(super) unsafe fn read(address: *const SOCKADDR) -> Option<SocketAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: the caller's contract.
    match unsafe { (*address).sa_family } {
        AF_INET => {
            // SAFETY: the caller's contract.
            let SOCKADDR_IN { sin_port, sin_addr, .. } =
                unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            let ip = u32::from_be(sin_addr.S_addr).into();
            Some(SocketAddrV4::new(ip, u16::from_be(sin_port)).into())
        }
        AF_INET6 => {
            // SAFETY: the caller's contract.
            let full = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            let ip = Ipv6Addr::from(full.sin6_addr.Byte);
            Some(
                SocketAddrV6::new(ip, u16::from_be(full.sin6_port), full.sin6_flowinfo, full.sin6_scope_id)
                    .into(),
            )
        }
        _ => None,
    }
}

/// Writes an address to a driver's buffer.
///
/// # Safety
/// `out` is null or has room for an address of the family.
pub(super) unsafe fn write(out: *mut SOCKADDR, address: SocketAddr) {
    if out.is_null() {
        return;
    }
    let full = native(address);
    let length = if address.is_ipv4() { size_of::<SOCKADDR_IN>() } else { size_of::<SOCKADDR_IN6>() };
    // SAFETY: the caller's contract, and the union is as long as its longest member.
    unsafe { out.cast::<u8>().copy_from((&raw const full).cast(), length) };
}

/// NT's form of an address.
pub(super) fn native(address: SocketAddr) -> SOCKADDR_INET {
    match address {
        SocketAddr::V4(v4) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: v4.port().to_be(),
                sin_addr: IN_ADDR { S_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            },
        },
        SocketAddr::V6(v6) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: IN6_ADDR { Byte: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            },
        },
    }
}

/// The family of an address.
pub(super) fn family(address: SocketAddr) -> ADDRESS_FAMILY {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// The address that stands for none, of a family.
pub(super) fn unspecified(address: SocketAddr) -> IpAddr {
    if address.is_ipv4() {
        IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    }
}
