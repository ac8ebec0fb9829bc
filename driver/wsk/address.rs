//! Socket addresses, to Winsock Kernel and back.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sys::sockaddr::{
    ADDRESS_FAMILY, AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET,
};
use sys::wdm::ULONG;

/// An address for Winsock Kernel. One that is link-local gets the scope of the interface with this index (AD-10).
pub(super) const fn native(address: SocketAddr, interface: ULONG) -> SOCKADDR_INET {
    match address {
        SocketAddr::V4(v4) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: v4.port().to_be(),
                sin_addr: IN_ADDR { S_addr: v4.ip().to_bits().to_be() },
                sin_zero: [0; 8],
            },
        },
        SocketAddr::V6(v6) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: IN6_ADDR { Byte: v6.ip().octets() },
                sin6_scope_id: if v6.ip().is_unicast_link_local() { interface } else { 0 },
            },
        },
    }
}

/// Reads an address of Winsock Kernel's, without its scope, which is the adapter's interface; `None` for a null pointer
/// and another family.
///
/// # Safety
///
/// `address` is null or points to an address as long as its family's.
pub(super) unsafe fn read(address: *const SOCKADDR) -> Option<SocketAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, and the family comes first; it may be unaligned.
    match unsafe { address.cast::<ADDRESS_FAMILY>().read_unaligned() } {
        AF_INET => {
            // SAFETY: as the family says.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.S_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        AF_INET6 => {
            // SAFETY: as the family says.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            let ip = Ipv6Addr::from_octets(v6.sin6_addr.Byte);
            Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}

/// Sets the port to any that is free.
///
/// # Safety
///
/// `address` is valid, and no other thread uses it.
pub(super) const unsafe fn clear_port(address: *mut SOCKADDR_INET) {
    // SAFETY: as the caller promises; the port has the same place in both forms.
    let port = unsafe { &raw mut (*address).Ipv4.sin_port };
    // SAFETY: as above.
    unsafe { port.write(0) };
}

/// No address.
pub(super) const UNSPECIFIED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
