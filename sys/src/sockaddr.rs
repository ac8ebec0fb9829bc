//! Socket addresses as they cross kernel interfaces.
//!
//! Layouts: compiled from mingw-w64's `winsock2.h` and `ws2ipdef.h`. Ports and IPv4 addresses are in
//! network byte order.

/// An address family, `AF_…`.
pub type ADDRESS_FAMILY = u16;

constants! { ADDRESS_FAMILY:
    /// No family.
    AF_UNSPEC = 0;
    /// IPv4.
    AF_INET = 2;
    /// IPv6.
    AF_INET6 = 23;
}

/// A pointer to a socket address of any family.
pub type PSOCKADDR = *mut SOCKADDR;

layout! {
    /// A socket address of any family; what follows the family depends on it.
    #[derive(Debug)]
    struct SOCKADDR: 0x10 {
        /// The address family.
        0x00 => sa_family: ADDRESS_FAMILY,
        /// The address, as its family defines it.
        0x02 => sa_data: [u8; 14],
    }

    /// An IPv4 address in network byte order.
    #[derive(Debug, Eq, PartialEq)]
    struct IN_ADDR: 0x4 {
        /// The 32 bits of the address, in network byte order.
        0x0 => S_addr: u32,
    }

    /// An IPv6 address: sixteen bytes in network byte order, aligned to two.
    #[repr(align(2))]
    #[derive(Debug, Eq, PartialEq)]
    struct IN6_ADDR: 0x10 {
        /// The bytes of the address.
        0x0 => Byte: [u8; 16],
    }

    /// An IPv4 socket address.
    #[derive(Debug)]
    struct SOCKADDR_IN: 0x10 {
        /// [`AF_INET`].
        0x00 => sin_family: ADDRESS_FAMILY,
        /// The port, in network byte order.
        0x02 => sin_port: u16,
        /// The address.
        0x04 => sin_addr: IN_ADDR,
        /// Zero.
        0x08 => sin_zero: [u8; 8],
    }

    /// An IPv6 socket address.
    #[derive(Debug)]
    struct SOCKADDR_IN6: 0x1C {
        /// [`AF_INET6`].
        0x00 => sin6_family: ADDRESS_FAMILY,
        /// The port, in network byte order.
        0x02 => sin6_port: u16,
        /// The flow label.
        0x04 => sin6_flowinfo: u32,
        /// The address.
        0x08 => sin6_addr: IN6_ADDR,
        /// The scope of a link-local address.
        0x18 => sin6_scope_id: u32,
    }

    /// An IPv4 or IPv6 socket address.
    union SOCKADDR_INET: 0x1C {
        /// The address if the family is [`AF_INET`].
        0x00 => Ipv4: SOCKADDR_IN,
        /// The address if the family is [`AF_INET6`].
        0x00 => Ipv6: SOCKADDR_IN6,
        /// The family, common to both.
        0x00 => si_family: ADDRESS_FAMILY,
    }

    /// Room for a socket address of any family.
    struct SOCKADDR_STORAGE: 0x80 {
        /// The address family.
        0x00 => ss_family: ADDRESS_FAMILY,
        /// Padding up to the alignment.
        0x02 => __ss_pad1: [u8; 6],
        /// Makes the structure aligned to eight bytes.
        0x08 => __ss_align: i64,
        /// Padding up to the size.
        0x10 => __ss_pad2: [u8; 112],
    }
}
